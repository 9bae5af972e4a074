"""The experiment's figures, from the table of models alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from experiments.drawing import save
from experiments.regnet_reduction.compare import part_of
from experiments.regnet_reduction.ladder import ANYNETS, CONTROLS, LADDER, REGNETS
from experiments.regnet_reduction.models import Models, column, of
from nas.edf import BestRange, Edf, best_range, bootstrap_band, dkw_band, edf, equalised, random_search

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

ALL = (*ANYNETS, *REGNETS)
COLOURS = {name: plt.get_cmap("tab20")((2 * i) % 20 + (2 * i) // 20) for i, name in enumerate(ALL)}

LETTERS: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "depth, sum of d": lambda m: sum(m["d"]),
    "d_4": lambda m: m["d"][-1],
    "w_4": lambda m: m["w"][-1],
    "b_4": lambda m: m["b"][-1],
    "g_4": lambda m: m["g"][-1],
}
"""Settings that all spaces have, of which the best range is shown."""


def ladder_of(models: Models) -> Mapping[str, Models]:
    """The models of each space of the ladder that has some, RegNetY's too; all if there are no others."""
    found = {name: of(models, part_of(name), name) for name in (*LADDER, "RegNetY")}
    there: dict[str, Models] = {name: part for name, part in found.items() if part}
    return there or {str(models[0]["design_space"]): models}


def _draw(panel: Axes, curves: Mapping[str, Edf], band: str | None) -> None:
    """EDFs, if any, with the simultaneous band of one of them and pointwise ones of all."""
    if not curves:
        panel.set_axis_off()
        return
    low = min(f.e[0] for f in curves.values())
    high = max(f.e[-1] for f in curves.values())
    at = np.linspace(low - 0.5, high + 0.5, 400)
    for name, f in curves.items():
        panel.plot(at, f(at), color=COLOURS[name], lw=1.6, label=f"{name} ({len(f)}): {f}")
        panel.fill_between(at, *bootstrap_band(f, at), color=COLOURS[name], alpha=0.08, lw=0)
    if band is not None and band in curves:
        for limit in dkw_band(curves[band], at):
            panel.plot(at, limit, color=COLOURS[band], lw=0.7, ls=":")
    panel.set_xlim(low - 0.5, high + 0.5)
    panel.set_ylim(0, 1)
    panel.set_xlabel("top-1 validation error e, %")
    panel.set_ylabel("F(e)")
    panel.legend(fontsize=7, loc="lower right", title="space (models)", title_fontsize=7)


def ladder(models: Models, when: str, file: Path) -> None:
    """EDFs: of the ladder, at equal parameters, of D and E beside their controls, by default initialisation.

    Args:
        when: such as `after one epoch`; in every caption.
    """
    figure, ((plain, alike), (beside, default)) = plt.subplots(2, 2, figsize=(12, 9))
    samples = ladder_of(models)
    there = list(samples)
    _draw(plain, {name: edf(column(part, "top1")) for name, part in samples.items()}, "A")
    plain.set_title(f"The ladder {when}; last gammas start at 0", fontsize=10)
    try:
        same = equalised([column(part, "params") for part in samples.values()])
    except ValueError as error:
        alike.set_title(f"At equal parameters: {error}", fontsize=6)
        alike.set_axis_off()
    else:
        weighted = {
            name: edf(column(samples[name], "top1"), weights)
            for name, weights in zip(there, same.weights, strict=True)
        }
        _draw(alike, weighted, None)
        bins = f"{sum(same.used)} of {len(same.used)} bins have models of every space"
        alike.set_title(f"At equal parameters {when}; {bins}", fontsize=9)
    controls = [name for name in ("C", "D", "E", *CONTROLS) if of(models, part_of(name), name)]
    _draw(beside, {name: edf(column(of(models, part_of(name), name), "top1")) for name in controls}, None)
    beside.set_title(f"D and E beside their controls {when}", fontsize=10)
    others = [name for name in LADDER if of(models, "default", name)]
    _draw(default, {name: edf(column(of(models, "default", name), "top1")) for name in others}, None)
    default.set_title(f"The ladder {when}; last gammas start at 1", fontsize=10)
    figure.tight_layout()
    save(figure, file, "regnet_reduction")


def scatter(models: Models, when: str, file: Path) -> None:
    """Error over parameters, a panel for each space."""
    there = list(ladder_of(models))
    figure, panels = plt.subplots(
        1, len(there), figsize=(2.6 * len(there), 3.2), sharex=True, sharey=True, squeeze=False
    )
    for panel, name in zip(panels[0], there, strict=True):
        part = of(models, part_of(name), name)
        panel.scatter(column(part, "params") / 1e6, column(part, "top1"), s=10, color=COLOURS[name])
        panel.set_xscale("log")
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("parameters, M")
    panels[0][0].set_ylabel(f"error {when}, %")
    figure.tight_layout()
    save(figure, file, "regnet_reduction")


def ranges(models: Models) -> dict[str, dict[str, BestRange]]:
    """Best ranges by setting and space."""
    return {
        letter: {
            name: best_range([value(m) for m in part], column(part, "top1"))
            for name, part in ladder_of(models).items()
        }
        for letter, value in LETTERS.items()
    }


def best(models: Models, when: str, file: Path) -> None:
    """Errors over each setting, with the range in which its best value lies; a row for each space."""
    found = ranges(models)
    there = list(found[next(iter(LETTERS))])
    figure, panels = plt.subplots(
        len(there),
        len(LETTERS),
        figsize=(2.7 * len(LETTERS), 2.0 * len(there)),
        squeeze=False,
        sharex="col",
        sharey=True,
    )
    for row, name in zip(panels, there, strict=True):
        part = of(models, part_of(name), name)
        for panel, (letter, value) in zip(row, LETTERS.items(), strict=True):
            span = found[letter][name]
            panel.scatter([value(m) for m in part], column(part, "top1"), s=7, color=COLOURS[name])
            panel.axvspan(span.low, span.high, color="tab:blue", alpha=0.12, lw=0)
            panel.axvline(span.best, color="tab:blue", lw=1)
            if letter in ("w_4", "b_4", "g_4"):
                panel.set_xscale("log", base=2)
            panel.set_xlabel(letter, fontsize=8, labelpad=1)
            panel.tick_params(labelsize=7)
        row[0].set_ylabel(f"{name}\nerror, %", fontsize=8)
    figure.suptitle(f"Error {when}; band and line: 95% interval and median of the best value", fontsize=10)
    figure.tight_layout()
    save(figure, file, "regnet_reduction")


def efficiency(models: Models, when: str, file: Path) -> None:
    """The expected least error of m random models."""
    figure, panel = plt.subplots(figsize=(6, 4))
    for name, part in ladder_of(models).items():
        m = np.arange(1, len(part) + 1)
        panel.plot(m, random_search(column(part, "top1"), m)[0], color=COLOURS[name], label=name)
    panel.set_xscale("log", base=2)
    panel.set_xlabel("models trained, m")
    panel.set_ylabel(f"expected least error {when}, %")
    panel.legend(fontsize=8)
    figure.tight_layout()
    save(figure, file, "regnet_reduction")


FIGURES: Sequence[tuple[str, Callable[[Models, str, Path], None]]] = (
    ("edf.svg", ladder),
    ("parameters.svg", scatter),
    ("ranges.svg", best),
    ("efficiency.svg", efficiency),
)
