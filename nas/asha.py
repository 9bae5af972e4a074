"""Which trainings are cut short: rules that look at the learning curves of a search.

A rule is asked at some epochs, the rungs, whether a trial goes on; its state is a fold over what it was told,
so that a resumed search tells it the recorded curves again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from nas.objectives import Goal, Row
from nas.results import until


class Asha:
    """Asynchronous successive halving: a trial goes on that is in the best 1/eta of those that came as far.

    Asynchronous, because it decides at once, by the trials that have been there so far; the first to reach a
    rung always goes on. Bracket s has no rung before the s-th, so that trials in it are cut later; a trial is
    put into one by chance, with a probability that is proportional to e^(number of its rungs).

    Source: Li et al. 2020, "A system for massively parallel hyperparameter tuning", arXiv:1810.05934. Their
    algorithm 2 pauses trials and promotes them; this is the variant that stops them, with the threshold and
    the brackets of Ray Tune's `AsyncHyperBandScheduler`, whose decisions it repeats (tests/nas/test_asha.py).

    Args:
        rungs: epochs, rising; the last is the whole training, at which nothing is decided.
        eta: the reduction factor.
        brackets: how many; fewer than there are rungs.
        seed: of the choice of brackets.
    """

    def __init__(self, rungs: Sequence[int], eta: int = 3, brackets: int = 1, seed: int = 0) -> None:
        if not 1 <= brackets < len(rungs):
            raise ValueError(f"brackets must be from 1 to {len(rungs) - 1}, one less than rungs")
        self.rungs, self.eta, self.brackets, self.seed = tuple(rungs), eta, brackets, seed
        self.values: dict[tuple[int, int], dict[int, float]] = {}  # (bracket, rung) -> trial -> value

    def bracket(self, trial: int) -> int:
        """The bracket of a trial."""
        weights = [math.exp(-s) for s in range(self.brackets)]
        return random.Random(f"{self.seed}/{trial}/bracket").choices(range(self.brackets), weights)[0]

    def report(self, trial: int, epoch: int, value: float) -> float | None:
        """The value that a trial should have had after an epoch to go on; None: it goes on."""
        import numpy as np

        bracket = self.bracket(trial)
        if epoch not in self.rungs[bracket:-1]:
            return None
        values = self.values.setdefault((bracket, epoch), {})
        before = list(values.values())
        values[trial] = value
        if not before:
            return None
        least = float(np.percentile(before, (1 - 1 / self.eta) * 100))
        return least if value < least else None


class Rule(Protocol):
    """Decides by the rows of trials.

    Attributes:
        rungs: epochs at which it decides, the whole training last.
    """

    rungs: Sequence[int]

    def judge(self, trial: int, row: Row) -> str | None:
        """Why a trial is to stop whose row is so far this, with a curve that ends at a rung; None: go on."""

    def end(self, row: Row) -> None:
        """A trial was trained to its end."""


class Halving:
    """ASHA on the value of one goal."""

    def __init__(self, asha: Asha, goal: Goal) -> None:
        self.asha, self.goal = asha, goal
        self.rungs: Sequence[int] = asha.rungs

    def judge(self, trial: int, row: Row) -> str | None:
        """See `Rule`. A goal that has no value yet decides nothing."""
        epoch, value = len(row["curve"]), self.goal.of(row)
        least = None if value is None else self.asha.report(trial, epoch, value)
        return None if least is None else f"rung {epoch}: {self.goal} {value:.4g} is below {least:.4g}"

    def end(self, row: Row) -> None:
        """See `Rule`."""


ENDED = 10
"""Trials that have to be trained to their end before a front cuts others."""


class Reach:
    """For several goals: a trial is stopped that cannot reach the front of the trials that ended.

    From a rung on, its error is taken to fall by the largest factor by which that of a trial fell which was
    trained to its end; the other goals are known. When a trial that ended is as good in every goal even so,
    it is stopped. Were all curves drawn alike, one would fall more than those of n others with a probability
    of 1/(n + 1), which is how often a trial is stopped wrongly at a rung, at most; but those that were
    stopped are not among the n. experiments/results/multifidelity has the rate that was measured.
    """

    def __init__(self, rungs: Sequence[int], goals: Sequence[Goal]) -> None:
        self.rungs, self.goals = rungs, goals
        self.left: dict[int, float] = {}  # rung -> the least share of an error that was left at the end
        self.ended: list[tuple[float, ...]] = []

    def judge(self, trial: int, row: Row) -> str | None:
        """See `Rule`."""
        epoch = len(row["curve"])
        if epoch not in self.rungs[:-1] or len(self.ended) < ENDED:
            return None
        most = 1 - (1 - row["val_accuracy"]) * self.left[epoch]
        hoped = self._values({**row, "val_accuracy": most})
        if hoped is None or not any(covers(point, hoped) for point in self.ended):
            return None
        return f"rung {epoch}: even with an accuracy of {most:.4g} it would not be on the front"

    def end(self, row: Row) -> None:
        """See `Rule`."""
        point = self._values(row)
        if point is None:
            return
        self.ended.append(point)
        for rung in self.rungs[:-1]:
            error = 1 - row["curve"][rung - 1]["accuracy"]
            left = (1 - row["val_accuracy"]) / error if error else 1.0
            self.left[rung] = min(left, self.left.get(rung, math.inf))

    def _values(self, row: Row) -> tuple[float, ...] | None:
        found = [goal.of(row) for goal in self.goals]
        return None if None in found else tuple(v for v in found if v is not None)


def covers(point: Sequence[float], other: Sequence[float]) -> bool:
    """Whether a point is as good as another in every goal."""
    return all(a >= b for a, b in zip(point, other, strict=True))


def learn(rule: Rule, trial: int, row: Mapping[str, object]) -> None:
    """Tells a rule a recorded row, as it was told it when the row was made."""
    curve = row["curve"] or ()
    assert isinstance(curve, Sequence)
    for rung in rule.rungs[:-1]:
        if rung <= len(curve):
            rule.judge(trial, until(row, rung))
    if row["status"] == "ok":
        rule.end(row)
