"""The largest networks first: a strategy that looks at nothing but size."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from itertools import count

from nas.objectives import Row
from nas.strategies.base import Exhausted, Problem, Proposal, Strategy, strategy
from nas.strategies.mutation import Answers, Moves
from nas.strategies.random import RandomSearch
from search_spaces.census import sample, size
from search_spaces.choose import Enumerate

COUNTABLE = 20_000
"""Answer vectors up to which a space is gone through."""

STARTS, STEPS = 10, 100
"""Of a climb: random networks that it begins with, and mutations."""

Sized = tuple[int, Answers]
"""(minus the number of parameters, answers): the largest network is the first."""


@strategy("largest", several=True)
class Largest(Strategy):
    """The networks with the most parameters inside the window, the largest first.

    It learns nothing, and is here because it is embarrassing: the largest cell of NAS-Bench-201 is better
    than what most published searches find there. A strategy that does not beat it has found out, at best,
    that size helps. Small spaces are gone through. In others the number of parameters is climbed by mutation
    before the first proposal, and again whenever all that was found is used up.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.moves = Moves(problem)
        self.order: Iterator[Sized] | None = None

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`."""
        self.order = self.order or self._order()
        for params, answers in self.order:
            note = {"by": "largest", "params": -params}
            found = self.moves.make(trial, answers, self.problem.generator(trial), note=note)
            if found is not None:
                self.moves.meet(found)
                return found
        none = f"no network of the space can be trained; the last: {self.moves.refused}"
        raise Exhausted("all networks that could be found were proposed" if self.moves.known else none)

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self.moves.meet(proposal)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self.moves.meet(proposal)

    def _order(self) -> Iterator[Sized]:
        space = self.problem.space
        vectors = size(space, sample(space, 100), COUNTABLE).vectors
        return iter(self._all()) if vectors is not None and vectors <= COUNTABLE else self._climbs()

    def _all(self) -> list[Sized]:
        """All answer vectors."""
        found: list[Sized] = []
        for chooser in Enumerate(self.problem.domains):
            drawn = self.problem.draw(0, chooser)
            if drawn.genome is not None:
                found.append((-self.problem.costs(drawn).params, drawn.choices))
        return sorted(found, key=_params)

    def _climbs(self) -> Iterator[Sized]:
        """What each climb finds, until one finds nothing new."""
        random, moves = RandomSearch(self.problem), Moves(self.problem)
        known: list[Sized] = []
        for climb in count():
            rng = self.problem.generator(climb, "largest")
            found: list[Sized] = []
            for i in range(STARTS + STEPS):
                if i < STARTS:
                    drawn: Proposal | None = random.ask(STARTS * climb + i)
                else:
                    _, answers = known[int(len(known) * rng.random() ** 3)]  # mostly one of the largest
                    drawn = moves.mutate(climb, answers, rng, note={})
                if drawn is not None and moves.open(drawn):
                    moves.meet(drawn)
                    found.append((-self.problem.costs(drawn).params, drawn.choices))
                    insort(known, found[-1], key=_params)
            if not found:
                return
            yield from sorted(found, key=_params)


def _params(sized: Sized) -> int:
    return sized[0]
