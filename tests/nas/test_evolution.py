"""Mutations, and the strategies that are made of them."""

import math
import random
from collections import Counter
from typing import Any

import pytest
from toys import CHAIN, MIXED, OPTIONS, PROBLEMS, QUESTIONS, TOY, go_on, laptop, whole

from cells.infer import infer
from nas.front import hypervolume
from nas.objectives import read_objectives
from nas.strategies import (
    Constrain,
    Dedup,
    Exhausted,
    Problem,
    Proposal,
    Seeded,
    Settled,
    StrategyError,
    Window,
    make,
)
from nas.strategies.base import settle
from nas.strategies.mutation import SITES, Moves, by_path, cross, neighbours, steps
from search_spaces import SPACES, Random
from search_spaces.domain import Integer, Pick, Real


def drawn(problem: Problem, trial: int) -> Proposal:
    while True:
        proposal = problem.draw(trial, Random(random.Random(trial), problem.domains))
        if proposal.genome is not None:
            return proposal
        trial += 1000


def asked(strategy: Any, trial: int) -> Proposal:
    proposal = strategy.ask(trial)
    assert isinstance(proposal, Proposal)
    return proposal


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
@pytest.mark.parametrize("sites", SITES)
def test_a_mutation_changes_one_answer_and_makes_a_new_network(problem: str, sites: str) -> None:
    solved = PROBLEMS[problem]()
    moves = Moves(solved)
    trial = 0
    for _ in range(10):
        parent = asked(make("random", solved), trial)
        moves.meet(parent)
        child = moves.mutate(trial, parent.choices, random.Random(trial), sites=sites, note={"by": "test"})
        trial += 1
        if child is None:  # the window is narrow
            continue
        question = child.note["question"]
        both = [name for name in child.choices if name in parent.choices and name != question]
        changed = [name for name in both if child.choices[name] != parent.choices[name]]
        assert child.note["by"] == "test"
        if "w1" in child.choices or "stage1.w" in child.choices:  # answers are sorted after one has changed
            assert child.choices != parent.choices
        else:
            assert not changed
            assert child.choices[question] != parent.choices[question]
        assert child.genome is not None
        assert child.genome.key not in moves.known
        assert solved.window.violation(infer(child.genome)) is None


def test_questions_are_drawn_uniformly_or_level_by_level() -> None:
    names = ["node1.op0", "node2.op0", "node2.op1", "node3.op0", "node3.op1", "node3.op2"]
    rng = random.Random(0)
    found = Counter(by_path(names, rng) for _ in range(6000))
    for name, share in zip(names, (1 / 3, 1 / 6, 1 / 6, 1 / 9, 1 / 9, 1 / 9), strict=True):
        assert abs(found[name] / 6000 - share) < 0.02
    nested = Counter(
        by_path(["edits", "edit0", "edit0.width", "edit0.width.factor"], rng) for _ in range(4000)
    )
    for name, share in {"edits": 1 / 2, "edit0": 1 / 4, "edit0.width": 1 / 8}.items():
        assert abs(nested[name] / 4000 - share) < 0.03


def test_neighbours_are_all_small_changes_of_one_answer() -> None:
    problem = Problem(CHAIN)
    start = drawn(problem, 0)
    found = list(neighbours(start.choices, problem.domains, random.Random(0)))
    assert len({tuple(answers.values()) for _, answers in found}) == len(found) == 6 * 3
    for question, answers in found:
        assert [name for name in QUESTIONS if answers[name] != start.choices[name]] == [question]
    assert {question for question, _ in found[:6]} == set(QUESTIONS)  # each once before any twice


def test_steps_keep_to_the_domain() -> None:
    rng = random.Random(0)
    assert steps(Pick((1, True, "a")), True, rng) == [1, "a"]
    assert steps(Integer(0, 10, 5), 5, rng) == [0, 10]
    assert steps(Integer(0, 10, 5), 10, rng) == [5]
    assert steps(Integer(8, 512, 8, log=True), 64, rng) == [48, 56, 72, 80]
    assert steps(Integer(8, 64, 8, log=True), 64, rng) == [48, 56]
    assert steps(Real(2, 2), 2.0, rng) == []
    for domain in (Real(1, 100, log=True), Real(-5, 5)):
        low, high = steps(domain, 3.0, rng)
        assert domain.lo <= low < 3 < high <= domain.hi  # type: ignore[operator]
    moved = [math.log(steps(Real(1, 100, log=True), 10.0, rng)[1] / 10) for _ in range(500)]  # type: ignore
    assert math.sqrt(sum(m * m for m in moved) / 500) == pytest.approx(0.1 * math.log(100), rel=0.15)


def test_crossover_takes_each_answer_from_one_parent() -> None:
    rng = random.Random(0)
    children = [cross({"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "d": 2}, rng) for _ in range(400)]
    assert all(child["c"] == 1 and child["d"] == 2 for child in children)
    counts = Counter((child["a"], child["b"]) for child in children)
    assert len(counts) == 4
    assert min(counts.values()) > 60


def tell(strategy: Any, proposal: Proposal, value: float | None) -> None:
    strategy.tell(proposal, {"reward": value, "val_accuracy": value})


def test_evolution_is_that_of_the_paper() -> None:
    """P random networks; then the best of the sample is the parent; the oldest dies, however good it is."""
    strategy: Any = make("evolution:population=4", Problem(CHAIN))
    strategy.sample = 200  # all members are among so many
    for trial in range(4):
        proposal = asked(strategy, trial)
        assert proposal.note["by"] == "random"
        tell(strategy, proposal, [0.1, 0.9, 0.2, 0.3][trial])
    for trial in range(4, 6):
        child = asked(strategy, trial)
        assert child.parents == (1,)
        tell(strategy, child, 0.0)
    assert asked(strategy, 6).parents == (3,)  # trial 1 has died


def test_samples_are_drawn_with_replacement() -> None:
    """Of P = 2 and S = 2, the worse is the parent of one child in four."""
    problem = Problem(CHAIN)
    strategy: Any = make("evolution:population=2,sample=2", problem)
    for trial in range(2):
        tell(strategy, asked(strategy, trial), float(trial))
    rng = random.Random(0)
    parents = Counter(strategy.parent(rng).trial for _ in range(2000))
    assert abs(parents[0] / 2000 - 1 / 4) < 0.03


def test_only_what_trained_is_a_member() -> None:
    strategy: Any = make("evolution:population=2", Problem(CHAIN))
    failed, good = asked(strategy, 0), asked(strategy, 1)
    tell(strategy, failed, None)
    tell(strategy, good, 0.5)
    assert asked(strategy, 2).note["by"] == "random"  # a random network for that which failed
    repeat = settle(Proposal(3, good.choices, good.genome), Settled("duplicate", "", of=1))
    tell(strategy, repeat, 0.5)
    assert len(strategy.history) == 1
    published: Any = make("evolution:population=2,novel=false", Problem(CHAIN))
    tell(published, repeat, 0.5)
    assert len(published.history) == 1


def test_the_population_suits_the_number_of_trials() -> None:
    for trials, p in ((24, 8), (100, 20), (5000, 100)):
        strategy: Any = make("evolution", Problem(CHAIN, trials=trials))
        assert strategy.population == p
    strategy = make("evolution", Problem(CHAIN))
    proposal = drawn(Problem(CHAIN), 0)
    for trial in range(100):
        tell(strategy, Proposal(trial, proposal.choices, proposal.genome), 0.5)
        assert strategy.population == max(8, (trial + 1) // 5)


def test_repeats_are_allowed_where_the_paper_allows_them() -> None:
    known: set[str] = set()
    repeats = 0
    strategy: Any = make("evolution:population=5,sample=5,novel=false", Problem(CHAIN))
    for trial in range(100):
        proposal = asked(strategy, trial)
        assert proposal.genome is not None
        repeats += proposal.genome.key in known
        known.add(proposal.genome.key)
        tell(strategy, proposal, -sum(proposal.choices[q] for q in QUESTIONS))  # type: ignore[misc]
    assert repeats > 10


@pytest.mark.parametrize("name", ["evolution", "nsga2"])
def test_children_of_two_parents(name: str) -> None:
    told = go_on(whole(f"{name}:population=8,crossover=1.0", Problem(CHAIN)), [], 40)
    first = {p.trial: p for p, _ in told}
    children = [p for p, _ in told if len(p.parents) == 2]
    assert len(children) > 10
    for child in children:
        parents = [first[number].choices for number in child.parents]
        strange = [q for q in QUESTIONS if child.choices[q] not in (parents[0][q], parents[1][q])]
        assert set(strange) <= {child.note["question"]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("evolution:population=1", "population must be a whole number from 2"),
        ("evolution:population=ten", "population must be a whole number"),
        ("evolution:population=true", "population must be a whole number"),
        ("evolution:population=5,sample=6", "sample must be between 1 and population, 5, not 6"),
        ("evolution:sample=0", "sample must be a whole number from 1"),
        ("evolution:crossover=2", "a probability from 0 to 1"),
        ("evolution:sites=nodes", "questions or paths, not 'nodes'"),
        ("nsga2:population=1", "population must be a whole number from 2"),
        ("local-search:starts=0", "starts must be at least 1"),
    ],
)
def test_options_out_of_range(text: str, reason: str) -> None:
    with pytest.raises(StrategyError, match=reason) as caught:
        make(text, Problem(CHAIN))
    assert str(caught.value).startswith(f"--strategy {text}: ")


def test_nsga2_spreads_along_the_front() -> None:
    """Its front holds more than that of random search where both goals pull in other directions."""
    goals = read_objectives("accuracy,params:min")

    def volume(name: str, seed: int) -> float:
        problem = Problem(CHAIN, seed, goals=goals, trials=80)
        strategy = whole(name, problem)
        found = []
        trial = 0
        while len(found) < 80:
            proposal = asked(strategy, trial)
            assert proposal.genome is not None
            value = sum(proposal.choices[q] * (i % 2) for i, q in enumerate(QUESTIONS)) / 96  # type: ignore
            row = {"reward": value, "val_accuracy": value, "params": infer(proposal.genome).params}
            strategy.tell(proposal, row)
            if proposal.settled is None:
                found.append(problem.values(row))
            trial += 1
        return hypervolume([point for point in found if point is not None], (0, -6000))

    better = [volume("nsga2", seed) > volume("random", seed) for seed in range(8)]
    assert sum(better) >= 7


def test_nsga2_keeps_the_fronts_that_fit() -> None:
    problem = Problem(CHAIN, goals=read_objectives("accuracy,params:min"))
    strategy: Any = make("nsga2:population=3", problem)
    points = [(1, 9), (5, 5), (9, 1), (4, 4), (5, 4.9), (10, 0.9)]
    for trial, (accuracy, saved) in enumerate(points):
        strategy.tell(drawn(problem, trial), {"reward": accuracy, "val_accuracy": accuracy, "params": -saved})
    assert [values for _, values in strategy.members] == [(1, 9), (5, 5), (10, 0.9)]


def test_local_search_climbs_to_the_top_and_begins_again() -> None:
    """With rewards that rise in every answer, each climb ends at a network without a better neighbour."""
    strategy = whole("local-search:starts=2", Problem(CHAIN, 1))
    told = []
    for trial in range(150):
        proposal = asked(strategy, trial)
        value = sum(proposal.choices[q] for q in QUESTIONS) / 192  # type: ignore[misc]
        tell(strategy, proposal, value)
        told.append((proposal.note["climb"], value, proposal))
    climbs = [climb for climb, _, _ in told]
    assert climbs == sorted(climbs)
    assert climbs[-1] >= 1
    values = {p.trial: value for _, value, p in told}
    assert max(value for climb, value, _ in told if climb == 0) == 1.0
    new = [(climb, value, p) for climb, value, p in told if p.settled is None]
    for climb, _, proposal in new:
        if proposal.parents:  # the best of the climb so far
            (parent,) = proposal.parents
            earlier = [v for c, v, p in new if c == climb and p.trial < proposal.trial]
            assert values[parent] == max(earlier)


def test_a_late_result_opens_a_climb_again() -> None:
    strategy: Any = make("local-search:starts=1", Problem(CHAIN))
    first = asked(strategy, 0)
    tell(strategy, first, 0.5)
    around = [asked(strategy, trial) for trial in range(1, 19)]  # all its neighbours
    for neighbour in around[1:]:
        tell(strategy, neighbour, 0.1)
    other = asked(strategy, 19)
    assert other.note == {"by": "random", "draws": 1, "climb": 1}
    tell(strategy, around[0], 0.6)
    assert asked(strategy, 20).parents == (around[0].trial,)


def test_grid_goes_through_all_answers_in_order() -> None:
    strategy = Dedup(Constrain(make("grid", Problem(TOY)), Problem(TOY)))
    proposals: list[Proposal] = []

    def everything() -> None:
        for trial in range(1000):
            proposals.append(asked(strategy, trial))
            tell(strategy, proposals[-1], 0.5)

    with pytest.raises(Exhausted, match="all 441 answer vectors of the space have been gone through"):
        everything()
    assert all(p.settled is None for p in proposals)
    keys = {p.genome.key for p in proposals if p.genome}
    assert len(keys) == len(proposals) == 6 + 6 * 8 + 6 * 8 * 8  # and three that are illegal
    assert proposals[0].choices == {"depth": 1, "layer0.w": 8, "layer0.k": 1}
    assert proposals[-1].choices["depth"] == 3
    positions = [p.note["position"] for p in proposals]
    assert positions == sorted(positions)
    with pytest.raises(StrategyError, match="--strategy grid: question 'slope' asks for a real number"):
        make("grid", Problem(MIXED))


def test_largest_goes_down_in_size() -> None:
    told = go_on(whole("largest", Problem(CHAIN, window=Window({"params": (0, 3000)}))), [], 30)
    sizes = [p.note["params"] for p, _ in told]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes == [infer(p.genome).params for p, _ in told if p.genome]
    everything = {infer(drawn(Problem(CHAIN), t).genome).params for t in range(300)}  # type: ignore[arg-type]
    assert sizes[0] >= max(size for size in everything if size <= 3000)
    operations = ("none", "skip_connect", "nor_conv_3x3")
    cell = asked(make("largest", Problem(SPACES["nasbench201"].bind(operations=operations))), 0)
    assert set(cell.choices.values()) == {"nor_conv_3x3"}


def test_largest_climbs_where_a_space_cannot_be_gone_through() -> None:
    problem = laptop()
    found = asked(make("largest", problem), 0).note["params"]
    by_chance = make("random", problem)
    sizes = [infer(asked(by_chance, trial).genome).params for trial in range(60)]  # type: ignore[arg-type]
    assert found > max(sizes)


@pytest.mark.parametrize("name", ["nsga2", "local-search"])
def test_seed_points_are_parents_too(name: str) -> None:
    problem = Problem(CHAIN, trials=40)
    point = dict.fromkeys(QUESTIONS, OPTIONS[-1])
    strategy = Dedup(Constrain(Seeded(make(name, problem), problem, [(point, {"by": "seed"})]), problem))
    told = go_on(strategy, [], 40)
    assert any(p.parents == (0,) for p, _ in told)
