"""Controllers: what their policy answers, how likely it says that is, and what batches teach it."""

import dataclasses
import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from cells.genome import Genome
from cells.ops import Conv, Flatten, GlobalPool, Linear
from cells.sketch import Sketch
from nas.strategies import Constrain, Dedup, Problem, Proposal, Settled, StrategyError, Window, make
from nas.strategies.controller import Controller, Sample
from nas.strategies.policy import Policy, Sampler
from nas.strategies.vocabulary import Question
from search_spaces import SPACES, Chooser, Space
from search_spaces.domain import Domain, Integer, Pick, Real, Scalar

CONTROLLERS = ["ppo", "reinforce"]

DOMAINS: list[Domain] = [
    Pick((8, True, "x", None, 1)),
    Pick(("only",)),
    Integer(3, 3),
    Integer(1, 7, 2),
    Integer(8, 512, 8, log=True),
    Integer(1, 1000),
    Integer(1, 100_000, log=True),
    Integer(16, 10_000, 16, log=True),
    Real(2.0, 2.0),
    Real(-1.0, 3.0),
    Real(1e-4, 1.0, log=True),
]


def chain(choose: Chooser) -> Genome:
    """Sixteen networks."""
    s = Sketch((3, 8, 8), "Chain")
    x = s.input
    for i in range(2):
        x = s.add(f"conv{i}", Conv(choose.pick(f"w{i}", [8, 16, 24, 32]), 1), x)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


CHAIN = Space("chain", chain)


def search_problem(name: str, seed: int = 0) -> Problem:
    """A space as `nas.search` takes it on a laptop."""
    preset = SPACES[name].presets.get("laptop")
    if preset is None:
        return Problem(SPACES[name], seed)
    window = Window({} if preset.macs is None else {"macs": preset.macs})
    return Problem(SPACES[name].bind(**preset.arguments), seed, window)


def controller(text: str, problem: Problem) -> Controller:
    made = make(text, problem)
    assert isinstance(made, Controller)
    return made


def policy(hidden: int = 20, layers: int = 1) -> Policy:
    return Policy(lambda name: random.Random(f"0/{name}").getrandbits(62), hidden, layers, 0.01)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_answers_are_numbered_and_have_the_distribution_of_their_domain(domain: Domain) -> None:
    question, generator = Question(domain), random.Random(0)
    assert question.size <= 64
    assert question.features.shape[0] == question.size
    for number in range(question.size):
        for _ in range(3):
            value = question.value(number, generator)
            assert value in domain
            assert question.number(value) == number
    drawn = Counter(question.number(domain.draw(generator)) for _ in range(20_000))
    shares = [math.exp(p) for p in question.prior.tolist()]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    # Half the sum of |differences|, of which 64 equal shares make 0.02 by chance.
    assert sum(abs(drawn[i] / 20_000 - share) for i, share in enumerate(shares)) / 2 < 0.03
    with pytest.raises(ValueError, match="is not"):
        question.number("not an answer")


@pytest.mark.parametrize("space", ["anynet_e", "convnet", "darts"])
@pytest.mark.parametrize(("hidden", "layers"), [(0, 1), (20, 2)])
def test_sampled_answers_are_as_likely_as_the_gradient_takes_them_to_be(
    space: str, hidden: int, layers: int
) -> None:
    """Conditional questions and groups that are mended included; in numpy and, all at once, in torch."""
    problem, made, generator = search_problem(space), policy(hidden, layers), random.Random(1)
    with torch.no_grad():  # away from the initial policy, whose answers are all about as likely
        for name in ("", "warm"):
            problem.draw(0, Sampler(made, generator, problem.domains), note={"by": name})
        for met in made.known.values():
            met.tensor.add_(torch.randn(met.tensor.shape, generator=torch.Generator().manual_seed(3)))
    samplers = [Sampler(made, generator, problem.domains) for _ in range(6)]
    for sampler in samplers:
        problem.draw(0, sampler)
    batch = made.encode([sampler.record for sampler in samplers], problem.domains)
    logs, entropies = made.likelihoods(batch)
    assert logs.tolist() == pytest.approx([s.log_likelihood for s in samplers], rel=1e-4)
    assert statistics.pstdev(logs.tolist()) > 0.5
    for sampler, entropy in zip(samplers, entropies.tolist(), strict=True):
        state, total = made.start, 0.0
        for name, value in sampler.record.items():
            met = made.known[name]
            state = made.advance(state)
            odds = made.probabilities(state, met).astype(float)
            total -= float((odds * [math.log(max(p, 1e-30)) for p in odds]).sum())
            state = made.feed(state, met, met.question.number(value))
        assert entropy == pytest.approx(total, rel=1e-4)


def test_parameters_do_not_depend_on_the_order_of_meeting_nor_touch_torchs_generator() -> None:
    before = torch.get_rng_state()
    one, other = policy(), policy()
    for made, names in ((one, "abc"), (other, "cab")):
        for name in names:
            made.meet(name, DOMAINS[0])
    for name in "abc":
        assert torch.equal(one.known[name].tensor, other.known[name].tensor)
    assert not torch.equal(one.known["a"].tensor, one.known["b"].tensor)
    assert torch.equal(before, torch.get_rng_state())


def test_a_high_temperature_leads_back_to_the_domain() -> None:
    made = policy()
    met = made.meet("w", Integer(8, 512, 8, log=True))
    met.tensor.data.mul_(100)
    state = made.advance(made.start)
    domain = np.exp(met.question.prior)
    away = [float(abs(made.probabilities(state, met, t) - domain).sum()) for t in (1, 8, 2.0**30)]
    assert away[0] > away[1] > away[2]
    assert away[2] < 1e-5


def test_logits_follow_nats_bench_step_by_step() -> None:
    """Against its rule written out: a logit for each option, its own moving average, Adam with lr 0.01."""
    problem = Problem(CHAIN, 3)
    text = "reinforce:policy=logits,lr=0.01,power=1,baseline=0.9,batch=1,entropy=0,novel=false"
    strategy = controller(text, problem)
    proposals = [strategy.ask(0)]
    theirs = [
        torch.nn.Parameter(strategy.policy.known[name].tensor.detach().clone()[:, 0]) for name in ("w0", "w1")
    ]
    adam = torch.optim.Adam(theirs, lr=0.01, betas=(0.9, 0.999))
    numerator = denominator = 0.0
    rewards = random.Random(0)
    for trial in range(60):
        accuracy = rewards.uniform(0.1, 0.9)
        strategy.tell(proposals[-1], {"reward": accuracy})
        percent = 100 * accuracy
        numerator = 0.9 * numerator + 0.1 * percent
        denominator = 0.9 * denominator + 0.1
        log = torch.zeros(())
        for logits, name in zip(theirs, ("w0", "w1"), strict=True):
            log = log + logits.log_softmax(0)[[8, 16, 24, 32].index(proposals[-1].choices[name])]  # type: ignore[arg-type]
        adam.zero_grad()
        (-log * (percent - numerator / denominator)).backward()
        adam.step()
        proposals.append(strategy.ask(trial + 1))
    for logits, name in zip(theirs, ("w0", "w1"), strict=True):
        ours = strategy.policy.known[name].tensor[:, 0]
        assert max(map(abs, ours.tolist())) > 0.02
        assert ours.tolist() == pytest.approx(logits.tolist(), abs=2e-4)


def near(domain: Domain, planted: Any, given: Any) -> float:
    """Whether it is the same option; for numbers 1 less twice their distance, in parts of the range."""
    if isinstance(domain, Pick) or given is None:
        return float(given == planted)
    scale: Callable[[Any], float] = math.log if domain.log else float
    width = scale(domain.hi) - scale(domain.lo)
    return max(0.0, 1 - 2 * abs(scale(given) - scale(planted)) / width) if width else 1.0


def belief(strategy: Controller, planted: Mapping[str, Scalar]) -> float:
    """Expected nearness of one answer, when those before are the planted ones."""
    made, total, generator = strategy.policy, 0.0, random.Random(0)
    state = made.start
    for name, value in planted.items():
        domain = strategy.problem.domains[name]
        met = made.meet(name, domain)
        state = made.advance(state)
        for number, share in enumerate(made.probabilities(state, met).tolist()):
            total += share * near(domain, value, met.question.value(number, generator))
        state = made.feed(state, met, met.question.number(value))
    return total / len(planted)


@pytest.mark.parametrize("name", CONTROLLERS)
@pytest.mark.parametrize("space", ["darts", "regnet", "convnet"], ids=["cells", "chain", "conditional"])
def test_controllers_train(space: str, name: str) -> None:
    """Late proposals are closer to a planted network than early ones, and the policy believes in it."""
    gains, rises = [], []
    for seed in range(2):
        problem = search_problem(space, seed)
        hidden = make("random", dataclasses.replace(problem, seed=100 + seed)).ask(0)
        assert isinstance(hidden, Proposal)
        planted = hidden.choices
        inner = controller(name, problem)
        strategy = Dedup(Constrain(inner, problem))
        before = belief(inner, planted)
        rewards: list[float] = []
        trial = 0
        while len(rewards) < 50:
            proposal = strategy.ask(trial)
            assert isinstance(proposal, Proposal)
            trial += 1
            if proposal.settled is not None and proposal.settled.status != "duplicate":
                strategy.tell(proposal, None)
                continue
            nearness = [near(problem.domains[q], v, proposal.choices.get(q)) for q, v in planted.items()]
            reward = statistics.mean(nearness)
            strategy.tell(proposal, {"reward": reward})
            rewards.append(reward)
        gains.append(statistics.mean(rewards[-15:]) - statistics.mean(rewards[:15]))
        rises.append(belief(inner, planted) - before)
    assert statistics.mean(gains) > 0.1
    assert statistics.mean(rises) > 0.1


def _likelihood(strategy: Controller, choices: Mapping[str, Scalar]) -> float:
    made = strategy.policy
    with torch.no_grad():
        return float(made.likelihoods(made.encode([choices], strategy.problem.domains))[0])


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_sure_policy_still_finds_every_network(name: str) -> None:
    """Sixteen networks, though one answer to each question has all the likelihood."""
    problem = Problem(CHAIN)
    inner = controller(f"{name}:batch=99", problem)
    strategy = Dedup(inner)
    found: list[int] = []
    for trial in range(32):
        proposal = strategy.ask(trial)
        assert isinstance(proposal, Proposal)
        strategy.tell(proposal, {"reward": 0.5})
        if proposal.settled is None:
            found.append(trial)
        for met in inner.policy.known.values():
            met.tensor.data[0, 0] = 8.0
    assert len(found) == 16
    repeating = controller(f"{name}:novel=false", problem)
    repeating.ask(0)
    for met in repeating.policy.known.values():
        met.tensor.data[0, 0] = 8.0
    assert {tuple(repeating.ask(t).choices.values()) for t in range(1, 9)} == {(8, 8)}


def test_what_has_no_reward_counts_as_the_worst_and_moves_no_baseline() -> None:
    problem = Problem(CHAIN)
    strategy = controller("reinforce:batch=99,power=1,baseline=0", problem)
    proposals = [strategy.ask(trial) for trial in range(6)]
    strategy.tell(proposals[0], {"reward": None})  # nothing to compare with yet
    assert strategy.batch == []
    strategy.tell(proposals[1], {"reward": 0.25})
    strategy.tell(proposals[2], {"reward": 0.75})
    rejected = Proposal(3, proposals[3].choices, None, settled=Settled("rejected", "too large", 1.0))
    strategy.tell(rejected, None)
    strategy.tell(proposals[4], {"reward": None, "curve": []})
    duplicate = Proposal(5, proposals[2].choices, None, settled=Settled("duplicate", "again", of=2))
    strategy.tell(duplicate, {"reward": 0.75})
    assert [sample.advantage for sample in strategy.batch] == [0, 0, -0.5, -0.5, 0]
    negative = controller("reinforce:batch=99,baseline=0.5", problem)  # minus the latency, say
    for trial, reward in enumerate((-1.0, -2.0)):
        negative.tell(negative.ask(trial), {"reward": reward})
    assert negative.batch[1].advantage == pytest.approx(-8 - (-1 / 4 - 8 / 2) / (3 / 4))


def test_gains_depend_on_how_likely_answers_were() -> None:
    """The gradient of REINFORCE has the importance ratio; PPO's is 0 once a likelihood changed by 20%."""
    problem = Problem(CHAIN)
    logs = torch.tensor([0.5, 1.0, 1.5, 0.5, 1.5]).log().requires_grad_()
    old = torch.zeros(5)
    advantages = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0])
    controller("reinforce", problem).gain(logs, old, advantages).sum().backward()  # type: ignore[no-untyped-call]
    assert logs.grad is not None
    assert logs.grad.tolist() == pytest.approx([0.5, 1.0, 1.5, -0.5, -1.5])
    logs.grad = None
    controller("ppo", problem).gain(logs, old, advantages).sum().backward()  # type: ignore[no-untyped-call]
    assert logs.grad.tolist() == pytest.approx([0.5, 1.0, 0.0, 0.0, -1.5])


@pytest.mark.parametrize("name", CONTROLLERS)
def test_importance_ratios_are_cut_off_at_1(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that were most unlikely when they were sampled do not outweigh all others."""
    problem = Problem(CHAIN)
    strategy = controller(name, problem)
    choices = [strategy.ask(trial).choices for trial in range(3)]
    now = [_likelihood(strategy, choice) for choice in choices]
    seen: list[list[float]] = []
    gain = strategy.gain

    def watched(logs: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
        seen.append(old.tolist())
        return gain(logs, old, advantages)

    monkeypatch.setattr(strategy, "gain", watched)
    behaviours = (now[0] - 200, now[1] + 1, None)
    strategy.learn([Sample(c, -1.0, b) for c, b in zip(choices, behaviours, strict=True)])
    assert seen[0] == pytest.approx([now[0], now[1] + 1, now[2]], abs=1e-4)
    assert all(math.isfinite(_likelihood(strategy, choice)) for choice in choices)


@pytest.mark.parametrize("name", CONTROLLERS)
def test_a_seed_point_teaches_as_if_the_policy_had_given_it(name: str) -> None:
    problem = Problem(CHAIN)
    strategy = controller(f"{name}:batch=4", problem)
    asked = [strategy.ask(trial) for trial in range(3)]
    point = Proposal(3, {"w0": 24, "w1": 32}, None, note={"by": "seed"})
    before = _likelihood(strategy, point.choices)
    for proposal in asked:
        strategy.tell(proposal, {"reward": 0.2})
    strategy.tell(point, {"reward": 0.9})
    assert _likelihood(strategy, point.choices) > before
    assert strategy.batch == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reinforce:policy=gru", "policy is lstm or logits"),
        ("reinforce:batch=0", "batch must be at least 1"),
        ("reinforce:lr=0", "lr must be positive"),
        ("reinforce:baseline=1", "baseline must be at least 0 and below 1"),
        ("ppo:entropy=-1", "entropy must not be negative"),
        ("ppo:clip=1.5", "clip must be above 0 and below 1"),
    ],
)
def test_wrong_options_say_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(StrategyError, match=said):
        make(text, Problem(CHAIN))
