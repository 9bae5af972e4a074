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

    The reward is R = accuracy^power, cubed as in the paper.

    Defaults are ours, for runs of 20 to 200 trials. Published settings:

    - Zoph & Le, section 4.1: `hidden=35,layers=2,lr=0.0006,batch=8,entropy=0,novel=false`, which needs
      thousands of trials.
    - NATS-Bench (Dong et al. 2021, arXiv:2009.00437; AutoDL-Projects, exps/NATS-algos/reinforce.py):
      `policy=logits,lr=0.01,power=1,baseline=0.9,batch=1,entropy=0,novel=false`.

    Args:
        policy: lstm, or logits: no LSTM, each question by itself.
        hidden: outputs of each layer of the LSTM.
        layers: of the LSTM.
        lr: of Adam, whose betas are 0.9 and 0.999.
        batch: trials to one update.
        power: of the accuracy.
        baseline: what is kept of the moving average at each trial.
        entropy: weight of the entropy in the objective; 1e-4 is that of ENAS (Pham et al. 2018).
        novel: propose no network twice.
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
        """See `Controller`."""
        return (logs.detach() - old).exp() * advantages * logs
