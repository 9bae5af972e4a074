"""Bayesian optimisation over answer vectors, by local moves."""

from __future__ import annotations

from nas.gp import Encoding, Kernel, Process, fit
from nas.objectives import Row
from nas.strategies.base import Problem, Proposal, Strategy, strategy
from nas.strategies.mutation import Answers, Moves, pool
from nas.strategies.random import RandomSearch
from search_spaces.domain import Domain

EVERY = 8
"""Trials between two fits of the kernel."""

TRIES = 60
"""Answers of a pool, from the most promising on, that are drawn to find one that may be proposed."""


@strategy("bayes", learns=True)
class Bayes(Strategy):
    """A Gaussian process over the answers picks among neighbours of the best and random answers.

    The pool that it picks from holds all neighbours of the `best` trials (by the process's mean, not by their
    luck), answers that differ from those in two places, and random ones. The pick has the highest value in a
    draw from the process (Thompson 1933) of those that lead to a new network inside the window. Running
    trials are taken to have the value that is expected of them. `nas.gp` says what the process is.

    Args:
        startup: random trials before the first that is picked.
        best: trials around which is looked.
        pool: answers in the pool, about.
    """

    def __init__(self, problem: Problem, startup: int = 12, best: int = 6, pool: int = 300) -> None:
        if startup < 3 or best < 1 or pool < 6:
            raise ValueError("startup must be at least 3, best at least 1, pool at least 6")
        self.problem = problem
        self.startup, self.best, self.pool = startup, best, pool
        self.random = RandomSearch(problem)
        self.moves = Moves(problem)
        self.running: dict[int, Proposal] = {}
        self.records: list[Answers] = []
        self.values: list[float] = []
        self.fitted: tuple[int, Kernel] | None = None

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`."""
        picked = self._pick(trial) if len(self.values) >= self.startup else None
        proposal = picked or self.random.ask(trial)
        self.adopt(proposal)
        return proposal

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self.moves.meet(proposal)
        self.running[proposal.trial] = proposal

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self.moves.meet(proposal)
        self.running.pop(proposal.trial, None)
        if proposal.settled is None and row is not None and row["reward"] is not None:
            self.records.append(proposal.choices)
            self.values.append(float(row["reward"]))

    def _pick(self, trial: int) -> Proposal | None:
        """The most promising of a pool that may be proposed; None where there is none."""
        import numpy as np

        rng = self.problem.generator(trial, "bayes")
        process = Process(
            _encoding(self.records, self.problem.domains), self._kernel(), self.records, self.values
        )
        order = np.argsort(-process.seen, kind="stable")[: self.best]
        near = pool([self.records[i] for i in order], self.records, self.pool, self.problem.domains, rng)
        if self.running:
            process.believe([p.choices for p in self.running.values()])
        mean, deviation = process.posterior(near)
        drawn = mean + deviation * np.array([rng.gauss(0, 1) for _ in near])
        for i in np.argsort(-drawn, kind="stable")[:TRIES]:
            proposal = self.moves.make(trial, near[i], rng, note={"by": "bayes"})
            if proposal is not None:
                return proposal
        return None

    def _kernel(self) -> Kernel:
        """Fitted to the trials there were when their number was last a multiple of `EVERY`."""
        count = max(self.startup, len(self.values) // EVERY * EVERY)
        if self.fitted is None or self.fitted[0] != count:
            records = self.records[:count]
            encoding = _encoding(records, self.problem.domains)
            self.fitted = count, fit(encoding, records, self.values[:count])
        return self.fitted[1]


def _encoding(records: list[Answers], domains: dict[str, Domain]) -> Encoding:
    """Of the questions that told trials answered: others may be known here and not after a restart."""
    return Encoding({name: domains[name] for record in records for name in record})
