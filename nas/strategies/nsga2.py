"""NSGA-II (Deb et al. 2002) over networks: for several goals at once."""

from __future__ import annotations

import random

from nas.front import crowding, ranks
from nas.strategies.base import Problem, Proposal, strategy
from nas.strategies.evolution import Breeder


@strategy("nsga2", learns=True, several=True)
class Nsga2(Breeder):
    """NSGA-II with typed mutations: parents by front and crowding distance; for several goals.

    Steady-state, so that no worker waits for a generation: each result joins the population of N, and when
    that is full the last by (front, crowding distance) leaves. A parent is the better of two. Real-coded
    crossover and mutation are replaced by uniform crossover and one question asked again. Source: Deb et al.
    2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", section III.

    Args:
        population: N; see `Breeder`.
        crossover: see `Breeder`.
        sites: see `Breeder`.
    """

    name = "nsga2"

    def __init__(
        self,
        problem: Problem,
        population: int | None = None,
        crossover: float = 0.5,
        sites: str = "questions",
    ) -> None:
        super().__init__(problem, population, crossover, sites)
        self.members: list[tuple[Proposal, tuple[float, ...]]] = []  # the oldest first
        self.order: list[tuple[int, float]] = []  # (front, -crowding distance) of each member

    def join(self, proposal: Proposal, values: tuple[float, ...]) -> None:
        """See `Breeder`."""
        self.members.append((proposal, values))
        fronts: dict[int, list[int]] = {}
        for i, front in enumerate(ranks([found for _, found in self.members])):
            fronts.setdefault(front, []).append(i)
        order = {
            i: (front, -gap)
            for front, on in fronts.items()
            for i, gap in zip(on, crowding([self.members[i][1] for i in on]), strict=True)
        }
        self.order = [order[i] for i in range(len(order))]
        if len(self.members) > self.population:
            last = self.order.index(max(self.order))
            del self.members[last], self.order[last]

    def parent(self, rng: random.Random) -> Proposal:
        """See `Breeder`: the winner of a binary tournament."""
        pair = rng.sample(range(len(self.members)), min(2, len(self.members)))
        return self.members[min(pair, key=lambda i: self.order[i])][0]
