"""Constraints on groups of questions: a space under them is a smaller space.

Each wraps a chooser, and a space that is handed the wrapped one cannot tell:

>>> @space()
... def anynet_f(choose, **arguments):
...     return anynet_e(within(choose, each("d"), 2, 8), **arguments)

AnyNet B to E are AnyNet A under `tie` and `increasing` (Radosavovic et al. 2020, arXiv:2003.13678, section
3.2). The questions of a group have one domain, and keep it. What is recorded are the answers the space got.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from search_spaces.choose import Chooser, Recorder, SpaceError
from search_spaces.domain import Domain, Group, Integer, Pick, Real, Scalar


def tie(choose: Chooser, names: Sequence[str]) -> Chooser:
    """One answer for the whole group: only its first question is asked. It counts as one question."""
    return _Tied(choose, names)


def increasing(choose: Chooser, names: Sequence[str]) -> Chooser:
    """Answers that never fall along the group; C(n + k - 1, k) of them for k questions of n answers.

    All are asked at once, when the space asks the first. Random answers are rejected until they are in
    order, which gives what the paper's rejection gives (at the cost of about k! draws); a strategy's answers
    are sorted.
    """
    return _Ordered(choose, Increasing(tuple(names)))


def decreasing(choose: Chooser, names: Sequence[str]) -> Chooser:
    """Answers that never rise along the group; see `increasing`."""
    return _Ordered(choose, Decreasing(tuple(names)))


def within(choose: Chooser, names: Sequence[str], lo: float, hi: float) -> Chooser:
    """Answers from lo to hi only: the questions are asked with what is left of their domain."""
    return _Narrowed(choose, names, lo, hi)


@dataclass(frozen=True)
class Increasing:
    """The rule of `increasing`."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "increasing"

    def holds(self, values: Sequence[Scalar]) -> bool:
        """See `Group`."""
        return all(a <= b for a, b in pairwise(values))  # type: ignore[operator]

    def mend(self, values: Sequence[Scalar]) -> list[Scalar]:
        """See `Group`: sorted."""
        return sorted(values)  # type: ignore[type-var]

    def count(self, domain: Domain) -> int | None:
        """See `Group`."""
        n, k = domain.size, len(self.names)
        return None if n is None else math.comb(n + k - 1, k)


class Decreasing(Increasing):
    """The rule of `decreasing`."""

    def __str__(self) -> str:
        return "decreasing"

    def holds(self, values: Sequence[Scalar]) -> bool:
        """See `Group`."""
        return super().holds(values[::-1])

    def mend(self, values: Sequence[Scalar]) -> list[Scalar]:
        """See `Group`: sorted, the largest first."""
        return super().mend(values)[::-1]


class _Wrapper(Recorder):
    """Hands questions on to the chooser that it wraps, but for those of its group."""

    def __init__(self, choose: Chooser, names: Sequence[str]) -> None:
        super().__init__()
        if not isinstance(choose, Recorder):
            raise SpaceError(f"a constraint wraps the chooser that a space is given, not {choose!r}")
        if isinstance(names, str) or not names or len(set(names)) < len(names):
            raise SpaceError(f"a constraint needs a list of different questions, not {names!r}")
        self.inner = choose
        self.names = tuple(names)

    def answer(self, name: str, domain: Domain) -> Scalar:
        if name not in self.names:
            return self.inner.ask(name, domain)
        first = next((other for other in self.names if other in self.domains), name)
        if self.domains[first] != domain:
            raise SpaceError(
                f"questions {first!r} and {name!r} stand under one constraint, so their domains must be the "
                f"same, not {self.domains[first]} and {domain}"
            )
        return self.member(name, domain)

    def member(self, name: str, domain: Domain) -> Scalar:
        """The answer to a question of the group."""
        raise NotImplementedError

    def ask_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """For another constraint around this one."""
        shared = sorted(set(self.names) & set(group.names))
        if shared:
            raise SpaceError(f"question {shared[0]!r} stands under two constraints that cannot be combined")
        return self.inner.ask_group(group, domain)


class _Tied(_Wrapper):
    value: Scalar = None

    def member(self, name: str, domain: Domain) -> Scalar:
        if not self.record.keys() & set(self.names):
            self.value = self.inner.ask(self.names[0], domain)
        return self.value


class _Ordered(_Wrapper):
    def __init__(self, choose: Chooser, group: Group) -> None:
        super().__init__(choose, group.names)
        self.group = group
        self.values: dict[str, Scalar] = {}

    def member(self, name: str, domain: Domain) -> Scalar:
        if not self.values:
            answers = self.inner.ask_group(self.group, domain)
            self.values = dict(zip(self.names, answers, strict=True))
        return self.values[name]


class _Narrowed(_Wrapper):
    def __init__(self, choose: Chooser, names: Sequence[str], lo: float, hi: float) -> None:
        super().__init__(choose, names)
        self.lo, self.hi = lo, hi

    def answer(self, name: str, domain: Domain) -> Scalar:
        return self.inner.ask(name, self._narrow(name, domain) if name in self.names else domain)

    def ask_group(self, group: Group, domain: Domain) -> list[Scalar]:
        if set(group.names) <= set(self.names):
            domain = self._narrow(group.names[0], domain)
            return self.inner.ask_group(group, domain)
        return super().ask_group(group, domain)

    def _narrow(self, name: str, domain: Domain) -> Domain:
        found: Domain
        if isinstance(domain, Pick):
            kept = [option for option in domain.options if self.lo <= option <= self.hi]  # type: ignore[operator]
            found, empty = Pick(tuple(kept)), not kept
        elif isinstance(domain, Integer):
            values = domain.values()
            low = next((v for v in values if v >= self.lo), values[-1])
            high = next((v for v in reversed(values) if v <= self.hi), values[0])
            found, empty = Integer(low, high, domain.step, domain.log), not self.lo <= low <= high <= self.hi
        else:
            found = Real(max(domain.lo, self.lo), min(domain.hi, self.hi), domain.log)
            empty = found.lo > found.hi
        if empty:
            raise SpaceError(f"question {name!r}: {domain} has nothing from {self.lo} to {self.hi}")
        return found
