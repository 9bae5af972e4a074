"""What was to be shown, fixed before the run, and what the models show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
        difference: of the mean errors, first less second, in points.
        p: as it is; corrected: by Holm, over the hypotheses of its kind.
        models: of each space, that would show what is seen (`better`) or an equality (`equal`) at 80% power;
            None where the difference is not in that direction.
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
    found: list[tuple[Hypothesis, float, float, int | None, str]] = []
    for hypothesis in hypotheses:
        pair = [of(models, part_of(name), name) for name in (hypothesis.first, hypothesis.second)]
        if min(map(len, pair)) < FEW:
            continue
        errors = [column(sample, "top1") for sample in pair]
        how = f"{len(pair[0])} and {len(pair[1])} models"
        if complexity is None:
            first, second = edf(errors[0]), edf(errors[1])
        else:
            same = equalised([column(sample, complexity) for sample in pair])
            first, second = (edf(e, w) for e, w in zip(errors, same.weights, strict=True))
            how = str(same)
        if hypothesis.kind == "better":
            outcome = lower(first, second)
            needed = models_to_tell(_spread(first, second), -outcome.value) if outcome.value < 0 else None
        else:
            outcome = equal(first, second, MARGIN)
            needed = models_to_equate(_spread(first, second), MARGIN)
        found.append((hypothesis, outcome.value, outcome.p, needed, how))
    corrected: dict[Hypothesis, float] = {}
    for kind in ("better", "equal"):
        mine = [entry for entry in found if entry[0].kind == kind]
        corrected |= dict(zip([e[0] for e in mine], holm([e[2] for e in mine]), strict=True))
    return [
        Finding(hypothesis, difference, p, corrected[hypothesis], needed, how)
        for hypothesis, difference, p, needed, how in found
    ]


def _spread(first: Edf, second: Edf) -> float:
    """The standard deviation of the two together."""
    return float(((first.sd**2 + second.sd**2) / 2) ** 0.5)
