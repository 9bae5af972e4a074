"""What REINFORCE and PPO share: a policy answers, and batches of what became of it change the policy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nas.objectives import Row
from nas.strategies.base import Problem, Proposal, Strategy
from nas.strategies.policy import Policy, Sampler, one_thread
from search_spaces.choose import Scalar

if TYPE_CHECKING:
    from torch import Tensor

TRIES = 32
"""Samples of the policy for one proposal, at most."""

HEAT = 4
"""Settled proposals and repeats in a row that double the temperature."""

PATIENCE = 16
"""Settled proposals and repeats in a row after which the next sample is proposed, whatever it is."""


@dataclass(frozen=True)
class Settings:
    """Options of a controller, as the strategies' docstrings explain them."""

    policy: str
    hidden: int
    layers: int
    lr: float
    batch: int
    epochs: int
    power: float
    baseline: float
    entropy: float
    novel: bool

    def check(self) -> None:
        """Raises ValueError, which says what is allowed."""
        if self.policy not in ("lstm", "logits"):
            raise ValueError(f"policy is lstm or logits, not {self.policy!r}")
        for name in ("hidden", "layers", "batch", "epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        for name in ("lr", "power"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive")
        if not 0 <= self.baseline < 1:
            raise ValueError("baseline must be at least 0 and below 1")
        if not 0 <= self.entropy < math.inf:
            raise ValueError("entropy must not be negative")


@dataclass(frozen=True)
class Sample:
    """One told proposal.

    Attributes:
        advantage: its reward, less the baseline.
        behaviour: log-likelihood of its answers when they were sampled; None: the policy did not sample them.
    """

    choices: dict[str, Scalar]
    advantage: float
    behaviour: float | None


class Controller(Strategy):
    """Samples a policy; subclasses say how a batch changes it.

    An ask samples up to 32 times, until a network is inside the window and new. Every repeat raises the
    temperature of the next sample, and so does every settled proposal in a row: a policy that is sure of its
    answers looks around them, and in the end all over the space. With `novel=false` repeats are proposed,
    and the temperature stays 1.

    The note holds the log-likelihood of the answers when they were sampled, so that trials which end after
    the policy changed, or were sampled at a higher temperature, are weighed by the importance ratio; it is
    cut off at 1 before a batch. That sampling until something is accepted makes answers likelier by a common
    factor is left out of account.

    Every trial teaches. The baseline is a bias-corrected moving average of the rewards, the trial's own
    included. A trial without reward (failed, invalid, outside the window) counts as the worst one so far, and
    leaves the baseline alone; while there is no reward, there is nothing to learn. A duplicate
    counts as what is known of its network. Answers that the policy did not give, such as a seed point's,
    count as if it had given them now.
    """

    name: str

    def __init__(self, problem: Problem, settings: Settings) -> None:
        settings.check()
        self.problem, self.settings = problem, settings
        self.policy = Policy(
            lambda name: problem.generator(0, f"parameters of {name}").getrandbits(62),
            settings.hidden if settings.policy == "lstm" else 0,
            settings.layers,
            settings.lr,
        )
        self.seen: set[str] = set()
        self.fruitless = 0  # settled proposals told in a row
        self.worst: float | None = None
        self.sums = (0.0, 0.0)  # moving sums of rewards and of ones: the baseline is their quotient
        self.batch: list[Sample] = []

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`. The note has the log-likelihood of the answers and the number of samples drawn."""
        generator = self.problem.generator(trial, self.name)
        window, fruitless = self.problem.window, self.fruitless
        for tries in range(1, TRIES + 1):
            last = tries == TRIES or fruitless >= PATIENCE
            temperature = 2.0 ** min(fruitless / HEAT, 32) if self.settings.novel else 1.0
            chooser = Sampler(self.policy, generator, self.problem.domains, temperature)
            limits = None if last else window.highest  # what may be returned is drawn to its end
            proposal = self.problem.draw(trial, chooser, limits)
            inside = proposal.genome is not None and self.problem.violation(proposal) is None
            repeat = proposal.genome is not None and proposal.genome.key in self.seen
            if last or (inside and not (self.settings.novel and repeat)):
                break
            fruitless += inside
        self.adopt(proposal)
        note = {"by": self.name, "log_likelihood": chooser.log_likelihood, "samples": tries}
        return replace(proposal, note=note)

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        if proposal.genome is not None:
            self.seen.add(proposal.genome.key)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self.adopt(proposal)
        self.fruitless = self.fruitless + 1 if proposal.settled is not None else 0
        values = self.problem.values(row)
        if values is not None:
            reward = math.copysign(abs(values[0]) ** self.settings.power, values[0])
            kept = self.settings.baseline
            self.sums = (kept * self.sums[0] + (1 - kept) * reward, kept * self.sums[1] + 1 - kept)
            self.worst = reward if self.worst is None else min(reward, self.worst)
        elif self.worst is not None:
            reward = self.worst
        else:
            return
        if proposal.choices:
            advantage = reward - self.sums[0] / self.sums[1]
            self.batch.append(Sample(proposal.choices, advantage, proposal.note.get("log_likelihood")))
        if len(self.batch) == self.settings.batch:
            with one_thread():
                self.learn(self.batch)
            self.batch = []

    def learn(self, samples: list[Sample]) -> None:
        """Changes the policy by a batch."""
        import torch

        batch = self.policy.encode([sample.choices for sample in samples], self.problem.domains)
        advantages = torch.tensor([sample.advantage for sample in samples])
        with torch.no_grad():
            now = self.policy.likelihoods(batch)[0]
        given = [math.nan if sample.behaviour is None else sample.behaviour for sample in samples]
        old = torch.tensor(given).fmax(now)

        def loss() -> Tensor:
            logs, entropies = self.policy.likelihoods(batch)
            return -(self.gain(logs, old, advantages) + self.settings.entropy * entropies).mean()

        for _ in range(self.settings.epochs):
            self.policy.descend(loss)

    def gain(self, logs: Tensor, old: Tensor, advantages: Tensor) -> Tensor:
        """(B,) what is to be maximised.

        Args:
            logs: (B,) log-likelihoods under the policy.
            old: (B,) log-likelihoods when the answers were sampled, or before this batch where that is more.
            advantages: (B,).
        """
        raise NotImplementedError
