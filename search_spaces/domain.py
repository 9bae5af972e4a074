"""What may be answered: the domain of one question, and the rule for a group of questions."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Scalar = str | int | float | bool | None
"""What an answer may be: a JSON scalar."""


@dataclass(frozen=True)
class Pick:
    """One of several options."""

    options: tuple[Scalar, ...]

    def __str__(self) -> str:
        more = f" and {len(self.options) - 12} more" if len(self.options) > 12 else ""
        return f"one of {', '.join(map(repr, self.options[:12]))}{more}"

    @property
    def size(self) -> int:
        """Number of possible answers."""
        return len(self.options)

    def draw(self, rng: random.Random) -> Scalar:
        """A uniform answer."""
        return rng.choice(self.options)

    def values(self) -> Sequence[Scalar]:
        """All answers in order."""
        return self.options

    def __contains__(self, value: object) -> bool:
        return any(value == option and type(value) is type(option) for option in self.options)


@dataclass(frozen=True)
class Integer:
    """A whole number from lo to hi in steps; `log`: drawn log-uniformly."""

    lo: int
    hi: int
    step: int = 1
    log: bool = False

    @property
    def size(self) -> int:
        """Number of possible answers."""
        return (self.hi - self.lo) // self.step + 1

    def draw(self, rng: random.Random) -> int:
        """An answer; with `log`, a log-uniform real number rounded to the nearest step, as in pycls."""
        if not self.log:
            return self.lo + self.step * rng.randrange(self.size)
        value = math.exp(rng.uniform(math.log(self.lo), math.log(self.hi)))
        return min(
            self.lo + self.step * round((value - self.lo) / self.step), self.lo + self.step * (self.size - 1)
        )

    def values(self) -> Sequence[int]:
        """All answers in order."""
        return range(self.lo, self.hi + 1, self.step)

    def __contains__(self, value: object) -> bool:
        return type(value) is int and self.lo <= value <= self.hi and (value - self.lo) % self.step == 0


@dataclass(frozen=True)
class Real:
    """A real number between lo and hi; `log`: drawn log-uniformly."""

    lo: float
    hi: float
    log: bool = False

    @property
    def size(self) -> None:
        """Not countable."""
        return None

    def draw(self, rng: random.Random) -> float:
        """An answer."""
        if not self.log:
            return rng.uniform(self.lo, self.hi)
        return min(max(math.exp(rng.uniform(math.log(self.lo), math.log(self.hi))), self.lo), self.hi)

    def values(self) -> Sequence[float]:
        """Raises TypeError: real numbers cannot be listed."""
        raise TypeError("real numbers cannot be enumerated")

    def __contains__(self, value: object) -> bool:
        return type(value) in (int, float) and self.lo <= value <= self.hi  # type: ignore[operator]


Domain = Pick | Integer | Real


class Group(Protocol):
    """A rule for the answers to several questions that share one domain; a value (hashable).

    What satisfies a rule satisfies it up to every earlier answer, so that a group can be given up early.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The questions, in order."""

    def holds(self, values: Sequence[Scalar]) -> bool:
        """Whether the answers to the first questions of the group keep the rule."""

    def mend(self, values: Sequence[Scalar]) -> list[Scalar]:
        """Answers that keep the rule, made of these."""

    def count(self, domain: Domain) -> int | None:
        """How many answers to the whole group keep the rule; None: not countable."""
