"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347), as NASNet was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.strategies.base import Problem, strategy
from nas.strategies.controller import Controller, Settings

if TYPE_CHECKING:
    from torch import Tensor


@strategy("ppo", learns=True)
class Ppo(Controller):
    """An LSTM policy trained by PPO (NASNet: Zoph et al. 2018, arXiv:1707.07012, appendix A).

    NASNet's setting is `lr=0.00035,batch=20,novel=false`, and these defaults: one layer of 100, entropy 1e-5,
    baseline 0.95. It needs thousands of trials; learning rate and batch are ours, for runs of 20 to 200, and
    so are the epochs. The clip is the PPO paper's.

    Args:
        policy: lstm, or logits: no LSTM, each question by itself.
        hidden: outputs of each layer of the LSTM.
        layers: of the LSTM.
        lr: of Adam, whose betas are 0.9 and 0.999.
        batch: trials to one update.
        epochs: steps of Adam for one update.
        clip: epsilon; beyond a factor of 1 ± epsilon a likelihood gains nothing from changing further.
        power: the reward is accuracy^power.
        baseline: what is kept of the moving average at each trial.
        entropy: weight of the entropy in the objective.
        novel: propose no network twice.
    """

    name = "ppo"

    def __init__(
        self,
        problem: Problem,
        policy: str = "lstm",
        hidden: int = 100,
        layers: int = 1,
        lr: float = 0.01,
        batch: int = 10,
        epochs: int = 4,
        clip: float = 0.2,
        power: float = 1.0,
        baseline: float = 0.95,
        entropy: float = 1e-5,
        novel: bool = True,
    ) -> None:
        super().__init__(
            problem, Settings(policy, hidden, layers, lr, batch, epochs, power, baseline, entropy, novel)
        )
        if not 0 < clip < 1:
            raise ValueError("clip must be above 0 and below 1")
        self.clip = clip

    def gain(self, logs: Tensor, old: Tensor, advantages: Tensor) -> Tensor:
        """See `Controller`: the clipped objective, section 3 of Schulman et al."""
        ratio = (logs - old).exp()
        return (ratio * advantages).minimum(ratio.clamp(1 - self.clip, 1 + self.clip) * advantages)
