"""What a sample of trained networks says of the space that it was drawn from, and how far two spaces differ.

DDS: Radosavovic et al. 2020, "Designing Network Design Spaces", arXiv:2003.13678. NDS: Radosavovic et al.
2019, "On Network Design Spaces for Visual Recognition", arXiv:1905.13214. Errors are in any unit, fractions
or points; differences, margins and spreads are in the same one.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats
from scipy.special import gammaln

from search_spaces.regnet import RANGES, widths_of

Array = NDArray[np.float64]


# -- The distribution of errors --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Edf:
    """The error EDF, F(e) = sum of w_i 1[e_i < e] (DDS equation 1, where w_i = 1/n; NDS for weights).

    Attributes:
        e: (n,) errors, ascending.
        w: (n,) their weights, which sum to 1.
    """

    e: Array
    w: Array

    def __call__(self, e: ArrayLike) -> Array:
        """F at each of some errors."""
        return self.below[np.searchsorted(self.e, np.asarray(e, float), side="left")]

    def __len__(self) -> int:
        return len(self.e)

    def __str__(self) -> str:
        return f"min {self.min:.1f}, median {self.median:.1f}, mean {self.mean:.1f}"

    @property
    def below(self) -> Array:
        """(n + 1,): the weight of the first 0 to n errors."""
        return np.concatenate([[0.0], np.cumsum(self.w)])

    @property
    def min(self) -> float:
        """The least error of any weight."""
        return float(self.e[self.w > 0][0])

    @property
    def mean(self) -> float:
        """The weighted mean."""
        return float(self.w @ self.e)

    @property
    def median(self) -> float:
        """Half the weight is on either side; where that is so between two errors, their middle."""
        e, total = self.e[self.w > 0], np.cumsum(self.w[self.w > 0])
        low = int(np.searchsorted(total, 0.5 - 1e-12))
        high = min(low + 1, len(e) - 1) if math.isclose(total[low], 0.5) else low
        return float(e[low] + e[high]) / 2

    @property
    def size(self) -> float:
        """How many equally weighted errors are worth these: Kish's 1 / sum of w_i^2; n without weights."""
        return float(1 / (self.w @ self.w))

    @property
    def sd(self) -> float:
        """The standard deviation; of equal weights the usual one, with n - 1."""
        spread = float(self.w @ (self.e - self.mean) ** 2)
        return math.sqrt(spread * self.size / (self.size - 1)) if self.size > 1 + 1e-9 else math.nan

    @property
    def standard_error(self) -> float:
        """Of the mean. Weights that equalise complexity make it smaller than this says, so it is cautious."""
        n = len(self)
        return math.sqrt(float(self.w**2 @ (self.e - self.mean) ** 2) * n / (n - 1)) if n > 1 else math.nan


def edf(errors: ArrayLike, weights: ArrayLike | None = None) -> Edf:
    """The EDF of some errors; weights are scaled to sum 1.

    Raises:
        ValueError: there are none, one is no number, or the weights are negative, all 0, or not as many.
    """
    e = np.asarray(errors, float)
    w = np.ones_like(e) if weights is None else np.asarray(weights, float)
    if e.ndim != 1 or not len(e) or not np.isfinite(e).all():
        raise ValueError("an EDF needs a list of errors, each a number")
    if w.shape != e.shape or not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise ValueError("an EDF needs one weight for each error, none below 0 and one above")
    order = np.argsort(e, kind="stable")
    return Edf(e[order], w[order] / w.sum())


def bootstrap_band(
    f: Edf, at: ArrayLike, *, repeats: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[Array, Array]:
    """Pointwise limits of F at each of some errors, by the ordinary bootstrap: n of n with replacement.

    A model is drawn together with its weight, and the weights of each repeat are scaled to sum 1.
    """
    n = len(f)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=repeats) * f.w
    below = np.concatenate([np.zeros((repeats, 1)), np.cumsum(counts, axis=1)], axis=1)
    total = below[:, -1:]
    below = (below / np.where(total > 0, total, 1))[total[:, 0] > 0]  # a repeat may have drawn only weights 0
    low, high = np.quantile(below, [(1 - level) / 2, (1 + level) / 2], axis=0)
    place = np.searchsorted(f.e, np.asarray(at, float), side="left")
    return low[place], high[place]


def dkw_band(f: Edf, at: ArrayLike, *, level: float = 0.95) -> tuple[Array, Array]:
    """Limits between which all of F lies at once (Dvoretzky-Kiefer-Wolfowitz, with Massart's constant).

    Exact without weights. With weights n is `Edf.size`, which is an approximation.
    """
    half = math.sqrt(math.log(2 / (1 - level)) / (2 * f.size))
    return np.clip(f(at) - half, 0, 1), np.clip(f(at) + half, 0, 1)


@dataclass(frozen=True, eq=False)
class Equalised:
    """Weights under which several samples of networks have one distribution of complexity.

    Attributes:
        weights: for each sample, one weight for each network; they sum to 1.
        edges: of the bins.
        used: for each bin, whether every sample has a network in it.
    """

    weights: tuple[Array, ...]
    edges: Array
    used: tuple[bool, ...]

    @property
    def left_out(self) -> list[float]:
        """For each sample, the share of its networks that lie in a bin that is not used."""
        return [float(np.mean(w == 0)) for w in self.weights]

    def __str__(self) -> str:
        empty = len(self.used) - sum(self.used)
        if not empty:
            return f"{len(self.used)} bins, all of them in every space"
        shares = ", ".join(f"{share:.0%}" for share in self.left_out)
        return (
            f"{sum(self.used)} of {len(self.used)} bins: {empty} without networks of every space, "
            f"which leaves out {shares} of the networks of each"
        )


def equalised(complexities: Sequence[ArrayLike], *, bins: int = 5) -> Equalised:
    """Weights that make samples alike in parameters, or in multiply-adds (NDS, "Controlling for complexity").

    Each sample is a list of complexities. A network in a bin weighs 1 / (bins · networks of its sample in
    that bin). Bins are common to all samples: quantiles of all networks together, because equal steps, of a
    complexity or of its logarithm, leave bins at the ends almost empty, where one network would get the
    weight of many. What cannot be compared is not: a bin in which some sample has no network counts for none,
    and its networks weigh 0.

    Raises:
        ValueError: no bin has networks of every sample.
    """
    samples = [np.asarray(sample, float) for sample in complexities]
    edges = np.unique(np.quantile(np.concatenate(samples), np.linspace(0, 1, bins + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    places = [np.searchsorted(edges[1:-1], sample, side="right") for sample in samples]
    counts = np.array([np.bincount(place, minlength=len(edges) - 1) for place in places])
    used = np.all(counts > 0, axis=0)
    if not used.any():
        raise ValueError(f"the spaces share none of {len(used)} bins of complexity: they cannot be equalised")
    weights = tuple(
        used[place] / (used.sum() * count[place]) for place, count in zip(places, counts, strict=True)
    )
    return Equalised(weights, edges, tuple(bool(u) for u in used))


@dataclass(frozen=True)
class BestRange:
    """The values of a setting that good networks have: a 95% interval, and the most likely best."""

    low: float
    best: float
    high: float

    def __str__(self) -> str:
        return f"{self.best:g} [{self.low:g}, {self.high:g}]"


def best_range(
    x: ArrayLike,
    e: ArrayLike,
    *,
    share: float = 0.25,
    repeats: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> BestRange:
    """Where the best value of a setting lies (DDS, footnote 4).

    A share of the pairs (x_i, e_i) is drawn with replacement, and the x of the least error is kept; over many
    repeats these x have an interval, and their median is the most likely best.
    """
    values, errors = np.asarray(x, float), np.asarray(e, float)
    drawn = np.random.default_rng(seed).integers(len(values), size=(repeats, math.ceil(share * len(values))))
    best = values[drawn[np.arange(repeats), np.argmin(errors[drawn], axis=1)]]
    low, middle, high = np.quantile(best, [(1 - level) / 2, 0.5, (1 + level) / 2], method="nearest")
    return BestRange(float(low), float(middle), float(high))


def random_search(errors: ArrayLike, m: ArrayLike) -> tuple[Array, Array]:
    """(mean, standard deviation) of the least error of m of the n networks, for each of some m.

    Exact: the least of m is the i-th of n with probability C(n - i, m - 1) / C(n, m) (NDS plots it by
    sampling). Raises ValueError for an m that is not between 1 and n.
    """
    e, sizes = np.sort(np.asarray(errors, float)), np.atleast_1d(np.asarray(m, int))[:, None]
    n = len(e)
    if (sizes < 1).any() or (sizes > n).any():
        raise ValueError(f"m must be between 1 and the {n} networks that there are")
    after = n - np.arange(1, n + 1)  # how many are worse than the i-th
    taken = np.minimum(sizes - 1, after)
    p = np.where(
        after >= sizes - 1,
        np.exp(_log_binomial(after, taken) - _log_binomial(np.array(n), sizes)),
        0.0,
    )
    mean = p @ e
    return mean, np.sqrt(np.maximum(p @ e**2 - mean**2, 0))


def _log_binomial(n: NDArray[Any], k: NDArray[Any]) -> Array:
    found: Array = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return found


# -- Two distributions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a test found.

    Attributes:
        value: the Kolmogorov-Smirnov distance, or the difference of the means.
        p: its p-value.
    """

    value: float
    p: float


def ks(a: Edf, b: Edf) -> Outcome:
    """The largest distance between two EDFs, and how likely chance gives one as large (two-sided).

    Without weights this is SciPy's test. With weights p is that of the limiting distribution for samples of
    `Edf.size`, which is an approximation.
    """
    if np.ptp(a.w) < 1e-12 and np.ptp(b.w) < 1e-12:
        found = stats.ks_2samp(a.e, b.e)
        return Outcome(float(found.statistic), float(found.pvalue))
    every = np.nextafter(np.concatenate([a.e, b.e]), math.inf)
    distance = float(np.abs(a(every) - b(every)).max())
    size = a.size * b.size / (a.size + b.size)
    return Outcome(distance, float(stats.kstwobign.sf(math.sqrt(size) * distance)))


def lower(a: Edf, b: Edf, *, repeats: int = 10_000, seed: int = 0) -> Outcome:
    """Whether the mean of a is below that of b: a one-sided permutation test on their difference, a - b.

    Networks are dealt anew to the two samples, each with its weight, which is 1 in the mean of each sample.
    All deals are counted where there are no more than the repeats.
    """
    e, w = np.concatenate([a.e, b.e]), np.concatenate([a.w * len(a), b.w * len(b)])

    def difference(first: NDArray[Any], second: NDArray[Any], axis: int) -> Array:
        one, other = (
            (e[i] * w[i]).sum(axis) / np.maximum(w[i].sum(axis), np.finfo(float).tiny)
            for i in (first.astype(int), second.astype(int))
        )
        found: Array = one - other
        return found

    found = stats.permutation_test(
        (np.arange(len(a)), np.arange(len(a), len(e))),
        difference,
        vectorized=True,
        n_resamples=repeats,
        batch=1000,
        alternative="less",
        rng=np.random.default_rng(seed),
    )
    return Outcome(float(found.statistic), float(found.pvalue))


def equal(a: Edf, b: Edf, margin: float) -> Outcome:
    """Whether the means differ by less than a margin: two one-sided tests (Schuirmann 1987).

    They are Welch's, because a space under a constraint rarely has the spread of the space itself, and
    because dealing networks anew, as `lower` does, tests whether distributions are the same, which is not
    what equivalence is about. Means of the dozens of networks that a space is judged by are close to normal.
    p is the larger of the two; 1 where a sample is worth fewer than two networks.
    """
    if margin <= 0:
        raise ValueError(f"the margin of an equivalence test must be above 0, not {margin:g}")
    difference = a.mean - b.mean
    if min(a.size, b.size) < 2 - 1e-9:
        return Outcome(difference, 1.0)
    parts = [a.standard_error**2, b.standard_error**2]
    error = math.sqrt(sum(parts))
    if not error:
        return Outcome(difference, 0.0 if abs(difference) < margin else 1.0)
    freedom = error**4 / sum(part**2 / (f.size - 1) for part, f in zip(parts, (a, b), strict=True))
    return Outcome(difference, float(stats.t.sf((margin - abs(difference)) / error, freedom)))


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for being several (Holm 1979), in the order given."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    found, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = found[i] = max(worst, min(1.0, (len(p) - rank) * p[i]))
    return found


# -- How many networks it takes --------------------------------------------------------------------------


def power_to_tell(n: int, spread: float, difference: float, *, level: float = 0.05) -> float:
    """How often n networks of each of two spaces show, one-sided, that one mean is lower by a difference.

    Of the t test, for equal standard deviations; permutation tests of as many have much the same.
    """
    freedom = 2 * n - 2
    shift = difference / spread * math.sqrt(n / 2)
    return float(stats.nct.sf(stats.t.isf(level, freedom), freedom, shift))


def power_to_equate(n: int, spread: float, margin: float, *, level: float = 0.05) -> float:
    """How often n networks of each of two spaces of one mean show that it is one within +-margin."""
    freedom = 2 * n - 2
    room = margin / spread * math.sqrt(n / 2) - stats.t.isf(level, freedom)
    return max(0.0, float(2 * stats.t.cdf(room, freedom) - 1))


def models_to_tell(spread: float, difference: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """Networks of each space that `power_to_tell` asks for. Raises ValueError for no difference or spread."""
    return _models(power_to_tell, spread, difference, power, level)


def models_to_equate(spread: float, margin: float, *, power: float = 0.8, level: float = 0.05) -> int:
    """Networks of each space that `power_to_equate` asks for. Raises ValueError for no margin or spread."""
    return _models(power_to_equate, spread, margin, power, level)


def _models(power_of: Callable[..., float], spread: float, apart: float, power: float, level: float) -> int:
    if not (spread > 0 and apart > 0 and 0 < power < 1 and 0 < level < 1):
        raise ValueError("a sample size needs a spread and a difference above 0, a power and a level below 1")

    def enough(n: int) -> bool:
        return power_of(n, spread, apart, level=level) >= power

    high = 2
    while not enough(high):
        high *= 2
    return bisect.bisect_left(range(high + 1), True, lo=2, key=enough)


def difference_told(n: int, spread: float, *, power: float = 0.8, level: float = 0.05) -> float:
    """The least difference of means that n networks of each space tell at that power (`power_to_tell`)."""
    found = optimize.brentq(lambda x: power_to_tell(n, 1.0, x, level=level) - power, 0.0, 100.0)
    return spread * float(found)


def sample_size(n: int, spread: float, margin: float) -> str:
    """One line for before the training: what n networks of each space can show, and what more would take."""
    if n < 2 or not 0 < spread < math.inf:
        return f"{n} networks a space, standard deviation {spread:.3g}: nothing can be shown"
    return (
        f"{n} networks a space, standard deviation {spread:.3g}: means {difference_told(n, spread):.2g} "
        f"apart are told at 80% power (one-sided, level 0.05); {margin:g} apart would take "
        f"{models_to_tell(spread, margin)}, equal within ±{margin:g} {models_to_equate(spread, margin)}"
    )


# -- From AnyNet to RegNet -------------------------------------------------------------------------------


class Fit(NamedTuple):
    """The line that comes closest to a network, and how close (`e_fit`)."""

    e: float
    w_0: int
    w_a: float
    w_m: float


def e_fit(d: Sequence[int], w: Sequence[int]) -> Fit:
    """How far a network of stages of depth d_i and width w_i is from a RegNet (DDS, section 3.3).

    The mean over blocks of |log(predicted width / width)|, natural logarithm, for the w_0, w_a and w_m that
    make it least: grid search over the ranges of RegNet, w_0 in steps of 8, w_a (and 0) and w_m in 32 equal
    steps of their logarithm; the depth is that of the network. Published RegNets of these ranges are at 0.05
    at most.
    """
    u = np.log(np.repeat(np.asarray(w, float), d))
    settings, widths = _grid(32 * math.ceil(len(u) / 32))
    far = np.abs(widths[:, : len(u)] - u).mean(axis=1)
    best = int(np.argmin(far))
    return Fit(float(far[best]), *settings[best])


@cache
def _grid(d: int) -> tuple[list[tuple[int, float, float]], Array]:
    """Settings, and the logarithms of the widths of d blocks of each; those of fewer blocks are the first."""
    (low, high), slope, step = (RANGES[name] for name in ("w_0", "w_a", "w_m"))
    slopes, steps = (np.geomspace(lo, hi, 33).tolist() for lo, hi in (slope, step))
    settings = list(itertools.product(range(low, high + 1, 8), [0.0, *slopes], steps))
    return settings, np.log([widths_of(d, *setting)[0] for setting in settings])
