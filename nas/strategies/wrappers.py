"""Wrappers of strategies: what every search does with proposals, whoever makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.objectives import Row
from nas.strategies.base import (
    Exhausted,
    Problem,
    Proposal,
    Settled,
    Strategy,
    Wait,
    settle,
)
from search_spaces.choose import Replay, Scalar

IN_A_ROW = 1000
"""Settled proposals one after another that end a search."""


class Seeded:
    """Proposes given answers first, each with the note that says where they are from."""

    def __init__(
        self,
        inner: Strategy,
        problem: Problem,
        points: Sequence[tuple[Mapping[str, Scalar], Mapping[str, Any]]],
    ) -> None:
        self.inner = inner
        self.problem = problem
        self.points = points

    def ask(self, trial: int) -> Proposal | Wait:
        """See `Strategy`: trial i is the i-th of the points."""
        if trial < len(self.points):
            choices, note = self.points[trial]
            chooser = Replay(choices, domains=self.problem.domains)
            return self.problem.draw(trial, chooser, note=dict(note))
        return self.inner.ask(trial)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self.inner.tell(proposal, row)

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self.inner.adopt(proposal)


class Constrain:
    """Settles proposals outside the window as rejected."""

    def __init__(self, inner: Strategy, problem: Problem) -> None:
        self.inner = inner
        self.problem = problem

    def ask(self, trial: int) -> Proposal | Wait:
        """See `Strategy`."""
        proposal = self.inner.ask(trial)
        if isinstance(proposal, Wait) or proposal.settled is not None:
            return proposal
        off = self.problem.violation(proposal)
        return proposal if off is None else settle(proposal, Settled("rejected", *off))

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self.inner.tell(proposal, row)

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self.inner.adopt(proposal)


class Dedup:
    """Settles networks that were proposed before as duplicates; ends a search that makes nothing else.

    A duplicate of a running trial is told when that one ends. With `repeats` there are no duplicates:
    networks are trained as often as they are proposed, as in most published searches.
    """

    def __init__(self, inner: Strategy, *, repeats: bool = False) -> None:
        self.inner = inner
        self.repeats = repeats
        self.first: dict[str, int] = {}  # key -> the trial that trains it
        self.settled_in_a_row = 0
        self.counted = -1  # the last trial that was, when it was asked for or, after a restart, told

    def ask(self, trial: int) -> Proposal | Wait:
        """See `Strategy`."""
        proposal = self.inner.ask(trial)
        if isinstance(proposal, Wait):
            return proposal
        if proposal.settled is None:
            assert proposal.genome is not None
            first = self.first.setdefault(proposal.genome.key, trial)
            if first != trial and not self.repeats:
                reason = f"the same network as trial {first}"
                proposal = settle(proposal, Settled("duplicate", reason, of=first))
        self._count(proposal)
        if self.settled_in_a_row > IN_A_ROW:
            assert proposal.settled is not None
            raise Exhausted(
                f"{IN_A_ROW:,} proposals in a row needed no training, the last because it was "
                f"{proposal.settled.status} ({proposal.settled.reason})"
            )
        return proposal

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self._know(proposal)
        self.inner.adopt(proposal)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self._know(proposal)
        self.inner.tell(proposal, row)

    def _count(self, proposal: Proposal) -> None:
        if proposal.trial > self.counted:
            self.counted = proposal.trial
            self.settled_in_a_row = 0 if proposal.settled is None else self.settled_in_a_row + 1

    def _know(self, proposal: Proposal) -> None:
        self._count(proposal)
        if proposal.settled is None and proposal.genome is not None:
            self.first.setdefault(proposal.genome.key, proposal.trial)
