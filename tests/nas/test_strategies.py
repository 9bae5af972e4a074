"""Every registered strategy keeps the protocol; registering one is enough to be tested."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Conv, Flatten, GlobalPool, Invalid, Linear
from cells.sketch import Sketch
from nas.strategies import (
    STRATEGIES,
    Constrain,
    Dedup,
    Exhausted,
    Problem,
    Proposal,
    Seeded,
    Strategy,
    Wait,
    Window,
    make,
)
from nas.strategies.base import UnknownStrategyError
from search_spaces import SPACES, Chooser, Space

Told = list[tuple[Proposal, dict[str, Any] | None]]


def widths(choose: Chooser) -> Genome:
    """A conditional toy: a few convolutions, some of which may not be."""
    s = Sketch((3, 8, 8), "Toy")
    x = s.input
    for i in range(choose.integer("depth", 1, 3)):
        width = choose.integer(f"layer{i}.w", 8, 32, step=8, log=True)
        if width == 24 and i == 0:
            raise Invalid("the first layer is never 24 wide", violation=1)
        x = s.add(f"conv{i}", Conv(width, choose.pick(f"layer{i}.k", [1, 3])), x)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


def tiny(choose: Chooser) -> Genome:
    """A space of three networks."""
    s = Sketch((3, 8, 8), "Tiny")
    x = s.add("conv", Conv(choose.pick("w", [8, 16, 24]), 1), s.input)
    choose.pick("of no effect", [0, 1])
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


TOY, TINY = Space("toy", widths), Space("tiny", tiny)


def laptop(name: str = "regnet") -> Problem:
    space = SPACES[name]
    preset = space.presets["laptop"]
    assert preset.macs is not None
    return Problem(space.bind(**preset.arguments), 0, Window({"macs": preset.macs}))


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "toy": lambda: Problem(TOY, 0, Window({"params": (200, 20_000)})),
    "regnet": laptop,
    "anynet_e": lambda: laptop("anynet_e"),
}


def reward(proposal: Proposal) -> dict[str, Any] | None:
    """What became of a proposal, by a rule in place of training; every seventh trial fails."""
    settled = proposal.settled
    if settled is not None:
        return None if settled.status == "rejected" else {"reward": 0.5 if settled.of is not None else None}
    assert proposal.genome is not None
    failed = proposal.trial % 7 == 6
    return {"reward": None if failed else infer(proposal.genome).params / 1e6}


CHEAP = {"gp": "gp:startup=38,candidates=64,starts=2"}
"""Options with which a strategy whose asks take long is tried."""

LISTS = {"brute-force"}
"""Strategies that go through all answers, most of which are outside these windows."""


def whole(name: str, problem: Problem) -> Strategy:
    return Dedup(Constrain(make(CHEAP.get(name, name), problem), problem))


def go_on(strategy: Strategy, told: Told, asks: int) -> Told:
    start = told[-1][0].trial + 1 if told else 0
    for trial in range(start, asks):
        proposal = strategy.ask(trial)
        assert not isinstance(proposal, Wait)
        row = reward(proposal)
        strategy.tell(proposal, row)
        told.append((proposal, row))
    return told


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_a_seed_fixes_every_proposal_and_resume_continues_it(name: str, problem: str) -> None:
    full = go_on(whole(name, PROBLEMS[problem]()), [], 40)
    again = go_on(whole(name, PROBLEMS[problem]()), [], 40)
    assert [p.choices for p, _ in full] == [p.choices for p, _ in again]
    assert any(p.settled is None for p, _ in full) or name in LISTS
    for cut in (5, 20, 31):
        fresh = PROBLEMS[problem]()
        for proposal, _ in full[:cut]:  # as the driver does, so that the domains are known
            fresh.draw(proposal.trial, _replay(proposal, fresh))
        resumed = whole(name, fresh)
        for proposal, row in full[:cut]:
            resumed.tell(proposal, row)
        rest = go_on(resumed, list(full[:cut]), 40)
        assert [p.choices for p, _ in rest] == [p.choices for p, _ in full]


def _replay(proposal: Proposal, problem: Problem) -> Any:
    from search_spaces import Replay

    return Replay(proposal.choices, domains=problem.domains)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_constraints_on_groups_hold_and_replay(name: str) -> None:
    problem = laptop("anynet_e")
    for proposal, _ in go_on(whole(name, problem), [], 40):
        for letter in "dw":
            group = [proposal.choices[f"stage{i}.{letter}"] for i in range(1, 5)]
            assert group == sorted(group)  # type: ignore[type-var]
        assert proposal.genome is not None
        again = _replay(proposal, problem)
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


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_tells_may_come_in_any_order(name: str) -> None:
    strategy = whole(name, PROBLEMS["toy"]())
    running: list[Proposal] = []
    for trial in range(60):
        proposal = strategy.ask(trial)
        assert not isinstance(proposal, Wait)
        if proposal.settled is not None:
            strategy.tell(proposal, reward(proposal))
            continue
        running.append(proposal)
        if len(running) == 4:
            late = running.pop(trial % 4)
            strategy.tell(late, reward(late))


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - LISTS))
def test_what_is_trained_is_inside_the_window_and_new(name: str) -> None:
    problem = laptop()
    trained = [p for p, _ in go_on(whole(name, problem), [], 60) if p.settled is None]
    assert len(trained) >= 15
    assert len({p.genome.key for p in trained if p.genome}) == len(trained)
    for proposal in trained:
        assert proposal.genome is not None
        assert problem.window.violation(infer(proposal.genome)) is None


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_an_exhausted_space_ends_with_a_sentence(name: str) -> None:
    strategy = whole(name, Problem(TINY))
    trained = set()

    def everything() -> None:
        for trial in range(5000):
            proposal = strategy.ask(trial)
            assert not isinstance(proposal, Wait)
            if proposal.settled is None:
                assert proposal.genome is not None
                trained.add(proposal.genome.key)
            strategy.tell(proposal, reward(proposal))

    with pytest.raises(Exhausted, match=r"proposals in a row|every answer"):
        everything()
    assert len(trained) == 3


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_an_empty_window_ends_with_a_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.strategies.random.DRAWS", 300)
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
    strategy = Dedup(Constrain(Seeded(make("random", problem), problem, points), problem))
    first, second = strategy.ask(0), strategy.ask(1)
    assert isinstance(first, Proposal)
    assert isinstance(second, Proposal)
    assert first.note == {"by": "seed", "seed_point": "laptop"}
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
