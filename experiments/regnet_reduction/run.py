"""The runs of the experiment, and their rows."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.regnet_reduction.ladder import LADDER, PRESETS
from nas.launch import launch
from nas.options import Options, UsageError
from nas.planning import Plan, plan
from nas.progress import Reporter
from nas.recipe import Init
from nas.store import Run

RECIPES: dict[str, dict[str, Any]] = {
    "brief": {},
    "epoch": {"train_images": None, "epochs": 1, "batch": 128, "lr": 0.4},
    "ten": {"train_images": None, "epochs": 10, "batch": 512, "lr": 0.8},
    "imagenet": {
        "train_images": None,
        "epochs": 10,
        "batch": 128,
        "lr": 0.05,
        "weight_decay": 5e-5,
        "warmup": 0.0,
        "nesterov": False,
        "crop": 0,
        "area": 0.08,
    },
}
"""What each changes in the brief recipe of a search: `epoch` and `ten` train on all images, once and ten
times; `imagenet` is that of DDS (section 3.1: SGD with momentum 0.9, half-period cosine), whose crops it
leaves open: those of Szegedy et al. 2015.
"""


@dataclass(frozen=True)
class Part:
    """One run of the experiment: `models` networks of each space of a preset of the ladder."""

    name: str
    preset: str
    models: int
    init: Init = "zero-gamma"

    @property
    def spaces(self) -> tuple[str, ...]:
        """What the networks are drawn from."""
        return tuple(PRESETS[self.preset].arguments.get("spaces", LADDER))


@dataclass(frozen=True)
class Setting:
    """What a preset of the experiment comes to: its parts in the order in which they run, and its recipe."""

    parts: tuple[Part, ...]
    recipe: str


def _setting(preset: str, recipe: str, models: int, controls: int, gated: int = 0) -> Setting:
    parts = [
        Part("ladder", preset, models),
        Part("default", preset, 16, "default"),
        Part("controls", f"{preset}-controls", controls),
        *([Part("gated", f"{preset}-y", gated)] if gated else []),
    ]
    return Setting(tuple(parts), recipe)


SETTINGS = {
    "laptop": _setting("laptop", "epoch", models=48, controls=24),
    "gpu": _setting("gpu", "ten", models=500, controls=500, gated=500),
    "paper": _setting("paper", "imagenet", models=500, controls=500),
}


def parts(preset: str, models: int | None) -> tuple[Part, ...]:
    """The parts of a setting, with at most so many models of each space where a number is given."""
    most = SETTINGS[preset].parts
    if models is None:
        return most
    return (
        dataclasses.replace(most[0], models=models),
        *(dataclasses.replace(part, models=min(part.models, models)) for part in most[1:]),
    )


def options(part: Part, folder: Path, **given: Any) -> Options:
    """The search that a part is."""
    return Options(
        space="ladder",
        preset=part.preset,
        strategy="random:stratify=space",
        trials=part.models * len(part.spaces),
        init=part.init,
        seed_points="none",
        keep=0,
        confirm=0,
        run=str(folder / part.name),
        **given,
    )


def settle(part: Part, folder: Path, recipe: str, **given: Any) -> Plan:
    """Its plan: by that recipe, however long it takes, and without latencies, which nothing here asks for.

    Raises `UsageError` where the data do not have the size of images for which the preset is made.
    """
    made = plan(options(part, folder, **given))
    wanted = PRESETS[part.preset].arguments.get("input", made.shape)
    if made.shape != wanted:
        sizes = ["x".join(map(str, shape)) for shape in (wanted, made.shape)]
        raise UsageError(
            f"--preset {part.preset}: is for images of {sizes[0]}, and these data have {sizes[1]}"
        )
    return dataclasses.replace(
        made,
        recipe=dataclasses.replace(made.recipe, name=recipe, **RECIPES[recipe]),
        latency=None,
        trial_timeout=math.inf,
    )


def run_all(
    wanted: tuple[Part, ...],
    folder: Path,
    recipe: str,
    budget: float | None,
    reporter: Reporter,
    **given: Any,
) -> None:
    """Runs the parts one after another, each from where it was left, until the budget (seconds) is spent."""
    spent = {part.name: elapsed(folder / part.name) for part in wanted}
    for part in wanted:
        left = None if budget is None else budget - sum(spent.values()) + spent[part.name]
        if left is not None and left <= spent[part.name]:
            reporter.line(f"{part.name}: nothing is left of the budget")
            continue
        reporter.line(f"{part.name}: {part.models} models of each of {', '.join(part.spaces)}")
        settled = settle(part, folder, recipe, timeout=left, **given)
        if part.preset.startswith("gpu") and not settled.workers.gpus:
            reporter.line("no GPU is used: this preset takes days on a CPU; take --preset laptop")
        launch(settled, reporter)
        spent[part.name] = elapsed(folder / part.name)


def elapsed(run: Path) -> float:
    """Seconds of search in a run directory, which may not be there yet."""
    if not (run / "trials.arrows").exists():
        return 0.0
    return max(Run(run).table()["elapsed"].to_pylist(), default=0.0)
