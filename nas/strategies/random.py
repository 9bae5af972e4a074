"""Random search: the baseline that stands beside everything."""

from __future__ import annotations

from nas.strategies.base import Exhausted, Problem, Proposal, Strategy, strategy
from search_spaces.choose import Random

DRAWS = 50_000
"""Draws after which a window is given up."""


@strategy("random", several=True)
class RandomSearch(Strategy):
    """Independent draws from the space's own distribution, rejected until one is legal and in the window.

    A draw is given up as soon as it costs too much, where the space allows that.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`. The note counts the draws that were needed."""
        generator = self.problem.generator(trial, "random")
        reason = ""
        for number in range(1, DRAWS + 1):
            chooser = Random(generator, self.problem.domains)
            note = {"by": "random", "draws": number}
            proposal = self.problem.draw(trial, chooser, self.problem.window.highest, note=note)
            if proposal.settled is not None:
                reason = proposal.settled.reason
                continue
            off = self.problem.violation(proposal)
            if off is None:
                return proposal
            reason = off[0]
        raise Exhausted(f"none of {DRAWS:,} random draws was acceptable; the last: {reason}")
