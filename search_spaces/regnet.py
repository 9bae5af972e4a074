"""RegNet: AnyNet whose widths and depths follow a quantised line (arXiv:2003.13678, section 3.3).

Radosavovic, Kosaraju, Girshick, He, Dollár: "Designing Network Design Spaces", 2020. A network is six
numbers: depth d, initial width w_0, slope w_a, quantisation w_m, bottleneck ratio b, group width g.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import groupby
from typing import Any

from cells.genome import Genome
from cells.ops import Invalid, Shape
from search_spaces.anynet import GROUPS, RATIOS, network
from search_spaces.choose import Chooser, Scalar
from search_spaces.reduce import within
from search_spaces.registry import Preset, space

# d, w_0, w_a, w_m, g of the published networks with b = 1 (pycls model zoo; Y has se = 0.25).
PUBLISHED: dict[str, tuple[int, int, float, float, int]] = {
    "X-200MF": (13, 24, 36.44, 2.49, 8),
    "X-400MF": (22, 24, 24.48, 2.54, 16),
    "X-600MF": (16, 48, 36.97, 2.24, 24),
    "X-800MF": (16, 56, 35.73, 2.28, 16),
    "X-1.6GF": (18, 80, 34.01, 2.25, 24),
    "X-3.2GF": (25, 88, 26.31, 2.25, 48),
    "X-4.0GF": (23, 96, 38.65, 2.43, 40),
    "X-6.4GF": (17, 184, 60.83, 2.07, 56),
    "X-8.0GF": (23, 80, 49.56, 2.88, 120),
    "X-12GF": (19, 168, 73.36, 2.37, 112),
    "X-16GF": (22, 216, 55.59, 2.1, 128),
    "X-32GF": (23, 320, 69.86, 2.0, 168),
    "Y-200MF": (13, 24, 36.44, 2.49, 8),
    "Y-400MF": (16, 48, 27.89, 2.09, 8),
    "Y-600MF": (15, 48, 32.54, 2.32, 16),
    "Y-800MF": (14, 56, 38.84, 2.4, 16),
    "Y-1.6GF": (27, 48, 20.71, 2.65, 24),
    "Y-3.2GF": (21, 80, 42.63, 2.66, 24),
    "Y-4.0GF": (22, 96, 31.41, 2.24, 64),
    "Y-6.4GF": (25, 112, 33.22, 2.27, 72),
    "Y-8.0GF": (17, 192, 76.82, 2.19, 56),
    "Y-12GF": (19, 168, 73.36, 2.37, 112),
    "Y-16GF": (18, 200, 106.23, 2.48, 112),
    "Y-32GF": (20, 232, 115.89, 2.53, 232),
}


def answers(name: str) -> dict[str, Scalar]:
    """The answers that draw a published network, such as `X-400MF`."""
    d, w_0, w_a, w_m, g = PUBLISHED[name]
    return {"d": d, "w_0": w_0, "w_a": w_a, "w_m": w_m, "b": 1, "g": g, "se": 0.25 if name[0] == "Y" else 0}


def widths_of(d: int, w_0: int, w_a: float, w_m: float) -> tuple[list[int], list[int]]:
    """Width and level s_j of each block by equations 2 to 4, widths rounded to multiples of 8."""
    step = math.log(w_m)
    u = [w_0 + w_a * j for j in range(d)]
    s = [round(math.log(u_j / w_0) / step) for u_j in u]
    return [8 * round(w_0 * w_m**s_j / 8) for s_j in s], s


def stages_of(d: int, w_0: int, w_a: float, w_m: float) -> tuple[list[tuple[int, int]], int]:
    """(width, depth) of each stage by equations 2 to 4, widths rounded to multiples of 8; and the number of
    levels of s_j, which is larger where the line skips a level or rounding makes two levels one width.
    """
    w, s = widths_of(d, w_0, w_a, w_m)
    return [(width, len(list(blocks))) for width, blocks in groupby(w)], s[-1] + 1


PRESETS = {
    "laptop": Preset(
        {"d": (4, 24), "w_0": (8, 64), "w_a": (8, 64), "b": (1,), "g": (8, 16, 32), "stem_width": 16},
        macs=(3_000_000, 6_000_000),
        points={"laptop": {"d": 10, "w_0": 16, "w_a": 20, "w_m": 2.5, "b": 1, "g": 8, "se": 0}},
    ),
    "gpu": Preset(
        {
            "d": (8, 40),
            "w_0": (8, 128),
            "w_a": (8, 128),
            "b": (1,),
            "g": (8, 16, 32),
            "se": (0, 0.25),
            "stem_width": 16,
            "stem_stride": 1,
        },
        macs=(30_000_000, 60_000_000),
    ),
    "paper": Preset({"input": (3, 224, 224), "classes": 1000}, macs=(360_000_000, 400_000_000)),
}

RANGES: dict[str, Any] = {"d": (1, 63), "w_0": (8, 256), "w_a": (8, 256), "w_m": (1.5, 3)}
"""The paper's (section 3.4)."""

POINTS = {f"RegNet{name}": answers(name) for name in PUBLISHED}


def _estimate(
    *, b: tuple[float, ...], g: tuple[int, ...], se: tuple[float, ...], **ranges: Any
) -> tuple[int, str] | None:
    """What the paper counts: 64 values for each of d, w_0, w_a and w_m (table 2), in its ranges."""
    if any(ranges[name] != limits for name, limits in RANGES.items()):
        return None
    return 64**4 * len(b) * len(g) * len(se), "the paper's estimate: 64 values of each of d, w_0, w_a, w_m"


@space(presets=PRESETS, points=POINTS, all_live=True, networks=_estimate)
def regnet(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    d: tuple[int, int] = RANGES["d"],
    w_0: tuple[int, int] = RANGES["w_0"],
    w_a: tuple[float, float] = RANGES["w_a"],
    w_m: tuple[float, float] = RANGES["w_m"],
    b: tuple[float, ...] = RATIOS,
    g: tuple[int, ...] = GROUPS,
    se: tuple[float, ...] = (0,),
    stages: int = 4,
    stem_width: int = 32,
    stem_stride: int | None = None,
    strides: tuple[int, ...] | None = None,
) -> Genome:
    """RegNet: four stages from d, w_0, w_a, w_m, b and g, with squeeze-and-excitation if `se` offers it.

    Ranges (section 3.3): d < 64 uniform; w_0, w_a <= 256 and 1.5 <= w_m <= 3 log-uniform; b and g as in
    AnyNet. Answers that do not make exactly `stages` stages on as many levels, which is six in seven, are
    `Invalid` before anything is drawn.
    """
    depth = choose.integer("d", *d)
    start = choose.integer("w_0", *w_0, step=8, log=True)
    slope = choose.real("w_a", *w_a, log=True)
    step = choose.real("w_m", *w_m, log=True)
    ratio = choose.pick("b", b)
    group = choose.pick("g", g)
    gate = choose.pick("se", se)
    drawn, levels = stages_of(depth, start, slope, step)
    off = abs(len(drawn) - stages) + abs(levels - stages)
    if off:
        raise Invalid(f"{len(drawn)} stages on {levels} levels, not {stages}", violation=off)
    return network(
        "RegNet",
        input,
        classes,
        d=[count for _, count in drawn],
        w=[width for width, _ in drawn],
        b=[ratio] * stages,
        g=[group] * stages,
        se=gate,
        stem_width=stem_width,
        stem_stride=stem_stride,
        strides=strides,
    )


@space(
    presets={name: replace(preset, points={}) for name, preset in PRESETS.items()},
    points=POINTS,
    all_live=True,
    like=regnet,
)
def regnet_c(choose: Chooser, **arguments: Any) -> Genome:
    """RegNet as section 4 constrains it: b = 1, 12 <= d <= 28, w_m >= 2."""
    choose = within(choose, ["b"], 1, 1)
    choose = within(choose, ["d"], 12, 28)
    return regnet(within(choose, ["w_m"], 2, math.inf), **arguments)
