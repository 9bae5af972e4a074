"""Regularised evolution (Real et al. 2019), and what evolutionary strategies share."""

from __future__ import annotations

import random
from typing import Any

from nas.objectives import Row
from nas.strategies.base import Problem, Proposal, Strategy, strategy
from nas.strategies.mutation import SITES, Moves, cross
from nas.strategies.random import RandomSearch

PARENTS = 4
"""Parents whose surroundings are tried within one ask, before a random network is proposed."""


def whole(name: str, value: Any, lowest: int) -> int | None:
    """The value of an option that is a whole number or none. Raises ValueError where it is neither."""
    if value is not None and (type(value) is not int or value < lowest):
        raise ValueError(f"{name} must be a whole number from {lowest} up, or none, not {value!r}")
    return value


class Breeder(Strategy):
    """Proposes random networks until a population is trained, then mutated children of its members.

    Subclasses say who joins the population and who of it becomes a parent.

    Args:
        population: its size; None: a fifth of the trials, at least 8 and at most 100. Where the number of
            trials is not known, the population grows with those that trained.
        crossover: the probability that a child has two parents.
        sites: how the question is drawn that is asked again, see `mutation.SITES`.
        novel: only networks that are not known are proposed.
    """

    name: str
    """What the notes say, and chance is drawn for."""

    def __init__(
        self, problem: Problem, population: int | None, crossover: float, sites: str, novel: bool = True
    ) -> None:
        if not 0 <= crossover <= 1:
            raise ValueError(f"crossover is a probability from 0 to 1, not {crossover!r}")
        if sites not in SITES:
            raise ValueError(f"sites must be {' or '.join(SITES)}, not {sites!r}")
        self.fixed = whole("population", population, 2)
        self.problem = problem
        self.crossover = crossover
        self.sites = sites
        self.random = RandomSearch(problem)
        self.moves = Moves(problem, novel=novel)
        self.trained = 0
        self.running: set[int] = set()

    def join(self, proposal: Proposal, values: tuple[float, ...]) -> None:
        """A trained network enters the population."""
        raise NotImplementedError

    def parent(self, rng: random.Random) -> Proposal:
        """A member of the population that is to have a child."""
        raise NotImplementedError

    @property
    def population(self) -> int:
        """The size of the population at this time."""
        trials = self.trained if self.problem.trials is None else self.problem.trials
        return self.fixed or min(100, max(8, trials // 5))

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`."""
        grown = self.trained > 0 and self.trained + len(self.running) >= self.population
        proposal = (self._child(trial) if grown else None) or self.random.ask(trial)
        self.adopt(proposal)
        return proposal

    def _child(self, trial: int) -> Proposal | None:
        rng = self.problem.generator(trial, self.name)
        for _ in range(PARENTS):
            parents = [self.parent(rng)]
            answers = parents[0].choices
            if rng.random() < self.crossover:
                parents.append(self.parent(rng))
                answers = cross(answers, parents[1].choices, rng)
            child = self.moves.mutate(
                trial,
                answers,
                rng,
                sites=self.sites,
                note={"by": self.name},
                parents=tuple(dict.fromkeys(parent.trial for parent in parents)),
            )
            if child is not None:
                return child
        return None

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self.running.add(proposal.trial)
        self.moves.meet(proposal)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`. What failed or was not trained joins no population."""
        self.running.discard(proposal.trial)
        self.moves.meet(proposal)
        values = self.problem.values(row)
        repeated = proposal.settled is not None and proposal.settled.status == "duplicate"
        if values is not None and (proposal.settled is None or (repeated and not self.moves.novel)):
            self.trained += 1
            self.join(proposal, values)


@strategy("evolution", learns=True)
class Evolution(Breeder):
    """Regularised evolution: the best of a random sample is mutated, and the oldest dies.

    The first P trials that train are random. Then S members of the population, which are the last P that
    trained, are drawn with replacement, and the best of them has one question asked again. Age is the order
    in which results came. Source: Real et al. 2019, arXiv:1802.01548, algorithm 1, where P is 100 and S 25.

    Args:
        population: P; see `Breeder`.
        sample: S; by default a quarter of P, at least 2.
        crossover: see `Breeder`; the paper's is 0.
        sites: see `Breeder`.
        novel: a child is mutated again until its network is a new one. The paper's may repeat others.
    """

    name = "evolution"

    def __init__(
        self,
        problem: Problem,
        population: int | None = None,
        sample: int | None = None,
        crossover: float = 0.0,
        sites: str = "questions",
        novel: bool = True,
    ) -> None:
        super().__init__(problem, population, crossover, sites, novel)
        self.sample = whole("sample", sample, 1)
        if self.fixed is not None and self.sample is not None and self.sample > self.fixed:
            raise ValueError(f"sample must be between 1 and population, {self.fixed}, not {sample}")
        self.history: list[tuple[Proposal, float]] = []  # the oldest first

    def join(self, proposal: Proposal, values: tuple[float, ...]) -> None:
        """See `Breeder`."""
        self.history.append((proposal, values[0]))

    def parent(self, rng: random.Random) -> Proposal:
        """See `Breeder`."""
        members = self.history[-self.population :]
        drawn = rng.choices(members, k=self.sample or max(2, self.population // 4))
        return max(drawn, key=lambda member: member[1])[0]
