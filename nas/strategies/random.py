"""Random search: the baseline that stands beside everything."""

from __future__ import annotations

import random
from collections.abc import Mapping

from nas.strategies.base import Exhausted, Problem, Proposal, Strategy, strategy
from search_spaces.choose import Domain, Random
from search_spaces.domain import Scalar

DRAWS = 50_000
"""Draws after which a window is given up."""


FEW = 100
"""Draws in which a question must come up."""


@strategy("random", several=True)
class RandomSearch(Strategy):
    """Independent draws from the space's own distribution, rejected until one is legal and in the window.

    A draw is given up as soon as it costs too much, where the space allows that.

    Args:
        stratify: a question of which each answer gets as many trials as any other, one after another: all
            else is random within each.
    """

    def __init__(self, problem: Problem, stratify: str | None = None) -> None:
        self.problem = problem
        self.stratify = stratify
        self.strata = () if stratify is None else _strata(problem, stratify)

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`. The note counts the draws that were needed."""
        fixed: dict[str, Scalar] = {}
        if self.stratify is not None:
            fixed[self.stratify] = self.strata[trial % len(self.strata)]
        return acceptable(self.problem, trial, self.problem.generator(trial, "random"), fixed)


def _strata(problem: Problem, name: str) -> tuple[Scalar, ...]:
    """The answers to a question of the space. Raises ValueError where there are none to go through."""
    generator = problem.generator(0, "strata")
    for _ in range(FEW):
        problem.draw(0, Random(generator, problem.domains))
        domain = problem.domains.get(name)
        if domain is not None:
            if domain.size is None:
                raise ValueError(f"stratify: {name} is a real number")
            return tuple(domain.values())
    raise ValueError(f"stratify: none of {FEW} draws asks {name!r}")


class _Partly(Random):
    """Random answers but for some that are fixed."""

    def __init__(self, rng: random.Random, domains: dict[str, Domain], fixed: Mapping[str, Scalar]) -> None:
        super().__init__(rng, domains)
        self.fixed = fixed

    def answer(self, name: str, domain: Domain) -> Scalar:
        return self.fixed[name] if name in self.fixed else super().answer(name, domain)


def acceptable(
    problem: Problem, trial: int, generator: random.Random, fixed: Mapping[str, Scalar] | None = None
) -> Proposal:
    """The first draw that is legal and inside the window. Raises `Exhausted` when there is none.

    Args:
        fixed: answers that are not drawn.
    """
    reason = ""
    for number in range(1, DRAWS + 1):
        chooser = _Partly(generator, problem.domains, fixed or {})
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
