"""Strategies that claim to learn find a planted needle better than random search does."""

from __future__ import annotations

import random
from functools import lru_cache

import pytest
from toys import CHAIN, OPTIONS, QUESTIONS

from nas.strategies import STRATEGIES, Constrain, Dedup, Problem, Wait, make

SEEDS, TRIALS = 30, 100

SLOW = {"gp"}
"""Strategies whose asks take too long for so many; their own tests have a shorter search."""


def best(name: str, seed: int) -> float:
    """The largest share of hidden answers that was found; a search ends at the needle."""
    hidden = dict(zip(QUESTIONS, random.Random(f"needle {seed}").choices(OPTIONS, k=6), strict=True))
    problem = Problem(CHAIN, seed, trials=TRIALS)
    strategy = Dedup(Constrain(make(name, problem), problem))
    found: dict[int, float] = {}
    trial = 0
    while len(found) < TRIALS and 1.0 not in found.values():
        proposal = strategy.ask(trial)
        assert not isinstance(proposal, Wait)
        of = trial if proposal.settled is None else proposal.settled.of
        assert of is not None  # all is legal here, and there is no window
        if proposal.settled is None:
            found[trial] = sum(proposal.choices[q] == hidden[q] for q in QUESTIONS) / len(QUESTIONS)
        strategy.tell(proposal, {"reward": found[of], "val_accuracy": found[of]})
        trial += 1
    return max(found.values())


@lru_cache
def bests(name: str) -> tuple[float, ...]:
    return tuple(best(name, seed) for seed in range(SEEDS))


LEARNERS = sorted({name for name, entry in STRATEGIES.items() if entry.learns} - SLOW)


@pytest.mark.parametrize("name", LEARNERS)
def test_who_claims_to_learn_beats_random_at_a_needle(name: str) -> None:
    from scipy.stats import ttest_rel

    test = ttest_rel(bests(name), bests("random"), alternative="greater")
    assert test.pvalue < 0.01, (
        f"mean {sum(bests(name)) / SEEDS:.3f}, random {sum(bests('random')) / SEEDS:.3f}"
    )
