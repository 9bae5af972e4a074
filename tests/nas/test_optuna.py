"""Optuna's samplers: what each must keep beside the conformance suite (test_strategies.py)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from scipy.stats import wilcoxon

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Conv, Flatten, GlobalPool, Linear
from cells.sketch import Sketch
from nas.objectives import read_objectives
from nas.strategies import Constrain, Dedup, Exhausted, Problem, Proposal, Strategy, StrategyError, Wait, make
from search_spaces import SPACES, Chooser, Replay, Space
from search_spaces.reduce import increasing

SAMPLERS = ["tpe", "cmaes", "qmc", "brute-force", "nsga3", "optuna-nsga2", "optuna"]
POPULATIONS = {"cmaes": ":population=4", "nsga3": ":population=4", "optuna-nsga2": ":population=4"}


def chain(choose: Chooser, widths: list[int]) -> Genome:
    s = Sketch((3, 8, 8), "Chain")
    x = s.input
    for i, width in enumerate(widths):
        x = s.add(f"conv{i}", Conv(width, 1), x)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


def six(choose: Chooser) -> Genome:
    return chain(choose, [choose.pick(f"w{i}", [8, 16, 24, 32]) for i in range(6)])


def conditional(choose: Chooser) -> Genome:
    depth = choose.integer("depth", 1, 3)
    return chain(choose, [choose.pick(f"w{i}", [8, 16, 24]) for i in range(depth)])


def sorted_widths(choose: Chooser) -> Genome:
    choose = increasing(choose, list("abcd"))
    return chain(choose, [choose.integer(name, 8, 32, step=8) for name in "abcd"])


def words(choose: Chooser) -> Genome:
    return chain(choose, [{"narrow": 8, "wide": 16}[choose.pick("w", ["narrow", "wide"])]])


def scale(choose: Chooser) -> Genome:
    return chain(choose, [round(choose.real("w", 8, 64, log=True))])


def result(proposal: Proposal) -> dict[str, Any] | None:
    settled = proposal.settled
    if settled is not None:
        return None if settled.status == "rejected" else {"reward": 0.5 if settled.of is not None else None}
    assert proposal.genome is not None
    costs = infer(proposal.genome)
    accuracy = None if proposal.trial % 9 == 8 else costs.params / (costs.params + 3000)
    return {"reward": accuracy, "val_accuracy": accuracy, "macs": costs.macs, "depth": costs.depth}


def whole(text: str, problem: Problem) -> Strategy:
    return Dedup(Constrain(make(text, problem), problem))


def ask(strategy: Strategy, trial: int) -> Proposal:
    proposal = strategy.ask(trial)
    assert not isinstance(proposal, Wait)
    return Proposal(
        proposal.trial,
        proposal.choices,
        proposal.genome,
        note=json.loads(json.dumps(proposal.note)),  # as a table gives it back
        settled=proposal.settled,
    )


@pytest.mark.parametrize("space", [six, conditional, sorted_widths])
@pytest.mark.parametrize("name", SAMPLERS)
def test_replay_with_three_workers_goes_on_as_the_run_did(
    name: str, space: Callable[[Chooser], Genome]
) -> None:
    text = name + POPULATIONS.get(name, "")
    strategy = whole(text, Problem(Space("s", space)))
    told: list[Proposal] = []
    running: list[Proposal] = []
    proposals: list[Proposal] = []
    for trial in range(45):
        if trial == 33:
            again = Problem(Space("s", space))
            for p in [*told, *running]:
                again.draw(p.trial, Replay(p.choices, domains=again.domains))
            resumed = whole(text, again)
            for p in told:
                resumed.tell(p, result(p))
            for p in running:
                resumed.adopt(p)
        try:
            proposal = ask(strategy, trial)
        except Exhausted:
            with pytest.raises(Exhausted):
                resumed.ask(trial)
            break
        proposals.append(proposal)
        if trial >= 33:
            assert ask(resumed, trial).choices == proposal.choices
        running.append(proposal)
        if proposal.settled is not None or len(running) == 3:
            last = running.pop(-1 if proposal.settled else (7 * trial) % len(running))
            told.append(last)
            strategy.tell(last, result(last))
            if trial >= 33:
                resumed.tell(last, result(last))
    assert any(p.note["by"] == make(text, Problem(Space("s", space))).name for p in proposals)  # type: ignore


def needle(text: str, seed: int, trials: int) -> float:
    problem = Problem(Space("six", six), seed, trials=trials)
    generator = problem.generator(0, "needle")
    hidden = {f"w{i}": generator.choice([8, 16, 24, 32]) for i in range(6)}
    strategy, best = whole(text, problem), 0.0
    for trial in range(trials):
        proposal = ask(strategy, trial)
        reward = sum(proposal.choices[name] == value for name, value in hidden.items()) / 6
        strategy.tell(proposal, {"reward": reward})
        best = max(best, reward)
    return best


def test_the_gaussian_process_finds_the_needle() -> None:
    """In a third of the trials, and with a shorter look for the next one: its asks take long."""
    found = [needle("gp:candidates=128,starts=2", seed, 35) for seed in range(7)]
    chance = [needle("random", seed, 35) for seed in range(7)]
    assert wilcoxon(found, chance, alternative="greater").pvalue < 0.01


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga3", "optuna-nsga2"])
def test_several_goals(name: str) -> None:
    goals = read_objectives("accuracy,macs,depth:max")
    options = {"gp": ":startup=5,candidates=64,starts=2", "tpe": ":startup=5"}.get(name, ":population=5")
    strategy = whole(name + options, Problem(Space("six", six), goals=goals))
    for trial in range(14):
        proposal = ask(strategy, trial)
        strategy.tell(proposal, result(proposal))
    assert proposal.note["by"] == name


@pytest.mark.parametrize(("space", "size"), [(conditional, 3 + 9 + 27), (sorted_widths, 35)])
def test_brute_force_gives_every_answer_once(space: Callable[[Chooser], Genome], size: int) -> None:
    strategy = make("brute-force", Problem(Space("s", space)))
    seen = set()
    for trial in range(size):
        proposal = ask(strategy, trial)
        seen.add(tuple(proposal.choices.items()))
        strategy.tell(proposal, result(proposal))
    assert len(seen) == size
    with pytest.raises(Exhausted, match=f"every answer .* {size}"):
        strategy.ask(size)


def test_brute_force_steps_through_real_numbers() -> None:
    problem = Problem(Space("scale", scale))
    strategy = make("brute-force:steps=3", problem)
    seed = problem.draw(100, Replay({"w": 20.0}, domains=problem.domains))
    strategy.tell(seed, result(seed))
    found = []
    for trial in range(3):
        proposal = ask(strategy, trial)
        found.append(proposal.choices["w"])
        strategy.tell(proposal, result(proposal))
    assert sorted(found) == pytest.approx([8, 8**0.5 * 8, 64])  # type: ignore[type-var]


def test_a_sobol_sequence_is_more_even_than_chance() -> None:
    """Sixteen points of a scrambled sequence fall into sixteen equal parts, one into each."""
    strategy = make(
        "qmc", Problem(Space("scale", lambda choose: chain(choose, [choose.integer("w", 1, 16)])))
    )
    found = []
    for trial in range(16):
        proposal = ask(strategy, trial)
        found.append(proposal.choices["w"])
        strategy.tell(proposal, result(proposal))
    assert sorted(found) == list(range(1, 17))  # type: ignore[type-var]


def test_the_state_of_cma_es_is_never_stored_as_a_pickle() -> None:
    strategy = whole("cmaes:population=4", Problem(Space("six", six)))
    notes = []
    for trial in range(20):
        proposal = ask(strategy, trial)
        notes.append(proposal.note)
        strategy.tell(proposal, result(proposal))
    assert any(note.get("again") for note in notes)
    assert max(note.get("attributes", {}).get("cma:generation", 0) for note in notes) >= 3
    assert all(len(json.dumps(note)) < 200 for note in notes)


@pytest.mark.parametrize(
    ("text", "space", "reason"),
    [
        ("cmaes", words, "answered with numbers, and space s has none"),
        ("optuna:sampler=TPESample", six, "did you mean TPESampler"),
        ("optuna:sampler=GridSampler", six, "needs only a seed"),
        ("tpe:candidates=0", six, "at least 1"),
        ("gp:starts=1", six, "at least 2"),
        ("nsga3:population=1", six, "at least 2"),
        ("brute-force:steps=1", six, "at least 2"),
        ("tpe:startup=-1", six, "negative"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    text: str, space: Callable[[Chooser], Genome], reason: str
) -> None:
    with pytest.raises(StrategyError, match=reason) as caught:
        make(text, Problem(Space("s", space)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sampler", ["RandomSampler", "GPSampler", "CmaEsSampler", "BruteForceSampler", "QMCSampler"]
)
def test_any_sampler_by_its_name(sampler: str) -> None:
    strategy = whole(f"optuna:startup=3,sampler={sampler}", Problem(Space("six", six)))
    for trial in range(6):
        proposal = ask(strategy, trial)
        strategy.tell(proposal, result(proposal))
    assert proposal.note["by"] == "optuna"


def test_what_was_pruned_is_told_with_what_it_showed(tmp_path: Path) -> None:
    """And is shown as pruned, with its curve, where others look."""
    url = f"sqlite:///{tmp_path}/study.db"
    strategy: Any = make("tpe", Problem(Space("six", six), name="cut", storage=url))
    proposal = ask(strategy, 0)
    curve = [{"epoch": 1, "loss": 2.0, "accuracy": 0.2, "seconds": 1.0}]
    strategy.tell(proposal, {"status": "pruned", "reward": 0.2, "curve": curve})
    (trial,) = strategy.study.trials
    assert (trial.state, trial.values, trial.constraints) == (optuna.trial.TrialState.COMPLETE, [0.2], {})
    (shown,) = optuna.load_study(study_name="cut", storage=url).trials
    assert (shown.state, shown.intermediate_values) == (optuna.trial.TrialState.PRUNED, {1: 0.2})


def test_a_study_for_others_to_look_at(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    space = SPACES["regnet"].bind(**SPACES["regnet"].presets["laptop"].arguments)
    for _ in range(2):  # the second is a resumed run
        problem = Problem(space, name="mine", storage=url)
        strategy = make("tpe", problem)
        for trial in range(3):
            proposal = ask(strategy, trial)
            assert proposal.genome is not None
            failed = trial == 1
            row = {"reward": None if failed else 0.5, "status": "failed" if failed else "ok", "key": "k"}
            strategy.tell(proposal, row)
    trials = optuna.load_study(study_name="mine", storage=url).trials
    assert [t.state.name for t in trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert trials[2].params == proposal.choices
    assert trials[2].user_attrs == {"trial": 2, "by": "random", "key": "k", "status": "ok"}
    optuna.create_study(study_name="theirs", storage=url)
    with pytest.raises(StrategyError, match=r"someone else's: name another --run"):
        make("tpe", Problem(space, name="theirs", storage=url))
    with pytest.raises(StrategyError, match=r"--storage: .*unable to open"):
        make("tpe", Problem(space, storage=f"sqlite:///{tmp_path}/no/study.db"))
