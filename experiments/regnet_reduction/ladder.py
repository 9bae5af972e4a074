"""The ladder of design spaces as one space: AnyNet A to E and RegNet, and the controls beside D and E.

Radosavovic, Kosaraju, Girshick, He, Dollár: "Designing Network Design Spaces", 2020 (arXiv:2003.13678).
Which space a network is drawn from is the first question, so that one search (`random:stratify=space`) draws
from all of them in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cells.genome import Genome
from cells.ops import Shape
from search_spaces import Preset, space
from search_spaces.anynet import GROUPS, RATIOS, each
from search_spaces.anynet import anynet as anynet_a
from search_spaces.anynet_reduced import anynet_b, anynet_c, anynet_d, anynet_e
from search_spaces.choose import Chooser
from search_spaces.reduce import decreasing, tie
from search_spaces.regnet import regnet as draw_regnet


def _w_falls(choose: Chooser, **arguments: Any) -> Genome:
    return anynet_c(decreasing(choose, each("w")), **arguments)


def _w_constant(choose: Chooser, **arguments: Any) -> Genome:
    return anynet_c(tie(choose, each("w")), **arguments)


def _d_falls(choose: Chooser, **arguments: Any) -> Genome:
    return anynet_d(decreasing(choose, each("d")), **arguments)


def _d_constant(choose: Chooser, **arguments: Any) -> Genome:
    return anynet_d(tie(choose, each("d")), **arguments)


ANYNETS: dict[str, Callable[..., Genome]] = {
    "A": anynet_a,
    "B": anynet_b,
    "C": anynet_c,
    "D": anynet_d,
    "E": anynet_e,
    "C, w falls": _w_falls,
    "C, w constant": _w_constant,
    "D, d falls": _d_falls,
    "D, d constant": _d_constant,
}
REGNETS = ("RegNetX", "RegNetY")
LADDER = ("A", "B", "C", "D", "E", "RegNetX")
CONTROLS = ("C, w falls", "C, w constant", "D, d falls", "D, d constant")
"""Figures 6 and 7 of the paper: D's widths and E's depths rise; here they fall, or stay."""

_LAPTOP = {
    "anynet": {"d": (1, 8), "w": (8, 256), "stem_width": 16},
    "regnet": {
        "d": (4, 24),
        "w_0": (8, 64),
        "w_a": (8, 64),
        "w_m": (1.5, 3),
        "b": RATIOS,
        "g": GROUPS,
        "stem_width": 16,
    },
}
_GPU = {
    "anynet": {"stem_width": 16, "stem_stride": 1},
    "regnet": {"stem_width": 16, "stem_stride": 1},
}
_IMAGENET = {"input": (3, 224, 224), "classes": 1000}


def _presets(name: str, macs: tuple[int, int], ranges: Mapping[str, Any]) -> dict[str, Preset]:
    """A preset of the ladder, of its controls, of its two ends and of RegNetY."""
    gated = {**ranges.get("regnet", {}), "se": (0.25,)}
    return {
        name: Preset(ranges, macs),
        f"{name}-controls": Preset({**ranges, "spaces": CONTROLS}, macs),
        f"{name}-pair": Preset({**ranges, "spaces": ("A", "RegNetX")}, macs),
        f"{name}-y": Preset({**ranges, "spaces": ("RegNetY",), "regnet": gated}, macs),
    }


PRESETS = {
    **_presets("laptop", (4_000_000, 6_000_000), _LAPTOP),
    **_presets("gpu", (50_000_000, 60_000_000), _GPU),
    **_presets("paper", (360_000_000, 400_000_000), _IMAGENET),
}


@space(presets=PRESETS, all_live=True)
def ladder(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    spaces: tuple[str, ...] = LADDER,
    anynet: Mapping[str, Any] | None = None,
    regnet: Mapping[str, Any] | None = None,
) -> Genome:
    """AnyNet A to E and RegNet: which of them is the first question, then theirs.

    Args:
        spaces: of `ANYNETS` and `REGNETS`.
        anynet, regnet: arguments of these spaces.
    """
    name = choose.pick("space", spaces)
    if name in REGNETS:
        return draw_regnet(choose, input=input, classes=classes, **(regnet or {}))
    return ANYNETS[name](choose, input=input, classes=classes, **(anynet or {}))
