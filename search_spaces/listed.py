"""Spaces known by their answers: one that remembers its draws, and one that is a list of answer records."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cells.genome import Genome
from cells.ops import Invalid
from search_spaces.choose import Chooser, Recorder, Replay, SpaceError
from search_spaces.domain import Domain, Group, Integer, Pick, Real, Scalar
from search_spaces.registry import Space

Answer = tuple[type, Scalar]


@dataclass
class Place:
    """A place in the tree of answers: a question (or a group of them) to ask, or what all answers led to.

    Attributes:
        names: asked here; none at a leaf.
        next: the place that each answer leads to.
        found: at a leaf, what was drawn: a genome, the reason why there is none, or the number of a record.
    """

    names: tuple[str, ...] = ()
    domain: Domain | None = None
    group: Group | None = None
    next: dict[tuple[Answer, ...], Place] = field(default_factory=dict)
    found: Genome | Invalid | int | None = None

    def ask(self, choose: Recorder) -> tuple[Answer, ...]:
        """What the chooser answers here."""
        assert self.domain is not None
        if self.group is not None:
            return _answers(choose.ask_group(self.group, self.domain))
        return _answers([choose.ask(self.names[0], self.domain)])


def _answers(values: Sequence[Scalar]) -> tuple[Answer, ...]:
    """Answers as keys of a dictionary, in which 1, 1.0 and true are three."""
    return tuple((type(value), value) for value in values)


class _Watch(Recorder):
    """Notes the questions of a draw while another chooser answers those that it has not answered yet."""

    def __init__(self, chooser: Recorder) -> None:
        super().__init__(chooser.domains)
        self.chooser = chooser
        self.asked: list[tuple[tuple[str, ...], Domain, Group | None]] = []

    def ask(self, name: str, domain: Domain) -> Scalar:
        """See `Recorder`."""
        self._admit(name, domain)
        known = self.chooser.record
        value = self.record[name] = known[name] if name in known else self.chooser.ask(name, domain)
        self.asked.append(((name,), domain, None))
        return value

    def ask_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """See `Recorder`."""
        for name in group.names:
            self._admit(name, domain)
        if group.names[0] not in self.chooser.record:
            self.chooser.ask_group(group, domain)
        values = [self.chooser.record[name] for name in group.names]
        self.record.update(zip(group.names, values, strict=True))
        self.asked.append((group.names, domain, group))
        return values


def remembering(space: Space, limit: int = 20_000) -> Space:
    """The space, with its draws remembered: answers given before lead to their genome at once.

    For searches of a table, which draw the same few thousand networks over and over.

    Args:
        limit: draws that are remembered; a genome takes tens of kilobytes.
    """
    root = Place()
    left = limit

    def draw(choose: Chooser, **arguments: Any) -> Genome:
        nonlocal left
        assert isinstance(choose, Recorder)
        place = root
        while place.names:
            further = place.next.get(place.ask(choose))
            if further is None:
                break
            place = further
        if place.names or place.found is None:
            left -= 1
            return _extend(space, root if left >= 0 else Place(), choose)
        if isinstance(place.found, Invalid):
            raise Invalid(str(place.found), violation=place.found.violation)
        assert isinstance(place.found, Genome)
        return place.found

    draw.__doc__ = space.function.__doc__
    return replace(space, function=draw, all_live=False)


def _extend(space: Space, root: Place, choose: Recorder) -> Genome:
    """Draws with answers that have not been seen together, and remembers what they led to."""
    watch = _Watch(choose)
    found: Genome | Invalid
    try:
        found = space.draw(watch)
    except Invalid as error:
        found = error
    place = root
    for names, domain, group in watch.asked:
        place.names, place.domain, place.group = names, domain, group
        place = place.next.setdefault(_answers([watch.record[name] for name in names]), Place())
    place.found = found
    if isinstance(found, Invalid):
        raise found
    return found


class Listed:
    """A list of answer records as a space: answers that are not in it stand for the nearest that are.

    Each question keeps its whole domain, so that any strategy can answer it; the answer is taken for the
    nearest one among the records that agree with all answers before, and amended to that.
    """

    def __init__(
        self,
        records: Sequence[Mapping[str, Scalar]],
        domains: Mapping[str, Domain],
        draw: Callable[[int], Genome],
    ) -> None:
        self.domains = domains
        self.genomes: dict[int, Genome] = {}
        self.make = draw
        self.root = Place()
        for number, record in enumerate(records):
            place = self.root
            for name, value in record.items():
                if place.names not in ((), (name,)) or place.found is not None:
                    raise SpaceError(f"record {number} asks {name!r} where others do not")
                place.names, place.domain = (name,), domains[name]
                place = place.next.setdefault(_answers([value]), Place())
            if place.names:
                raise SpaceError(f"record {number} ends where others ask {place.names[0]!r}")
            place.found = number

    def number(self, choose: Recorder) -> int:
        """The record that the answers stand for."""
        place = self.root
        while place.names:
            answer = place.ask(choose)
            if answer not in place.next:
                assert place.domain is not None
                domain, value = place.domain, answer[0][1]
                answer = min(place.next, key=lambda known: _distance(domain, value, known[0][1]))
                choose.amend(place.names[0], answer[0][1])
            place = place.next[answer]
        assert isinstance(place.found, int)
        return place.found

    def record_of(self, choices: Mapping[str, Scalar]) -> int:
        """The record for which recorded answers stand."""
        return self.number(Replay(choices))

    def draw(self, choose: Chooser, **arguments: Any) -> Genome:
        """A row's network; whatever the arguments, which are those of the space that it is drawn from."""
        assert isinstance(choose, Recorder)
        number = self.number(choose)
        if number not in self.genomes:
            self.genomes[number] = self.make(number)
        return self.genomes[number]


def _distance(domain: Domain, value: Scalar, other: Scalar) -> float:
    """How far two answers are apart; options by their places in the list."""
    if isinstance(domain, Pick):
        return abs(domain.options.index(value) - domain.options.index(other))
    assert isinstance(domain, Integer | Real)
    assert isinstance(value, int | float)
    assert isinstance(other, int | float)
    return abs(math.log(value / other)) if domain.log else abs(value - other)
