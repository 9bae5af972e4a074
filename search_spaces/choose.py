"""Choosers: who answers the questions that a search space asks.

A search space is a function that draws a genome from the answers to its questions. The domain of a
question is a function of its name alone, so spaces can be counted, replayed and given to any sampler;
whether a question is asked may depend on earlier answers.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cells.ops import Invalid

Scalar = str | int | float | bool | None
"""What an answer may be: a JSON scalar."""

S = TypeVar("S", str, int, float, bool, "str | None", "int | None")


class SpaceError(TypeError):
    """A mistake in a space's own code: a question without options, asked twice, with a moving domain."""


class ReplayError(ValueError):
    """A record that does not answer a question of the space, or answers it outside its domain."""


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

    def values(self) -> Iterator[Scalar]:
        """All answers in order."""
        return iter(self.options)

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

    def values(self) -> Iterator[int]:
        """All answers in order."""
        return iter(range(self.lo, self.hi + 1, self.step))

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

    def values(self) -> Iterator[float]:
        """Raises TypeError: real numbers cannot be listed."""
        raise TypeError("real numbers cannot be enumerated")

    def __contains__(self, value: object) -> bool:
        return type(value) in (int, float) and self.lo <= value <= self.hi  # type: ignore[operator]


Domain = Pick | Integer | Real


class Chooser(Protocol):
    """Answers questions. Names are unique within one draw; paths such as `stage2.depth` by convention."""

    def pick(self, name: str, options: Sequence[S]) -> S:
        """One of the options (JSON scalars)."""

    def integer(self, name: str, lo: int, hi: int, step: int = 1, log: bool = False) -> int:
        """A whole number lo, lo + step, … <= hi."""

    def real(self, name: str, lo: float, hi: float, log: bool = False) -> float:
        """A real number between lo and hi."""


class Recorder:
    """Base of all choosers: checks each question, has `answer` answer it, and keeps what was said.

    Attributes:
        record: answers by name, in the order of asking; all that is needed to draw the genome again.
        domains: domains of the questions by name. Choosers that are to notice a domain which moves from
            one draw to the next share it.

    Raises:
        SpaceError: from the questions, when the space makes a mistake.
    """

    def __init__(self, domains: dict[str, Domain] | None = None) -> None:
        self.record: dict[str, Scalar] = {}
        self.domains: dict[str, Domain] = {} if domains is None else domains

    def answer(self, name: str, domain: Domain) -> Scalar:
        """The answer to one question. To be given by subclasses."""
        raise TypeError(f"{type(self).__name__} does not answer")

    def _ask(self, name: str, domain: Domain) -> Scalar:
        if name in self.record:
            raise SpaceError(f"question {name!r} is asked twice in one draw: give each question its own name")
        known = self.domains.setdefault(name, domain)
        if known != domain:
            raise SpaceError(
                f"question {name!r} has another domain than before ({domain} instead of {known}): "
                "a domain may depend on the question's name alone"
            )
        value = self.record[name] = self.answer(name, domain)
        return value

    def pick(self, name: str, options: Sequence[S]) -> S:
        """See `Chooser`."""
        if not options:
            raise SpaceError(f"question {name!r} has no options")
        if any(not isinstance(option, Scalar) for option in options):
            raise SpaceError(f"question {name!r}: options must be JSON scalars, not {list(options)!r}")
        domain = Pick(tuple(options))
        if len({json.dumps(option) for option in options}) < len(options):
            raise SpaceError(f"question {name!r}: an option is listed twice: {list(options)!r}")
        return self._ask(name, domain)  # type: ignore[return-value]

    def integer(self, name: str, lo: int, hi: int, step: int = 1, log: bool = False) -> int:
        """See `Chooser`."""
        if hi < lo or step < 1 or (log and lo < 1):
            raise SpaceError(f"question {name!r}: no whole numbers from {lo} to {hi} in steps of {step}")
        return self._ask(name, Integer(lo, hi, step, log))  # type: ignore[return-value]

    def real(self, name: str, lo: float, hi: float, log: bool = False) -> float:
        """See `Chooser`."""
        if hi < lo or (log and lo <= 0):
            raise SpaceError(f"question {name!r}: no real numbers from {lo} to {hi}")
        return self._ask(name, Real(lo, hi, log))  # type: ignore[return-value]


class Random(Recorder):
    """Answers each question from its own distribution, independently."""

    def __init__(self, seed: int | str | random.Random, domains: dict[str, Domain] | None = None) -> None:
        super().__init__(domains)
        self.rng = seed if isinstance(seed, random.Random) else random.Random(seed)

    def answer(self, name: str, domain: Domain) -> Scalar:
        """See `Recorder`."""
        return domain.draw(self.rng)


class Replay(Recorder):
    """Gives the answers of a record again.

    Strict (no `otherwise`): a question that the record does not answer legally raises ReplayError, and so
    does `finish` when answers are left over. Lenient: `otherwise` is asked instead, so that as much of the
    record as still applies is kept.
    """

    def __init__(
        self,
        record: Mapping[str, Scalar],
        otherwise: Recorder | None = None,
        domains: dict[str, Domain] | None = None,
    ) -> None:
        super().__init__(domains)
        self.given = record
        self.otherwise = otherwise

    def answer(self, name: str, domain: Domain) -> Scalar:
        """See `Recorder`."""
        if name in self.given and self.given[name] in domain:
            return self.given[name]
        if self.otherwise is not None:
            return self.otherwise.answer(name, domain)
        if name not in self.given:
            raise ReplayError(f"the record has no answer to {name!r}")
        raise ReplayError(f"the recorded answer {self.given[name]!r} to {name!r} is not in {domain}")

    def finish(self) -> None:
        """Raises ReplayError when the draw did not ask for every answer of the record."""
        left = [name for name in self.given if name not in self.record]
        if left and self.otherwise is None:
            raise ReplayError(f"the space does not ask {left[0]!r}, which the record answers")


class Fixed(Recorder):
    """Gives fixed answers, inside the domain or not: published settings outrange the published ranges."""

    def __init__(self, **answers: Scalar) -> None:
        super().__init__()
        self.answers = answers

    def answer(self, name: str, domain: Domain) -> Scalar:
        """See `Recorder`."""
        if name not in self.answers:
            raise ReplayError(f"no answer to {name!r} is given")
        return self.answers[name]


class Enumerate:
    """Goes through all answer vectors of a space, depth first, in the order of its questions.

    >>> for chooser in Enumerate():
    ...     genome = my_space(chooser)
    """

    def __iter__(self) -> Iterator[Recorder]:
        """One chooser for each answer vector; the draw must be made before the next is taken."""
        path: list[tuple[Domain, int]] = []
        domains: dict[str, Domain] = {}
        while True:
            walk = _Walk(path, domains)
            yield walk
            del path[walk.depth :]
            while path and path[-1][1] + 1 >= (path[-1][0].size or 0):
                path.pop()
            if not path:
                return
            domain, index = path[-1]
            path[-1] = (domain, index + 1)


class _Walk(Recorder):
    def __init__(self, path: list[tuple[Domain, int]], domains: dict[str, Domain]) -> None:
        super().__init__(domains)
        self.path = path
        self.depth = 0

    def answer(self, name: str, domain: Domain) -> Scalar:
        if self.depth == len(self.path):
            domain.values()  # raises for real numbers
            self.path.append((domain, 0))
        index = self.path[self.depth][1]
        self.depth += 1
        if isinstance(domain, Integer):
            return domain.lo + domain.step * index
        assert isinstance(domain, Pick)
        return domain.options[index]


__all__ = [
    "Chooser",
    "Domain",
    "Enumerate",
    "Fixed",
    "Integer",
    "Invalid",
    "Pick",
    "Random",
    "Real",
    "Recorder",
    "Replay",
    "ReplayError",
    "Scalar",
    "SpaceError",
]
