"""Questions as a policy sees them: so many possible answers, each with a prior and a vector of features."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from search_spaces.choose import Domain, Integer, Pick, Scalar

if TYPE_CHECKING:
    import numpy

PARTS = 64
"""Answers of a question at most, unless it lists more: longer ranges are cut into so many parts."""

WAVES = 8
"""Features of an ordered answer at most."""


class Question:
    """The answers to a question of one domain, numbered.

    The options of a `Pick` have nothing in common: features are the identity. The numbers of an `Integer` or
    a `Real` are ordered, and what is learned of one is to hold for its neighbours: features are the first
    cosines over the range. A range of more than 64 numbers is cut into parts of equal probability, and an
    answer within a part is uniform.

    Attributes:
        domain: of the question.
        size: number of answers, n.
        prior: (n,) logarithms of their probabilities under the domain's own distribution.
        features: (n, k), rows of about unit length.
    """

    def __init__(self, domain: Domain) -> None:
        import numpy as np

        self.domain = domain
        self.edges: list[float] = []  # part i of a range holds what lies from edge i to below edge i + 1
        self.numbers: dict[tuple[type, Scalar], int] = {}
        if isinstance(domain, Pick):
            self.numbers = {(type(option), option): i for i, option in enumerate(domain.options)}
            shares = [1.0] * domain.size
        elif isinstance(domain, Integer):
            if domain.size <= PARTS:
                self.edges = [float(i) for i in range(domain.size + 1)]
            else:
                cuts = {_step_at(domain, i / PARTS) for i in range(1, PARTS)}
                self.edges = [0.0, *sorted(cuts - {0, domain.size}), float(domain.size)]
            below = [_share_below(domain, int(edge)) for edge in self.edges]
            shares = [high - low for low, high in pairwise(below)]
        else:
            parts = PARTS if domain.lo < domain.hi else 1
            self.edges = [i / parts for i in range(parts + 1)]
            shares = [1.0] * parts
        self.size = len(shares)
        self.prior: numpy.ndarray[Any, Any] = np.log(np.array(shares, np.float32) / sum(shares))
        self.features: numpy.ndarray[Any, Any] = np.eye(self.size, dtype=np.float32)
        if self.edges and self.size > 1:
            waves = np.arange(1, min(self.size - 1, WAVES) + 1)
            middles = (np.arange(self.size) + 0.5) / self.size
            cosines = np.cos(np.pi * middles[:, None] * waves)
            self.features = (math.sqrt(2 / len(waves)) * cosines).astype(np.float32)

    def number(self, value: Scalar) -> int:
        """The number of an answer. Raises ValueError when it is not in the domain."""
        if value not in self.domain:
            raise ValueError(f"{value!r} is not {self.domain}")
        if isinstance(self.domain, Pick):
            return self.numbers[type(value), value]
        assert isinstance(value, int | float)
        if isinstance(self.domain, Integer):
            place = float((value - self.domain.lo) // self.domain.step)
        elif self.domain.lo == self.domain.hi:
            place = 0.0
        elif self.domain.log:
            place = math.log(value / self.domain.lo) / math.log(self.domain.hi / self.domain.lo)
        else:
            place = (value - self.domain.lo) / (self.domain.hi - self.domain.lo)
        return min(max(bisect_right(self.edges, place) - 1, 0), self.size - 1)

    def value(self, number: int, generator: random.Random) -> Scalar:
        """The answer of that number; one of them where the number stands for a part of a range."""
        domain = self.domain
        if isinstance(domain, Pick):
            return domain.options[number]
        low, high = self.edges[number], self.edges[number + 1]
        if isinstance(domain, Integer):
            step = int(low) if high == low + 1 else generator.randrange(int(low), int(high))
            return domain.lo + domain.step * step
        place = low + (high - low) * generator.random()
        if domain.log:
            return min(max(domain.lo * math.pow(domain.hi / domain.lo, place), domain.lo), domain.hi)
        return min(domain.lo + (domain.hi - domain.lo) * place, domain.hi)


def _step_at(domain: Integer, share: float) -> int:
    """The number of steps from `lo` to where that share of the domain's distribution lies below."""
    if not domain.log:
        return round(share * domain.size)
    value = domain.lo * math.pow(domain.hi / domain.lo, share)
    return min(round((value - domain.lo) / domain.step), domain.size)


def _share_below(domain: Integer, step: int) -> float:
    """The probability of an answer of fewer steps (see `Integer.draw`, which rounds)."""
    if step in (0, domain.size) or not domain.log:
        return step / domain.size
    edge = domain.lo + domain.step * (step - 0.5)
    return min(math.log(edge / domain.lo) / math.log(domain.hi / domain.lo), 1.0)
