"""Laws by which learning curves are continued, and their fits by least squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def power(x: Array, b: float) -> Array:
    """x^-b: curves that fall short of their limit by a power of the epoch (pow3, Domhan et al. 2015).

    As b goes to 0, they go to c + a·log x.
    """
    return np.asarray(x**-b)


def exponential(x: Array, b: float) -> Array:
    """exp(-bx): curves that approach their limit at an even rate.

    As b goes to 0, they go to c + a·x.
    """
    return np.exp(-b * x)


class Family(NamedTuple):
    """c - a·f(x, b), with a >= 0.

    Attributes:
        tried: values of b, from where the family is as good as its limit at 0 to where it is one step; so
            many that two curves whose b are rounded to them are still told apart.
        shared: one b for all curves, the one that leaves the least squares of all together; or one for each.
    """

    f: Callable[[Array, float], Array]
    tried: Array
    shared: bool = False


POWERS, RATES = np.geomspace(0.001, 10, 1000), np.geomspace(0.0001, 10, 1000)

FAMILIES = {
    "power law": Family(power, POWERS),
    "power law, one exponent": Family(power, POWERS, shared=True),
    "exponential": Family(exponential, RATES),
}


LOGARITHM = Family(power, POWERS[:1])
"""c + a·log x, nearly: the power law's limit."""


def extrapolated(curves: Array, epochs: int, family: Family) -> Array:
    """(networks,) what a family expects after so many epochs of curves (networks, epochs so far)."""
    x = np.arange(1, curves.shape[1] + 1, dtype=float)
    off = np.empty((len(family.tried), len(curves)))
    guesses = np.empty_like(off)
    for i, b in enumerate(family.tried):
        basis = family.f(x, b)
        centred = basis - basis.mean()
        slope = np.minimum(curves @ centred / (centred @ centred), 0.0)
        level = curves.mean(1) - slope * basis.mean()
        off[i] = ((curves - level[:, None] - slope[:, None] * basis) ** 2).sum(1)
        guesses[i] = level + slope * family.f(np.array([float(epochs)]), b)
    best = np.full(len(curves), off.sum(1).argmin()) if family.shared else off.argmin(0)
    return np.asarray(guesses[best, np.arange(len(curves))])
