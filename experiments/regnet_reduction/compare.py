"""What was to be shown, fixed before the run, and what the models show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from experiments.regnet_reduction.models import Models, column, of
from nas.edf import Edf, edf, equal, equalised, holm, lower, models_to_equate, models_to_tell

MARGIN = 1.5
"""Points of error within which two spaces count as equal."""

LEVEL = 0.05

FEW = 8
"""Spaces with fewer models are not compared."""


@dataclass(frozen=True)
class Hypothesis:
    """The first space has a lower mean error than the second, or an equal one."""

    kind: Literal["better", "equal"]
    first: str
    second: str

    def __str__(self) -> str:
        relation = "better than" if self.kind == "better" else "equal to"
        return f"{self.first} {relation} {self.second}"


HYPOTHESES = (
    Hypothesis("equal", "B", "A"),
    Hypothesis("equal", "C", "B"),
    Hypothesis("better", "D", "C"),
    Hypothesis("better", "E", "D"),
    Hypothesis("better", "RegNetX", "E"),
)
"""The steps of the ladder: B shares b, C shares g, D's widths and E's depths rise, RegNetX follows a line."""

CONTROLS = (
    Hypothesis("better", "D", "C, w falls"),
    Hypothesis("better", "D", "C, w constant"),
    Hypothesis("better", "E", "D, d falls"),
    Hypothesis("better", "E", "D, d constant"),
)
"""What else D and E might have been (DDS, figures 6 and 7)."""


@dataclass(frozen=True)
class Finding:
    """What came of one hypothesis.

    Attributes:
        difference: of the mean errors, first less second, in points; nan where they cannot be compared.
        p: as it is.
        corrected: p by Holm, over all hypotheses of its kind, those that cannot be tested included.
        models: of each space, that would show what is seen (`better`) or an equality (`equal`) at 80% power;
            None where the difference is not in that direction, or too large.
        how: which models are compared, and how.
    """

    hypothesis: Hypothesis
    difference: float
    p: float
    corrected: float
    models: int | None
    how: str = ""

    @property
    def holds(self) -> bool:
        """It is shown."""
        return self.corrected < LEVEL


def part_of(space: str) -> str:
    """The part in which a space's models were trained."""
    return "controls" if "," in space else "gated" if space == "RegNetY" else "ladder"


def compare(models: Models, hypotheses: Sequence[Hypothesis], complexity: str | None = None) -> list[Finding]:
    """Tests the hypotheses of which both spaces have enough models.

    Args:
        complexity: the column in which the two spaces are made alike, by weights; None: as they are.
    """
    found = {hypothesis: _tested(models, hypothesis, complexity) for hypothesis in hypotheses}
    corrected: dict[Hypothesis, float] = {}
    for kind in ("better", "equal"):
        mine = [hypothesis for hypothesis in hypotheses if hypothesis.kind == kind]
        tests = [found[hypothesis] for hypothesis in mine]
        corrected |= dict(zip(mine, holm([1.0 if test is None else test.p for test in tests]), strict=True))
    return [
        replace(test, corrected=corrected[hypothesis])
        for hypothesis, test in found.items()
        if test is not None
    ]


def _tested(models: Models, hypothesis: Hypothesis, complexity: str | None) -> Finding | None:
    """What its test says, not corrected; None for too few models."""
    pair = [of(models, part_of(name), name) for name in (hypothesis.first, hypothesis.second)]
    if min(map(len, pair)) < FEW:
        return None
    errors = [column(sample, "top1") for sample in pair]
    first, second = edf(errors[0]), edf(errors[1])
    how = f"{len(pair[0])} and {len(pair[1])} models"
    if complexity is not None:
        try:
            same = equalised([column(sample, complexity) for sample in pair])
        except ValueError as error:
            return Finding(hypothesis, math.nan, 1.0, 1.0, None, str(error))
        how = str(same)
        if 2 * sum(same.used) < len(same.used):
            return Finding(hypothesis, math.nan, 1.0, 1.0, None, f"{how}: too few to compare")
        first, second = (edf(e, w) for e, w in zip(errors, same.weights, strict=True))
    spread = _spread(first, second)
    outcome = lower(first, second) if hypothesis.kind == "better" else equal(first, second, MARGIN)
    needed = None
    if not spread > 0:
        pass  # equal errors throughout, or too few: there is no number of models to tell
    elif hypothesis.kind == "better" and outcome.value < 0:
        needed = models_to_tell(spread, -outcome.value)
    elif hypothesis.kind == "equal" and abs(outcome.value) < MARGIN:
        needed = models_to_equate(spread, MARGIN)
    return Finding(hypothesis, outcome.value, outcome.p, outcome.p, needed, how)


def _spread(first: Edf, second: Edf) -> float:
    """The standard deviation of the two together."""
    return float(((first.sd**2 + second.sd**2) / 2) ** 0.5)


def interaction(shifts: Sequence[Sequence[float]], repeats: int = 10_000) -> float:
    """p of groups of differences having one mean, by dealing the differences anew to the groups.

    The statistic is the sum of squares between the groups.
    """
    values = np.concatenate([np.asarray(group, float) for group in shifts])
    groups = np.repeat(np.arange(len(shifts)), [len(group) for group in shifts])
    shares = np.eye(len(shifts))[groups] / np.bincount(groups) ** 0.5
    deals = np.random.default_rng(0).permuted(np.tile(values - values.mean(), (repeats, 1)), axis=1)
    seen = (((values - values.mean()) @ shares) ** 2).sum()
    return float((1 + (((deals @ shares) ** 2).sum(axis=1) >= seen - 1e-9).sum()) / (1 + repeats))
