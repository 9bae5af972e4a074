"""Choosers: who answers the questions that a search space asks.

A search space is a function that draws a genome from the answers to its questions. The domain of a
question is a function of its name alone, so spaces can be counted, replayed and given to any sampler;
whether a question is asked may depend on earlier answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from cells.ops import Invalid
from search_spaces.domain import Domain, Group, Integer, Pick, Real, Scalar

S = TypeVar("S", str, int, float, bool, "str | None", "int | None")


class SpaceError(TypeError):
    """A mistake in a space's own code: a question without options, asked twice, with a moving domain."""


class ReplayError(ValueError):
    """A record that does not answer a question of the space, or answers it outside its domain."""


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
        groups: the groups of questions that were answered together.
        amended: answers that the space took for others, as they were given.

    Raises:
        SpaceError: from the questions, when the space makes a mistake.
    """

    def __init__(self, domains: dict[str, Domain] | None = None) -> None:
        self.record: dict[str, Scalar] = {}
        self.domains: dict[str, Domain] = {} if domains is None else domains
        self.groups: list[Group] = []
        self.amended: dict[str, Scalar] = {}

    def answer(self, name: str, domain: Domain) -> Scalar:
        """The answer to one question. To be given by subclasses."""
        raise TypeError(f"{type(self).__name__} does not answer")

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """The answers to a group of questions: each by itself, then made to keep the rule."""
        return group.mend([self.answer(name, domain) for name in group.names])

    def ask(self, name: str, domain: Domain) -> Scalar:
        """Asks one question of that domain."""
        self._admit(name, domain)
        value = self.record[name] = self.answer(name, domain)
        return value

    def ask_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """Asks all questions of a group, which have one domain, at once."""
        for name in group.names:
            self._admit(name, domain)
        values = self.answer_group(group, domain)
        self.record.update(zip(group.names, values, strict=True))
        self.groups.append(group)
        return values

    def amend(self, name: str, value: Scalar) -> None:
        """Takes an answer for another one, which is what the record then holds."""
        self.amended[name], self.record[name] = self.record[name], value

    def _admit(self, name: str, domain: Domain) -> None:
        if name in self.record:
            raise SpaceError(f"question {name!r} is asked twice in one draw: give each question its own name")
        known = self.domains.setdefault(name, domain)
        if known != domain:
            raise SpaceError(
                f"question {name!r} has another domain than before ({domain} instead of {known}): "
                "a domain may depend on the question's name alone"
            )

    def pick(self, name: str, options: Sequence[S]) -> S:
        """See `Chooser`."""
        if not options:
            raise SpaceError(f"question {name!r} has no options")
        if any(not isinstance(option, Scalar) for option in options):
            raise SpaceError(f"question {name!r}: options must be JSON scalars, not {list(options)!r}")
        domain = Pick(tuple(options))
        if len({(type(option), option) for option in options}) < len(options):
            raise SpaceError(f"question {name!r}: an option is listed twice: {list(options)!r}")
        return self.ask(name, domain)  # type: ignore[return-value]

    def integer(self, name: str, lo: int, hi: int, step: int = 1, log: bool = False) -> int:
        """See `Chooser`."""
        if hi < lo or step < 1 or (log and lo < 1):
            raise SpaceError(f"question {name!r}: no whole numbers from {lo} to {hi} in steps of {step}")
        return self.ask(name, Integer(lo, hi, step, log))  # type: ignore[return-value]

    def real(self, name: str, lo: float, hi: float, log: bool = False) -> float:
        """See `Chooser`."""
        if hi < lo or (log and lo <= 0):
            raise SpaceError(f"question {name!r}: no real numbers from {lo} to {hi}")
        return self.ask(name, Real(lo, hi, log))  # type: ignore[return-value]


class Random(Recorder):
    """Answers each question from its own distribution, independently."""

    def __init__(self, seed: int | str | random.Random, domains: dict[str, Domain] | None = None) -> None:
        super().__init__(domains)
        self.rng = seed if isinstance(seed, random.Random) else random.Random(seed)

    def answer(self, name: str, domain: Domain) -> Scalar:
        """See `Recorder`."""
        return domain.draw(self.rng)

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """Rejects the answers until they keep the rule, which keeps their distribution."""
        for _ in range(TRIES):
            values: list[Scalar] = []
            for _ in group.names:
                values.append(domain.draw(self.rng))
                if not group.holds(values):
                    break
            else:
                return values
        raise SpaceError(
            f"{TRIES:,} random answers to {', '.join(group.names)} are not {group}: the group is too long"
        )


TRIES = 1_000_000
"""Random answers after which a group of questions is given up."""


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

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """See `Recorder`; a strict replay refuses a record that does not keep the rule."""
        values = [self.answer(name, domain) for name in group.names]
        if self.otherwise is None and not group.holds(values):
            raise ReplayError(f"the recorded answers {values} to {', '.join(group.names)} are not {group}")
        return group.mend(values)

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

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """See `Recorder`: as they are given."""
        return [self.answer(name, domain) for name in group.names]


class Enumerate:
    """Goes through all answer vectors of a space, depth first, in the order of its questions.

    >>> for chooser in Enumerate():
    ...     genome = my_space(chooser)

    Args:
        domains: see `Recorder`.
        first: the record of the answer vector to begin at; without it, the first of all.
    """

    def __init__(
        self, domains: dict[str, Domain] | None = None, first: Mapping[str, Scalar] | None = None
    ) -> None:
        self.domains: dict[str, Domain] = {} if domains is None else domains
        self.first = first

    def __iter__(self) -> Iterator[Recorder]:
        """One chooser for each answer vector; the draw must be made before the next is taken."""
        path: list[tuple[Sequence[Scalar], int]] = []
        first = self.first
        while True:
            walk = _Walk(path, self.domains, first)
            yield walk
            first = None
            del path[walk.depth :]
            while path and path[-1][1] + 1 >= len(path[-1][0]):
                path.pop()
            if not path:
                return
            values, index = path[-1]
            path[-1] = (values, index + 1)


class _Walk(Recorder):
    """Answers as a path through the tree of answers says, which it extends by those of a record or by first
    ones.
    """

    def __init__(
        self,
        path: list[tuple[Sequence[Scalar], int]],
        domains: dict[str, Domain],
        record: Mapping[str, Scalar] | None,
    ) -> None:
        super().__init__(domains)
        self.path = path
        self.given = None if record is None else Replay(record)
        self.depth = 0

    def answer(self, name: str, domain: Domain) -> Scalar:
        if self.depth == len(self.path):
            self._extend(name, domain, lambda value: True)
        values, index = self.path[self.depth]
        self.depth += 1
        return values[index]

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        found: list[Scalar] = []
        for name in group.names:
            if self.depth == len(self.path):
                self._extend(name, domain, lambda value: group.holds([*found, value]))
            found.append(self.answer(name, domain))
        return found

    def _extend(self, name: str, domain: Domain, legal: Callable[[Scalar], bool]) -> None:
        if domain.size is None:
            raise SpaceError(f"question {name!r} asks for a real number, and these cannot be enumerated")
        values = [value for value in domain.values() if legal(value)]
        first = 0
        if self.given is not None:
            given = self.given.answer(name, domain)
            first = next(i for i, value in enumerate(values) if value == given and type(value) is type(given))
        self.path.append((values, first))


__all__ = [
    "Chooser",
    "Domain",
    "Enumerate",
    "Fixed",
    "Group",
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
