"""Predictor-guided search: an ensemble of trees says which of many networks to train next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from nas.features import features
from nas.gp import Encoding, scores
from nas.objectives import Row
from nas.strategies.base import Problem, Proposal, Strategy, strategy
from nas.strategies.mutation import Moves, pool
from nas.strategies.random import RandomSearch
from search_spaces.domain import Domain, Pick

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

EVERY = 10
"""Trials between two fits of the ensemble, each with a new pool of networks."""

TREES = 60

SPARE = 3
"""Answers that are looked at for each network of the pool: many are no new network inside the window."""

ACQUISITIONS = ("its", "ei")


class Pool(NamedTuple):
    """Networks to pick from.

    Attributes:
        after: the number of trials that the ensemble was fitted to.
        mean, deviation: of what its trees expect of each network.
        best: of the trials.
    """

    after: int
    proposals: list[Proposal]
    mean: Array
    deviation: Array
    best: float


@strategy("bananas", learns=True)
class Bananas(Strategy):
    """An ensemble of trees, fitted to answers, op paths and costs, picks among variants of the best networks.

    BANANAS (White et al. 2021, arXiv:1910.11858, algorithm 1) with extremely randomised trees in place of
    neural networks. After every few trials the ensemble is fitted to them, and networks are drawn: half of
    them one change away from the `best` trials, a quarter two changes, a quarter at random. Asks pick from
    these, at most once each: running trials need no values of their own. Trees learn the normal scores of
    rewards' ranks.

    Args:
        startup: random trials before the first that is picked.
        best: trials around which is looked.
        candidates: networks that are drawn to pick from.
        acquisition: `its`, independent Thompson sampling (section 4): the highest of one draw for each
            network from a normal distribution, that of its trees; or `ei`, the highest expected improvement.
    """

    def __init__(
        self,
        problem: Problem,
        startup: int = 12,
        best: int = 10,
        candidates: int = 200,
        acquisition: str = "its",
    ) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        if startup < 3 or best < 1 or candidates < EVERY:
            raise ValueError(f"startup must be at least 3, best at least 1, candidates at least {EVERY}")
        if acquisition not in ACQUISITIONS:
            raise ValueError(f"acquisition must be one of {', '.join(ACQUISITIONS)}, not {acquisition!r}")
        self.problem = problem
        self.startup, self.best, self.candidates, self.acquisition = startup, best, candidates, acquisition
        self.ensemble = ExtraTreesRegressor
        self.random = RandomSearch(problem)
        self.asked: set[str] = set()  # keys of networks
        self.told: dict[str, None] = {}  # keys of networks, in the order of the tells
        self.trials: list[Proposal] = []
        self.features: list[Mapping[str, float]] = []
        self.rewards: list[float] = []
        self.due = (0, 0)  # trials to fit to, and networks told by then
        self.pool: Pool | None = None

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`."""
        picked = self._pick(trial) if len(self.rewards) >= self.startup else None
        proposal = picked or self.random.ask(trial)
        self.adopt(proposal)
        return proposal

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        if proposal.genome is not None:
            self.asked.add(proposal.genome.key)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        if proposal.genome is None:
            return
        self.told.setdefault(proposal.genome.key)
        if proposal.settled is not None or row is None or row["reward"] is None:
            return
        self.trials.append(proposal)
        self.rewards.append(float(row["reward"]))
        count = len(self.rewards)
        if count == self.startup or (count > self.startup and count % EVERY == 0):
            self.due = count, len(self.told)

    def _pick(self, trial: int) -> Proposal | None:
        """The most promising network of the pool that is still new; None where there is none."""
        import numpy as np
        from scipy.stats import norm

        if self.pool is None or self.pool.after != self.due[0]:
            self.pool = self._draw()
        _, proposals, mean, deviation, best = self.pool
        if self.acquisition == "its":
            rng = self.problem.generator(trial, "bananas")
            value = mean + deviation * np.array([rng.gauss(0, 1) for _ in proposals])
        else:
            z = (mean - best) / deviation
            value = deviation * (z * norm.cdf(z) + norm.pdf(z))
        for i in np.argsort(-value, kind="stable"):
            found = proposals[int(i)]
            assert found.genome is not None
            if found.genome.key not in self.told and found.genome.key not in self.asked:
                return replace(found, trial=trial)
        return None

    def _draw(self) -> Pool:
        """A pool that follows from the first trials alone, so that a resumed search has the same."""
        import numpy as np

        after, told = self.due
        rng = self.problem.generator(after, "pool of bananas")
        records = [p.choices for p in self.trials[:after]]
        for p in self.trials[len(self.features) : after]:
            assert p.genome is not None
            self.features.append(features(p.genome))
        y = scores(self.rewards[:after])

        best = [records[i] for i in np.argsort(-y, kind="stable")[: self.best]]
        answers = pool(best, records, SPARE * self.candidates, self.problem.domains, rng)
        rng.shuffle(answers)
        moves = Moves(self.problem)
        moves.known.update(list(self.told)[:told])
        drawn: list[Proposal] = []
        for wish in answers:
            proposal = moves.make(0, wish, rng, note={"by": "bananas"})
            if proposal is not None:
                moves.meet(proposal)
                drawn.append(proposal)
                if len(drawn) == self.candidates:
                    break
        if not drawn:
            return Pool(after, [], np.zeros(0), np.ones(0), 0.0)

        inputs = Inputs(records, self.features[:after], self.problem.domains)
        trees = self.ensemble(TREES, max_features=0.5, random_state=rng.getrandbits(32))
        trees.fit(inputs(records, self.features[:after]), y)
        x = inputs([p.choices for p in drawn], [features(p.genome) for p in drawn if p.genome is not None])
        expected = np.stack([tree.tree_.predict(x)[:, 0] for tree in trees.estimators_])
        return Pool(after, drawn, expected.mean(0), expected.std(0) + 1e-9, float(y.max()))


class Inputs:
    """Answers and features as the numbers that trees read.

    Options of more than two become a column each, other answers are numbered; ways that no trial has are
    left out.
    """

    def __init__(
        self,
        records: Sequence[Mapping[str, Any]],
        told: Sequence[Mapping[str, float]],
        domains: Mapping[str, Domain],
    ) -> None:
        self.encoding = Encoding({name: domains[name] for record in records for name in record})
        self.names = list(dict.fromkeys(name for found in told for name in found))

    def __call__(self, records: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, float]]) -> Array:
        """An array (records, columns)."""
        import numpy as np

        columns: list[Array] = []
        for domain, answers in zip(
            self.encoding.domains.values(), self.encoding.encode(records).T, strict=True
        ):
            if isinstance(domain, Pick) and len(domain.options) > 2:
                columns += [answers == option for option in range(len(domain.options))]
            else:
                columns.append(answers)
        columns += [np.array([f.get(name, 0.0) for f in found]) for name in self.names]
        return np.stack(columns, axis=1).astype(np.float32)
