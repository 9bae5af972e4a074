"""Local search (White et al. 2021)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from nas.objectives import Row
from nas.strategies.base import Problem, Proposal, Strategy, strategy
from nas.strategies.mutation import Answers, Moves, neighbours
from nas.strategies.random import RandomSearch


@strategy("local-search", learns=True)
class LocalSearch(Strategy):
    """Local search: networks next to the best one are tried, a better one takes its place; with restarts.

    A climb begins at the best of a few random networks, moves on as soon as it finds something better, and
    is over when all neighbours of its best were tried. Then another begins, and the note tells which. Source:
    White, Nolen and Savani 2021, "Exploring the loss landscape in neural architecture search" (UAI), section
    3, which tries all neighbours before it moves.

    Args:
        starts: random networks that a climb begins with.
    """

    def __init__(self, problem: Problem, starts: int = 5) -> None:
        if starts < 1:
            raise ValueError(f"starts must be at least 1, not {starts}")
        self.problem = problem
        self.starts = starts
        self.random = RandomSearch(problem)
        self.moves = Moves(problem)
        self.best: dict[int, tuple[float, Proposal]] = {}  # of each climb
        self.trained: Counter[int] = Counter()  # by climb
        self.running: dict[int, int] = {}  # trial -> climb
        self.left: dict[int, Iterator[tuple[str, Answers]]] = {}  # trial -> neighbours not yet tried

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`."""
        climbs = sorted({*self.best, *self.running.values()}) or [0]
        for climb in climbs:  # a late result may have opened an earlier one again
            found = self._neighbour(trial, climb)
            if found is not None:
                self.adopt(found)
                return found
        climb = climbs[-1] + (self._begun(climbs[-1]) and climbs[-1] in self.best)
        drawn = self.random.ask(trial)
        drawn = replace(drawn, note={**drawn.note, "climb": climb})
        self.adopt(drawn)
        return drawn

    def _begun(self, climb: int) -> bool:
        """Whether a climb has its random networks."""
        return self.trained[climb] + list(self.running.values()).count(climb) >= self.starts

    def _neighbour(self, trial: int, climb: int) -> Proposal | None:
        """The next neighbour of the best network of a climb.

        Chance depends on the network and the neighbour alone: after a restart of the program the same ones
        are met again, and those that were tried are known.
        """
        if climb not in self.best or not self._begun(climb):
            return None
        _, centre = self.best[climb]
        if centre.trial not in self.left:
            rng = self.problem.generator(centre.trial, "neighbours")
            self.left[centre.trial] = neighbours(centre.choices, self.problem.domains, rng)
        for question, answers in self.left[centre.trial]:
            rng = self.problem.generator(centre.trial, f"{question} {answers[question]!r}")
            note = {"by": "local-search", "climb": climb, "question": question}
            found = self.moves.make(trial, answers, rng, note=note, parents=(centre.trial,))
            if found is not None:
                return found
        return None

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self.running[proposal.trial] = proposal.note.get("climb", 0)
        self.moves.meet(proposal)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`. Seed points belong to the first climb."""
        self.running.pop(proposal.trial, None)
        self.moves.meet(proposal)
        values = self.problem.values(row)
        if values is None or proposal.settled is not None:
            return
        climb = proposal.note.get("climb", 0)
        self.trained[climb] += 1
        if climb not in self.best or values[0] > self.best[climb][0]:
            self.best[climb] = (values[0], proposal)
