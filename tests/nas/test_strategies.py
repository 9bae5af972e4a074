"""Every registered strategy keeps the protocol; registering one is enough to be tested."""

import dataclasses
import re
from typing import Any

import pytest
from toys import (
    CHAIN,
    LISTS,
    PROBLEMS,
    TINY,
    TOY,
    Race,
    Told,
    go_on,
    laptop,
    listed,
    made,
    redraw,
    reward,
    whole,
)

from cells.infer import infer
from nas.objectives import read_objectives
from nas.strategies import (
    STRATEGIES,
    Constrain,
    Dedup,
    Exhausted,
    Problem,
    Proposal,
    Seeded,
    StrategyError,
    Wait,
    Window,
    make,
)
from nas.strategies.base import UnknownStrategyError
from search_spaces import SPACES, Replay

EVERY = pytest.mark.parametrize("name", sorted(STRATEGIES))


@EVERY
@pytest.mark.parametrize("problem", [*sorted(PROBLEMS), "listed"])
def test_a_seed_fixes_every_proposal_and_resume_continues_it(name: str, problem: str) -> None:
    new = PROBLEMS.get(problem, listed)
    full = go_on(whole(name, new()), [], 40)
    again = go_on(whole(name, new()), [], 40)
    assert [p.choices for p, _ in full] == [p.choices for p, _ in again]
    assert any(p.settled is None for p, _ in full) or problem != "toy"
    for cut in (5, 20, 31):
        fresh = new()
        for proposal, _ in full[:cut]:
            redraw(proposal, fresh)
        resumed = whole(name, fresh)
        for proposal, row in full[:cut]:
            resumed.tell(proposal, row)
        rest = go_on(resumed, list(full[:cut]), 40)
        assert [p.choices for p, _ in rest] == [p.choices for p, _ in full]


@EVERY
def test_constraints_on_groups_hold_and_replay(name: str) -> None:
    problem = laptop("anynet_e")
    for proposal, _ in go_on(whole(name, problem), [], 40):
        for letter in "dw":
            group = [proposal.choices[f"stage{i}.{letter}"] for i in range(1, 5)]
            assert group == sorted(group)  # type: ignore[type-var]
        assert proposal.genome is not None
        again = Replay(proposal.choices, domains=problem.domains)
        assert problem.space.draw(again).key == proposal.genome.key
        again.finish()


def test_tpe_learns_of_answers_as_they_were_sorted() -> None:
    strategy = make("tpe", laptop("anynet_e"))
    told = go_on(strategy, [], 30)
    studied = strategy.study.trials  # type: ignore[attr-defined]
    for (proposal, _), trial in zip(told, studied, strict=True):
        assert trial.params["stage2.d"] == proposal.choices["stage2.d"]
        assert 8 * trial.params["stage3.w"] == proposal.choices["stage3.w"]


@pytest.mark.parametrize("name", ["regnet", "anynet_e"])
def test_draws_given_up_early_leave_the_others_as_they_are(name: str) -> None:
    problem = laptop(name)
    late = dataclasses.replace(problem, space=dataclasses.replace(problem.space, all_live=False))
    for trial in range(10):
        first, second = make("random", problem).ask(trial), make("random", late).ask(trial)
        assert isinstance(first, Proposal)
        assert isinstance(second, Proposal)
        assert (first.choices, first.note) == (second.choices, second.note)


@EVERY
def test_tells_may_come_in_any_order(name: str) -> None:
    """Four workers; a seed and an order fix everything. A new strategy goes on after a restart."""
    problem = PROBLEMS["toy"]()
    race, again = Race(whole(name, problem)), Race(whole(name, PROBLEMS["toy"]()))
    race.go(0, 40)
    again.go(0, 40)
    assert [p.choices for p, _ in race.told] == [p.choices for p, _ in again.told]
    assert 0 < len(race.running) < 4
    fresh = PROBLEMS["toy"]()
    resumed = Race(whole(name, fresh))
    for proposal in [*(p for p, _ in race.told), *race.running]:
        redraw(proposal, fresh)
    for proposal, row in race.told:
        resumed.strategy.tell(proposal, row)
    for proposal in race.running:
        resumed.strategy.adopt(proposal)
    resumed.running = list(race.running)
    resumed.go(40, 60)
    before = {p.genome.key for p in [*(p for p, _ in race.told), *race.running] if p.genome}
    adopted = {p.trial for p in race.running}
    later = [p for p, _ in resumed.told if p.settled is None and p.trial not in adopted]
    assert not {p.genome.key for p in later if p.genome} & before
    assert {p.trial for p in race.running} & {p.trial for p, _ in resumed.told}


@EVERY
def test_a_pruned_trial_teaches_what_it_showed(name: str) -> None:
    """As much as one that ended there; and more than one that failed, where a strategy learns."""
    asked: dict[str, list[Any]] = {"pruned": [], "ok": [], "failed": []}
    for status, choices in asked.items():
        strategy = whole(name, Problem(CHAIN))
        for trial in range(40):
            proposal = strategy.ask(trial)
            assert isinstance(proposal, Proposal)
            choices.append(proposal.choices)
            row = reward(proposal)
            if row is not None and proposal.settled is None:
                value = None if status == "failed" else row["params"] / 1e6
                epoch = {"epoch": 1, "loss": 2.0, "accuracy": value, "seconds": 1.0}
                row |= {"status": status, "reward": value, "val_accuracy": value, "curve": [epoch]}
            strategy.tell(proposal, row)
    assert asked["pruned"] == asked["ok"]
    assert asked["pruned"] != asked["failed"] or not STRATEGIES[name].learns


@EVERY
def test_nothing_but_failures_is_survived(name: str) -> None:
    strategy = whole(name, PROBLEMS["toy"]())
    for trial in range(40):
        proposal = strategy.ask(trial)
        assert isinstance(proposal, Proposal)
        row: dict[str, Any] | None = {"status": "failed", "reward": None, "val_accuracy": None}
        if proposal.settled is not None and proposal.settled.status == "rejected":
            row = None
        strategy.tell(proposal, row)


@EVERY
def test_rejections_and_duplicates_are_survived(name: str) -> None:
    """A strategy that knows of no window, in a space where most answers are known or rejected."""
    window = Window({"params": (0, 300)})
    strategy = Dedup(Constrain(made(name, Problem(TOY)), Problem(TOY, 0, window)))
    told = go_on(strategy, [], 60)
    assert any(p.settled is not None and p.settled.status == "rejected" for p, _ in told)


@EVERY
def test_several_goals_are_taken_or_refused(name: str) -> None:
    goals = read_objectives("accuracy,params:min")
    problem = dataclasses.replace(PROBLEMS["toy"](), goals=goals)
    if not STRATEGIES[name].several:
        with pytest.raises(StrategyError, match=f"{name} maximises one number, not 2"):
            make(name, problem)
        return
    full = go_on(whole(name, problem), [], 30)
    again = go_on(whole(name, dataclasses.replace(problem, domains={})), [], 30)
    assert [p.choices for p, _ in full] == [p.choices for p, _ in again]
    assert sum(problem.values(row) is not None for _, row in full) >= 10


@EVERY
def test_wrong_options_are_refused_in_one_line(name: str) -> None:
    problem = Problem(TINY)
    made(name, problem)
    wrong = ["nonsense=1", "nonsense"]
    for option, default in STRATEGIES[name].options.items():
        if default is not None:
            wrong.append(f"{option}={1 if isinstance(default, str) else 'nonsense'}")
    for option in wrong:
        with pytest.raises(StrategyError, match=rf"--strategy {name}.*{option.partition('=')[0]}") as caught:
            make(f"{name}:{option}", problem)
        assert "\n" not in str(caught.value)


@EVERY
@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_what_a_strategy_cannot_take_it_refuses_in_one_line(name: str, problem: str) -> None:
    try:
        make(name, PROBLEMS[problem]())
    except StrategyError as error:
        assert re.fullmatch(rf"--strategy {name}: .*'\w+'.*", str(error))  # which names the question


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - LISTS))
def test_what_is_trained_is_inside_the_window_and_new(name: str) -> None:
    problem = laptop()
    strategy = whole(name, problem)
    told = go_on(strategy, [], 60)
    if sum(p.settled is None for p, _ in told) < 15:  # where most of a space is outside
        go_on(strategy, told, 120)
    trained = [p for p, _ in told if p.settled is None]
    assert len(trained) >= 15
    assert len({p.genome.key for p in trained if p.genome}) == len(trained)
    for proposal in trained:
        assert proposal.genome is not None
        assert problem.window.violation(infer(proposal.genome)) is None


@EVERY
def test_an_exhausted_space_ends_with_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.strategies.wrappers.IN_A_ROW", 200)
    strategy = whole(name, Problem(TINY))
    trained = set()
    told: Told = []

    def everything() -> None:
        for trial in range(5000):
            proposal = strategy.ask(trial)
            assert not isinstance(proposal, Wait)
            if proposal.settled is None:
                assert proposal.genome is not None
                trained.add(proposal.genome.key)
            told.append((proposal, reward(proposal)))
            strategy.tell(*told[-1])

    with pytest.raises(Exhausted, match=r"^[^\n]{20,}$"):
        everything()
    assert len(trained) == 3
    resumed = whole(name, Problem(TINY))
    for proposal, row in told:
        redraw(proposal, resumed.inner.problem)  # type: ignore[attr-defined]
        resumed.tell(proposal, row)
    with pytest.raises(Exhausted):  # at once: a finished search is read, not gone on with
        resumed.ask(len(told))


@EVERY
def test_an_empty_window_ends_with_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.strategies.random.DRAWS", 300)
    monkeypatch.setattr("nas.strategies.wrappers.IN_A_ROW", 200)
    strategy = whole(name, Problem(TOY, 0, Window({"params": (1, 2)})))
    with pytest.raises(Exhausted, match=r"outside 1 to 2|in a row|every answer"):
        go_on(strategy, [], 3000)


def test_random_draws_keep_the_distribution_of_the_space() -> None:
    """Rejection inside an ask gives what plain rejection gives, and says how many draws it took."""
    problem = PROBLEMS["toy"]()
    strategy = make("random", problem)
    proposals = [strategy.ask(trial) for trial in range(300)]
    assert all(isinstance(p, Proposal) and p.note["draws"] >= 1 for p in proposals)
    depths = [p.choices["depth"] for p in proposals if isinstance(p, Proposal)]
    assert {depths.count(d) > 60 for d in (2, 3)} == {True}


def test_tpe_learns_and_starts_at_random() -> None:
    told = go_on(whole("tpe", laptop()), [], 150)
    trained = [(p, row) for p, row in told if p.settled is None and row is not None and row["reward"]]
    sources = [p.note["by"] for p, _ in told if p.settled is None]
    assert sources[:12] == ["random"] * 12
    assert set(sources[12:]) == {"tpe"}
    early = [row["reward"] for p, row in trained if p.note["by"] == "random"]
    late = [row["reward"] for p, row in trained[-15:]]
    assert sum(late) / len(late) > 1.2 * sum(early) / len(early)


def test_seed_points_come_first() -> None:
    problem = laptop()
    points = SPACES["regnet"].presets["laptop"].points
    note = {"by": "seed", "seed_point": "laptop"}
    seeded = Seeded(make("random", problem), problem, [(points["laptop"], note)])
    strategy = Dedup(Constrain(seeded, problem))
    first, second = strategy.ask(0), strategy.ask(1)
    assert isinstance(first, Proposal)
    assert isinstance(second, Proposal)
    assert first.note == note
    assert first.choices == points["laptop"]
    assert second.note["by"] == "random"


def test_settled_proposals_say_why() -> None:
    problem = PROBLEMS["toy"]()
    told = go_on(whole("tpe", problem), [], 200)
    kinds = {p.settled.status: p.settled for p, _ in told if p.settled is not None}
    assert set(kinds) >= {"duplicate"}
    assert kinds["duplicate"].of is not None
    assert "the same network as trial" in kinds["duplicate"].reason
    rejecting = Constrain(make("tpe", Problem(TOY)), Problem(TOY, 0, Window({"params": (0, 300)})))
    settled = [p.settled for p, _ in go_on(rejecting, [], 30) if p.settled is not None]
    assert any(s.status == "rejected" and s.violation > 0 and "params" in s.reason for s in settled)


def test_unknown_strategy_suggests() -> None:
    with pytest.raises(UnknownStrategyError, match="did you mean random"):
        make("randon", Problem(TOY))
