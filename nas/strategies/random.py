"""Random search: the baseline that stands beside everything."""

from __future__ import annotations

import random

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
        return acceptable(self.problem, trial, self.problem.generator(trial, "random"))


def acceptable(problem: Problem, trial: int, generator: random.Random) -> Proposal:
    """The first draw that is legal and inside the window. Raises `Exhausted` when there is none."""
    reason = ""
    for number in range(1, DRAWS + 1):
        chooser = Random(generator, problem.domains)
        note = {"by": "random", "draws": number}
        proposal = problem.draw(trial, chooser, problem.window.highest, note=note)
        if proposal.settled is not None:
            reason = proposal.settled.reason
            continue
        off = problem.violation(proposal)
        if off is None:
            return proposal
        reason = off[0]
    raise Exhausted(f"none of {DRAWS:,} random draws was acceptable; the last: {reason}")
