"""REINFORCE (Williams 1992), as neural architecture search began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.strategies.base import Problem, strategy
from nas.strategies.controller import Controller, Settings

if TYPE_CHECKING:
    from torch import Tensor


@strategy("reinforce", learns=True)
class Reinforce(Controller):
    """An LSTM policy trained by REINFORCE (Zoph & Le 2017, arXiv:1611.01578, section 3.2).
    """

    name = "reinforce"

    def __init__(
        self,
        problem: Problem,
        policy: str = "lstm",
        hidden: int = 100,
        layers: int = 1,
        lr: float = 0.01,
        batch: int = 5,
        power: float = 3.0,
        baseline: float = 0.9,
        entropy: float = 1e-4,
        novel: bool = True,
    ) -> None:
        super().__init__(
            problem, Settings(policy, hidden, layers, lr, batch, 1, power, baseline, entropy, novel)
        )

    def gain(self, logs: Tensor, old: Tensor, advantages: Tensor) -> Tensor:
        """See `Controller`: the importance ratio is cut off at 1."""
        return (logs.detach() - old).exp().clamp(max=1) * advantages * logs
