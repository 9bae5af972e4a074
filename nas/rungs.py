"""Lengths of training that networks have to earn (`--scheduler`, `--rungs`), and the recipes for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.objectives import Column, Goal
from nas.options import Options, UsageError
from nas.recipe import Recipe

if TYPE_CHECKING:
    from nas.asha import Rule

ETA = 3
"""The reduction factor, where `--eta` does not say."""

EPOCHS = 9
"""Into how many a brief training is cut, at least: rungs 1, 3 and 9."""

LONGER = 3
"""How many times as many images as a brief training's the longest sees."""

LATE = ("train_seconds", "images_per_second", "peak_memory_bytes")
"""Columns that are known when a training has ended."""


@dataclass(frozen=True)
class Rungs:
    """What is asked for.

    Attributes:
        epochs: of each rung, rising.
        eta: one of so many goes on to the next.
        brackets: of ASHA.
        stop: trainings are as long as the last rung and stopped at earlier ones (`--scheduler asha`);
            otherwise all networks are trained for the first rung, and the best again, for each longer one.
    """

    epochs: tuple[int, ...]
    eta: int
    brackets: int
    stop: bool

    @property
    def first(self) -> int:
        """Epochs of the recipe by which a search trains."""
        return self.epochs[-1] if self.stop else self.epochs[0]

    def describe(self, goals: Sequence[Goal]) -> str:
        """One line."""
        rungs = ", ".join(map(str, self.epochs))
        if self.stop and len(goals) > 1:
            return f"epochs {rungs}: what cannot reach the front is stopped"
        if self.stop:
            brackets = f" in {self.brackets} brackets" if self.brackets > 1 else ""
            return f"ASHA at epochs {rungs}{brackets}, reduction factor {self.eta}"
        return f"{rungs} epochs: the best 1/{self.eta} of each rung are trained again, for the next"

    def rule(self, goals: Sequence[Goal], seed: int) -> Rule | None:
        """What stops trainings, if anything does."""
        from nas.asha import Asha, Halving, Reach

        if not self.stop:
            return None
        if len(goals) > 1:
            return Reach(self.epochs, goals)
        return Halving(Asha(self.epochs, self.eta, self.brackets, seed), goals[0])


def wished(options: Options, epochs: int, goals: Sequence[Goal]) -> Rungs | None:
    """What is asked for. Raises `UsageError`.

    Args:
        epochs: of the longest training, where the options do not give rungs.
    """
    stop = options.scheduler == "asha"
    if not stop and options.rungs is None:
        for flag in ("eta", "brackets"):
            if getattr(options, flag) is not None:
                raise UsageError(f"--{flag}: needs --scheduler asha" + " or --rungs" * (flag == "eta"))
        return None
    eta = options.eta or ETA
    rungs = tuple(options.rungs or geometric(epochs, eta))
    if len(rungs) < 2:
        length = f"{epochs} epoch" + "s" * (epochs > 1)
        raise UsageError(f"--scheduler asha: {length} cannot be cut by --eta {eta}: give --epochs or --rungs")
    if options.epochs not in (None, rungs[-1]):
        raise UsageError(f"--epochs {options.epochs}: the last of --rungs is {rungs[-1]}")
    if not any("val_accuracy" in goal.columns for goal in goals):
        flag = "--scheduler asha" if stop else "--rungs"
        raise UsageError(f"{flag}: there is no accuracy among the goals that epochs could change")
    if stop:
        _check_asha(options, rungs, goals)
    else:
        _check_halving(options, goals)
    return Rungs(rungs, eta, options.brackets or 1, stop)


def geometric(epochs: int, eta: int) -> tuple[int, ...]:
    """All epochs, and an eta-th of them, and so on, rounded, as long as it is one epoch or more."""
    found = [epochs]
    while epochs >= eta ** len(found):
        found.append(round(epochs / eta ** len(found)))
    return tuple(reversed(found))


def _check_asha(options: Options, rungs: Sequence[int], goals: Sequence[Goal]) -> None:
    columns = [name for goal in goals for name in goal.columns]
    for name in LATE:
        if name in columns:
            raise UsageError(f"--scheduler asha: {name} is not known before a training has ended")
    if len(goals) > 1:
        if options.brackets is not None:
            raise UsageError("--brackets: several goals are pruned by their front, which has none")
        if options.eta is not None and options.rungs is not None:
            raise UsageError("--eta: several goals are pruned by their front, whatever share that is")
        if Column("val_accuracy", maximise=False) in goals:
            raise UsageError("--scheduler asha: with several goals accuracy must be one to be maximised")
    if (options.brackets or 1) >= len(rungs):
        raise UsageError(
            f"--brackets {options.brackets}: with {len(rungs)} rungs there are at most {len(rungs) - 1}"
        )


def _check_halving(options: Options, goals: Sequence[Goal]) -> None:
    if options.brackets is not None:
        raise UsageError("--brackets: needs --scheduler asha")
    if len(goals) > 1:
        raise UsageError("--rungs: the best are those of one goal; for several take --scheduler asha")
    if options.winner != "reward":
        raise UsageError(f"--rungs: --winner {options.winner} cannot rank trainings of different lengths")
    if options.timeout is not None:
        raise UsageError("--rungs: all of the pool is trained, however long it takes: leave --timeout out")
    if options.trials is None and options.proxy is None:
        raise UsageError("--rungs: say how many networks there are at first: --trials, or a --proxy's pool")


def longest(options: Options, recipe: Recipe) -> int:
    """Epochs of the longest training that is cut, where the recipe is that of a whole one."""
    if options.rungs is not None:
        return options.rungs[-1]
    return options.epochs or max(EPOCHS, LONGER * recipe.epochs)


def lengthened(options: Options, recipe: Recipe, rungs: Rungs, images: int) -> Recipe:
    """The recipe by which a search trains, where a whole training is that of another one.

    Unless the options say otherwise, the longest training sees three times as many images as the recipe's,
    in smaller epochs if need be: a third of them, as on CIFAR-10 without a GPU, where rungs are 1, 3 and 9.

    Args:
        images: in the training set, those to validate on included.
    """
    all_images = images - recipe.val_images
    seen = LONGER * recipe.epochs * (recipe.train_images or all_images) // rungs.epochs[-1]
    chosen = options.train_images or (None if seen >= all_images else max(recipe.batch, seen))
    return dataclasses.replace(recipe, epochs=rungs.first, train_images=chosen)


def uncut(recipe: Recipe, cut: Recipe, rungs: Rungs, images: int) -> Recipe:
    """The recipe of a training that nothing cuts and that sees a third of the images of the longest that is.

    Unless the options say otherwise these are as many as by the given recipe, however many epochs they are
    cut into.

    Args:
        cut: the recipe by which the search trains.
        images: in the training set, those to validate on included.
    """
    all_images = images - recipe.val_images
    usual = recipe.epochs * (recipe.train_images or all_images)
    seen = rungs.epochs[-1] * (cut.train_images or all_images) / LONGER
    return dataclasses.replace(recipe, epochs=max(1, round(recipe.epochs * seen / usual)))
