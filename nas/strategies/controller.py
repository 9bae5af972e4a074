"""What REINFORCE and PPO share: a policy answers, and batches of what became of it change the policy."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nas.objectives import Row
from nas.strategies.base import Problem, Proposal, Strategy, costs_of
from nas.strategies.policy import Policy, Sampler, one_thread
from search_spaces.choose import Scalar

if TYPE_CHECKING:
    from torch import Tensor

TRIES = 32
"""Samples of the policy for one proposal, at most."""

PATIENCE = 16
"""Repeats in a row after which a proposal may be a repeat."""


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

    A sample outside the window is drawn again, up to 32 times, and so is a network that was proposed before;
    each repeat in a row raises the temperature of the next sample, so that a policy which is sure of its
    answers looks around them, and in the end at the whole space. `novel=false` takes repeats as they come.
    The likelihood in the note is that of the sampled answers at their temperature. That drawing again makes
    what is accepted more likely by a common factor is left out of account.

    The baseline is a bias-corrected moving average. A trial without a reward (failed, pruned, invalid,
    outside the window) counts as the worst one so far and leaves the baseline alone; before there is a
    reward, nothing is learned. A duplicate teaches what is known of its network; a trial that the policy did
    not sample, such as a seed point, teaches as if it had.
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
        self.repeats = 0  # duplicates told in a row
        self.worst: float | None = None
        self.sums = (0.0, 0.0)  # moving sums of rewards and of ones: the baseline is their quotient
        self.batch: list[Sample] = []

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`. The note has the log-likelihood of the answers and the number of samples drawn."""
        generator = self.problem.generator(trial, self.name)
        window, repeats = self.problem.window, self.repeats
        for tries in range(1, TRIES + 1):
            heat = 2.0 ** min(repeats / 4, 32) if self.settings.novel else 1.0
            chooser = Sampler(self.policy, generator, self.problem.domains, heat)
            limits = window.highest if tries < TRIES else None  # what is returned is drawn to its end
            proposal = self.problem.draw(trial, chooser, limits)
            note = {"by": self.name, "log_likelihood": chooser.log_likelihood, "samples": tries}
            proposal = replace(proposal, note=note)
            if proposal.genome is None or window.violation(costs_of(proposal)) is not None:
                continue
            if not self.settings.novel or proposal.genome.key not in self.seen:
                break
            repeats += 1
            if repeats >= PATIENCE:
                break
        self.adopt(proposal)
        return proposal

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        if proposal.genome is not None:
            self.seen.add(proposal.genome.key)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self.adopt(proposal)
        settled = proposal.settled
        self.repeats = self.repeats + 1 if settled is not None and settled.status == "duplicate" else 0
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

    def learn(self, batch: list[Sample]) -> None:
        """Changes the policy by a batch."""
        import torch

        advantages = torch.tensor([sample.advantage for sample in batch])
        records = [sample.choices for sample in batch]
        old: Tensor | None = None

        def loss() -> Tensor:
            nonlocal old
            logs, entropies = self.policy.likelihoods(records, self.problem.domains)
            if old is None:
                now = logs.tolist()
                given = [l if s.behaviour is None else s.behaviour for s, l in zip(batch, now, strict=True)]
                old = torch.tensor(given)
            gain = self.gain(logs, old, advantages)
            return -(gain + self.settings.entropy * entropies).mean()

        for _ in range(self.settings.epochs):
            self.policy.descend(loss)

    def gain(self, logs: Tensor, old: Tensor, advantages: Tensor) -> Tensor:
        """(B,) what is to be maximised.

        Args:
            logs: (B,) log-likelihoods under the policy.
            old: (B,) log-likelihoods when the answers were sampled.
            advantages: (B,).
        """
        raise NotImplementedError
