"""How the learning rate changes over a training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nas.recipe import Recipe


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of a step (from 0) of so many, as a share of the recipe's peak.

    What `plateau` takes off is not in it: that depends on the validation accuracy.
    """
    if recipe.schedule == "one-cycle":
        rise = max(1.0, 0.3 * steps)
    else:
        rise = max(1.0, recipe.warmup * steps) if recipe.warmup else 0.0
        if step < rise and recipe.warmup_rate is not None:
            return recipe.warmup_rate
    if step < rise:
        return (step + 1) / (rise + 1)
    if recipe.schedule == "plateau":
        return 1.0
    if recipe.schedule == "step":
        return math.prod(recipe.gamma for m in recipe.milestones if step >= round(m * steps))
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1.0, steps - rise)))


@dataclass
class Plateau:
    """What `plateau` has taken off the learning rate so far.

    Attributes:
        scale: the share that is left.
        best: highest accuracy seen; waited: epochs since.
    """

    scale: float = 1.0
    best: float = -math.inf
    waited: int = 0

    def judge(self, accuracy: float, recipe: Recipe) -> None:
        """Lowers the learning rate when the accuracy has not risen for the recipe's patience."""
        if accuracy > self.best:
            self.best, self.waited = accuracy, 0
            return
        self.waited += 1
        if self.waited >= recipe.patience:
            self.scale, self.waited = self.scale * recipe.gamma, 0
