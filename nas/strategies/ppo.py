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
