"""Every answer vector in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nas.objectives import Row
from nas.strategies.base import Exhausted, Problem, Proposal, Strategy, given, strategy
from nas.strategies.mutation import Answers, Moves
from search_spaces.choose import Enumerate, Recorder, SpaceError

SKIPS = 25
"""Answer vectors passed over within one ask; the next is proposed as it is, so that the search goes on."""


@strategy("grid", several=True)
class Grid(Strategy):
    """Exhaustive search: all answer vectors in the order of the space's questions.

    Those that are illegal, outside the window or lead to a known network are passed over. The note holds the
    position, counted from 1, from which a restart goes on. A space that asks for real numbers has no such
    order.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.moves = Moves(problem)
        self.position = 0
        self.answers: Answers | None = None  # the vector at that position
        self.walk: Iterator[Recorder] | None = None
        self.some = False  # something was to be trained
        try:
            problem.draw(0, next(iter(Enumerate())))
        except SpaceError as error:
            raise ValueError(str(error)) from error

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`."""
        for _ in range(SKIPS):
            proposal = self._next(trial)
            if self.moves.open(proposal):
                self.some = True
                break
        self.moves.meet(proposal)
        return proposal

    def _next(self, trial: int) -> Proposal:
        problem = self.problem
        if self.walk is None:
            self.walk = iter(Enumerate(problem.domains, self.answers))
            if self.answers is not None:
                problem.draw(trial, next(self.walk))  # which was proposed before
        chooser = next(self.walk, None)
        if chooser is None:
            end = f"all {self.position:,} answer vectors of the space have been gone through"
            none = "" if self.some else f", and none can be trained; the last: {self.moves.refused}"
            raise Exhausted(end + none)
        self.position += 1
        proposal = problem.draw(trial, chooser, note={"by": "grid", "position": self.position})
        if chooser.amended:
            proposal = replace(proposal, note={**proposal.note, "amended": chooser.amended})
        self.answers = given(proposal)
        return proposal

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self.moves.meet(proposal)
        self.some |= proposal.settled is None
        position = proposal.note["position"] if proposal.note.get("by") == "grid" else 0
        if position > self.position:
            self.position, self.answers, self.walk = position, given(proposal), None

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self.adopt(proposal)
