"""Small spaces, and rules in place of training: what the tests of strategies share."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Conv, Flatten, GlobalPool, Invalid, Linear
from cells.sketch import Sketch
from nas.strategies import Constrain, Dedup, Problem, Proposal, Strategy, StrategyError, Wait, Window, make
from search_spaces import SPACES, Chooser, Replay, Space
from search_spaces.domain import Pick
from search_spaces.listed import Listed
from search_spaces.reduce import increasing

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


def mixed(choose: Chooser) -> Genome:
    """Every kind of question: real numbers, whole ones on a logarithmic scale, a group, a conditional one."""
    s = Sketch((3, 8, 8), "Mixed")
    slope = choose.real("slope", 1, 8, log=True)
    shift = choose.real("shift", 0, 16)
    ordered = increasing(choose, ["w0", "w1"])
    x = s.add("conv0", Conv(ordered.integer("w0", 8, 64, step=4, log=True), 1), s.input)
    x = s.add("conv1", Conv(ordered.integer("w1", 8, 64, step=4, log=True), 1), x)
    if choose.pick("more", [True, False]):
        x = s.add("conv2", Conv(round(8 + shift + slope * choose.integer("factor", 1, 5)), 1), x)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


QUESTIONS, OPTIONS = [f"conv{i}" for i in range(6)], [8, 16, 24, 32]


def chain(choose: Chooser) -> Genome:
    """Six questions of four options; every answer changes the network."""
    s = Sketch((3, 8, 8), "Chain")
    x = s.input
    for question in QUESTIONS:
        x = s.add(question, Conv(choose.pick(question, OPTIONS), 1), x)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


TOY, TINY, MIXED, CHAIN = (Space(f.__name__, f) for f in (widths, tiny, mixed, chain))


def laptop(name: str = "regnet") -> Problem:
    space = SPACES[name]
    preset = space.presets["laptop"]
    assert preset.macs is not None
    return Problem(space.bind(**preset.arguments), 0, Window({"macs": preset.macs}))


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "toy": lambda: Problem(TOY, 0, Window({"params": (200, 20_000)})),
    "mixed": lambda: Problem(MIXED, 0, Window({"params": (500, 4_000)})),
    "regnet": laptop,
    "anynet_e": lambda: laptop("anynet_e"),
}


def listed() -> Problem:
    """A table of 60 chains: most answers stand for others."""
    rng = random.Random(0)
    records = [dict(zip(QUESTIONS, rng.choices(OPTIONS, k=6), strict=True)) for _ in range(60)]
    rows = Listed(
        records, dict.fromkeys(QUESTIONS, Pick(tuple(OPTIONS))), lambda i: chain(Replay(records[i]))
    )
    return Problem(Space("listed", rows.draw))


def reward(proposal: Proposal) -> dict[str, Any] | None:
    """What became of a proposal, by a rule in place of training: in seven trials one fails, one is pruned."""
    settled = proposal.settled
    if settled is not None and settled.status == "rejected":
        return None
    if proposal.genome is None:
        return {"status": "invalid", "reward": None, "val_accuracy": None}
    params = infer(proposal.genome).params
    trial = proposal.trial if settled is None or settled.of is None else settled.of
    status = {3: "pruned", 6: "failed"}.get(trial % 7, "ok")
    accuracies = [params / 2e6, params / 1e6][: {"pruned": 1, "failed": 0, "ok": 2}[status]]
    value = accuracies[-1] if accuracies else None
    return {
        "status": status if settled is None else settled.status,
        "reward": value,
        "val_accuracy": value,
        "params": params,
        "curve": [
            {"epoch": i, "loss": 2.0, "accuracy": accuracy, "seconds": 1.0}
            for i, accuracy in enumerate(accuracies, start=1)
        ],
    }


CHEAP = {"gp": "gp:startup=38,candidates=64,starts=2"}
"""Options with which a strategy whose asks take long is tried."""

LISTS = {"brute-force"}
"""Strategies that go through all answers, most of which are outside these windows."""


def made(name: str, problem: Problem) -> Strategy:
    """The strategy; the test is skipped where it says that it cannot take the problem."""
    try:
        return make(CHEAP.get(name, name), problem)
    except StrategyError as error:
        pytest.skip(str(error))


def whole(name: str, problem: Problem) -> Strategy:
    return Dedup(Constrain(made(name, problem), problem))


def go_on(strategy: Strategy, told: Told, asks: int) -> Told:
    """One worker, up to that number of asks."""
    start = told[-1][0].trial + 1 if told else 0
    for trial in range(start, asks):
        proposal = strategy.ask(trial)
        assert not isinstance(proposal, Wait)
        row = reward(proposal)
        strategy.tell(proposal, row)
        told.append((proposal, row))
    return told


def redraw(proposal: Proposal, problem: Problem) -> Replay:
    """Draws a proposal again, as the driver does before it tells it to a new strategy."""
    again = Replay(proposal.choices, domains=problem.domains)
    problem.draw(proposal.trial, again)
    return again


class Race:
    """Workers whose results come in an order of their own; a duplicate is told after what it repeats.

    Attributes:
        told: in order.
        running: asked and not told.
    """

    def __init__(self, strategy: Strategy, workers: int = 4) -> None:
        self.strategy = strategy
        self.workers = workers
        self.chance = random.Random(0)
        self.told: Told = []
        self.running: list[Proposal] = []
        self.repeats: list[Proposal] = []

    def go(self, first: int, last: int) -> None:
        """Asks for the trials from first up to last."""
        for trial in range(first, last):
            while isinstance(proposal := self.strategy.ask(trial), Wait):
                assert self.running, "waits for nothing"
                self.finish()
            of = None if proposal.settled is None else proposal.settled.of
            if proposal.settled is None:
                self.running.append(proposal)
            elif of is not None and any(other.trial == of for other in self.running):
                self.repeats.append(proposal)
            else:
                self.tell(proposal)
            if len(self.running) == self.workers:
                self.finish()

    def finish(self) -> None:
        """One of the running trials ends."""
        done = self.running.pop(self.chance.randrange(len(self.running)))
        self.tell(done)
        for repeat in [r for r in self.repeats if r.settled and r.settled.of == done.trial]:
            self.repeats.remove(repeat)
            self.tell(repeat)

    def tell(self, proposal: Proposal) -> None:
        row = reward(proposal)
        self.strategy.tell(proposal, row)
        self.told.append((proposal, row))
