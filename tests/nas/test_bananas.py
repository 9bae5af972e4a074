"""What the predictor sees of networks, and which of them it picks."""

import random
from collections import Counter

import numpy as np
import pytest
from toys import CHAIN, MIXED, PROBLEMS, QUESTIONS, Race, go_on, redraw, whole

from cells.genome import Genome
from cells.ops import RELU, Add, BatchNorm, Conv, Depthwise, Flatten, GlobalPool, Linear, MaxPool, Zero
from cells.sketch import Sketch
from nas.features import features, ways
from nas.strategies import Problem, Proposal, StrategyError, make
from nas.strategies.bananas import Bananas, Inputs
from search_spaces import Random


def residual(*, branch: bool = True) -> Genome:
    s = Sketch((3, 8, 8), "Residual")
    x = s.chain(s.input, conv=Conv(8, 3), bn=BatchNorm())
    y = s.chain(x, relu=RELU, pool=MaxPool(3, 1, padding=1), depthwise=Depthwise(5))
    if branch:
        y = s.add("sum", Add(), x, y)
    return s.genome(s.chain(y, global_pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


def test_ways_are_counted_along_all_edges() -> None:
    """The classifier is reached by the pool and around it."""
    both = {
        ("conv3",): 1,
        ("max_pool3",): 1,
        ("depthwise5",): 1,
        ("linear1",): 1,
        ("conv3", "max_pool3"): 1,
        ("max_pool3", "depthwise5"): 1,
        ("depthwise5", "linear1"): 1,
        ("conv3", "max_pool3", "depthwise5"): 1,
        ("max_pool3", "depthwise5", "linear1"): 1,
        ("conv3", "max_pool3", "depthwise5", "linear1"): 1,
    }
    assert ways(residual(branch=False)) == both
    assert ways(residual()) == {**both, ("conv3", "linear1"): 1}


def test_no_way_leads_through_zeroes_or_dead_nodes() -> None:
    s = Sketch((3, 8, 8), "Cut")
    x = s.add("conv", Conv(8, 3), s.input)
    s.add("dead", Conv(8, 5), x)
    y = s.add("sum", Add(), s.add("zero", Zero(), x), s.add("other", Conv(8, 1), x))
    cut = s.genome(s.chain(y, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))
    found = ways(cut)
    assert ("conv3", "linear1") not in found
    assert found["conv3", "conv1", "linear1"] == 1
    assert not any("conv5" in way for way in found)


def test_branches_that_meet_count_each() -> None:
    s = Sketch((3, 8, 8), "Two")
    x = s.add("conv", Conv(8, 3), s.input)
    y = s.add("sum", Add(), s.add("a", Conv(8, 1), x), s.add("b", Conv(8, 1), x))
    found = ways(s.genome(s.chain(y, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2))))
    assert found["conv3", "conv1"] == found["conv3", "conv1", "linear1"] == 2
    assert found["conv3",] == 1


def test_inputs_hold_every_answer_and_only_told_ways() -> None:
    domains: dict = {}
    records, found = [], []
    for seed in range(6):
        chooser = Random(random.Random(seed), domains)
        genome = MIXED.draw(chooser)
        records.append(chooser.record)
        found.append(features(genome))
    inputs = Inputs(records, found[:3], domains)
    x = inputs(records, found)
    assert x.shape[0] == 6
    names = {name for f in found[:3] for name in f}
    assert x.shape[1] == len(domains) + len(names)  # `more` has two options: one column, as numbers have
    asked = ["factor" in record for record in records]
    column = list(inputs.encoding.domains).index("factor")
    assert [value >= 0 for value in x[:, column]] == asked
    assert True in asked
    assert False in asked


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bananas:acquisition=ucb", "acquisition must be one of its, ei"),
        ("bananas:candidates=5", "candidates at least 10"),
        ("bananas:startup=1", "startup must be at least 3"),
    ],
)
def test_wrong_options_are_named(text: str, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        make(text, Problem(CHAIN))


def test_a_pool_holds_new_networks_inside_the_window() -> None:
    problem = PROBLEMS["mixed"]()
    strategy = Bananas(problem, candidates=40)
    told = go_on(strategy, [], 30)
    strategy.ask(30)
    pool = strategy.pool
    assert pool is not None
    keys = Counter(p.genome.key for p in pool.proposals if p.genome)
    assert 20 <= len(keys) == sum(keys.values()) <= 40
    first = [p.genome.key for p, _ in told if p.genome][: pool.after]
    assert not keys.keys() & set(first)
    assert all(problem.violation(p) is None for p in pool.proposals)
    picked = [p.genome.key for p, _ in told if p.note["by"] == "bananas" and p.genome]
    assert len(picked) == len(set(picked)) > 5


@pytest.mark.parametrize("acquisition", ["its", "ei"])
def test_picks_are_better_than_chance(acquisition: str) -> None:
    """Widths add up to the reward: picks after 20 random trials are like the best quarter of them."""
    problem = Problem(CHAIN, 3)
    strategy = make(f"bananas:startup=20,candidates=60,acquisition={acquisition}", problem)
    rewards = []
    for trial in range(30):
        proposal = strategy.ask(trial)
        assert isinstance(proposal, Proposal)
        rewards.append(sum(int(proposal.choices[q] or 0) for q in QUESTIONS))
        strategy.tell(proposal, {"reward": rewards[-1], "val_accuracy": rewards[-1]})
    assert np.mean(rewards[20:]) > np.quantile(rewards[:20], 0.75)


def test_expected_improvement_resumes_too() -> None:
    name = "bananas:acquisition=ei,candidates=30"
    full = go_on(whole(name, PROBLEMS["toy"]()), [], 40)
    fresh = PROBLEMS["toy"]()
    for proposal, _ in full[:27]:
        redraw(proposal, fresh)
    resumed = whole(name, fresh)
    for proposal, row in full[:27]:
        resumed.tell(proposal, row)
    rest = go_on(resumed, list(full[:27]), 40)
    assert [p.choices for p, _ in rest] == [p.choices for p, _ in full]


def test_workers_are_given_different_networks() -> None:
    race = Race(whole("bananas:candidates=40", PROBLEMS["mixed"]()), workers=8)
    race.go(0, 40)
    keys = [p.genome.key for p, _ in race.told if p.genome and p.settled is None]
    assert len(keys) == len(set(keys))
    assert sum(p.note["by"] == "bananas" for p, _ in race.told) >= 10
