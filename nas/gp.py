"""A Gaussian process over answer vectors: what a trial would have scored without the noise of its training.

Two answer vectors are alike when they give the same answers (share of questions answered otherwise, D) and
when they give the same answers wherever (difference of the bags of answers to questions of one domain, B):
k(x, x') = exp(-a·D - b·B). Values are the normal scores of their ranks, so that one failed training does not
stretch the scale. a, b and the noise maximise the marginal likelihood (Rasmussen & Williams 2006, equation
5.8) over a grid. What the kernel cannot explain counts as noise: without any in the data, some is found where
networks differ by more than their answers tell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.domain import Domain, Pick, Real, Scalar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Answers = Mapping[str, Scalar]

A = (0.3, 0.6, 1.2, 2.1, 3.6)
B = (0.0, 0.6, 1.8, 4.2)
NOISE = (0.001, 0.03, 0.1, 0.3, 1.0)
"""The grid; noise as a share of the variance of the values."""


class Encoding:
    """Answer vectors as numbers between which distances can be taken.

    A question that was not asked is an answer of its own. Numbers are placed on their domain's scale, 0-1.

    Args:
        bags: whether B is more than 0.
    """

    def __init__(self, domains: Mapping[str, Domain], bags: bool = True) -> None:
        self.domains = {name: domain for name, domain in domains.items() if domain.size != 1}
        places: dict[Domain, list[int]] = {}
        for i, domain in enumerate(self.domains.values() if bags else ()):
            places.setdefault(domain, []).append(i)
        self.bags = [(domain, where) for domain, where in places.items() if len(where) > 1]

    def encode(self, records: Sequence[Answers]) -> Array:
        """(records, questions): option numbers or places on a scale; -1: not asked."""
        import numpy as np

        found = [
            [
                _place(domain, record[name]) if name in record else -1.0
                for name, domain in self.domains.items()
            ]
            for record in records
        ]
        return np.array(found, dtype=np.float64).reshape(len(records), len(self.domains))

    def distances(self, x: Array, y: Array) -> tuple[Array, Array]:
        """D and B between each row of x and each of y, both between 0 and 1."""
        import numpy as np

        apart = np.zeros((len(x), len(y)))
        for i, domain in enumerate(self.domains.values()):
            a, b = x[:, i, None], y[None, :, i]
            if isinstance(domain, Pick):
                apart += a != b
            else:
                apart += np.where((a < 0) != (b < 0), 1.0, np.minimum(1.0, np.abs(a - b)))
        bags = np.zeros_like(apart)
        for domain, places in self.bags:
            p, q = _bag(domain, x[:, places]), _bag(domain, y[:, places])
            bags += np.abs(p[:, None] - q[None]).sum(-1) / 2
        return apart / max(1, len(self.domains)), bags / max(1, sum(len(places) for _, places in self.bags))


def _place(domain: Domain, value: Scalar) -> float:
    if isinstance(domain, Pick):
        options = enumerate(domain.options)
        return float(next((i for i, o in options if o == value and type(o) is type(value)), -1))
    assert isinstance(value, int | float)
    low, high = domain.lo, domain.hi
    if low == high:
        return 0.0
    if domain.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _bag(domain: Domain, x: Array) -> Array:
    """(records, bins) how often each answer was given; of numbers: how many, and how much in all."""
    import numpy as np

    if isinstance(domain, Pick):
        return np.stack([(x == i).sum(1) for i in range(len(domain.options))], 1).astype(np.float64)
    asked = x >= 0
    total = np.where(asked, x, 0).sum(1)
    return np.stack([asked.sum(1), asked.sum(1), total, total], 1) / 2


class Kernel(NamedTuple):
    """Its parameters; the noise as a share of the variance of the values."""

    a: float
    b: float
    noise: float

    def __call__(self, distances: tuple[Array, Array]) -> Array:
        import numpy as np

        apart, bags = distances
        return np.asarray(np.exp(-self.a * apart - self.b * bags))


def scores(values: Sequence[float]) -> Array:
    """Normal scores of the ranks of values (Blom 1958, without his correction)."""
    from scipy import stats

    found: Array = stats.norm.ppf((stats.rankdata(values) - 0.5) / len(values))
    return found


def fit(encoding: Encoding, records: Sequence[Answers], values: Sequence[float]) -> Kernel:
    """The kernel of the highest marginal likelihood of the values' scores."""
    import numpy as np

    x, y = encoding.encode(records), scores(values)
    distances = encoding.distances(x, x)
    best = (-math.inf, Kernel(A[0], B[0], NOISE[-1]))
    for a, b in itertools.product(A, B if encoding.bags else B[:1]):
        w, v = np.linalg.eigh(Kernel(a, b, 0)(distances))
        z2 = (v.T @ y) ** 2
        for noise in NOISE:
            d = np.maximum(w, 0) + noise
            variance = max(float(np.mean(z2 / d)), 1e-12)
            likelihood = -0.5 * (len(y) * math.log(variance) + float(np.log(d).sum()))
            best = max(best, (likelihood, Kernel(a, b, noise)))
    return best[1]


class Process:
    """A process conditioned on what was seen.

    Attributes:
        seen: its mean for each record: the value without noise, in normal scores.
    """

    def __init__(
        self, encoding: Encoding, kernel: Kernel, records: Sequence[Answers], values: Sequence[float]
    ) -> None:
        self.encoding, self.kernel = encoding, kernel
        self.x = encoding.encode(records)
        self._condition(scores(values))

    def _condition(self, y: Array) -> None:
        import numpy as np
        from scipy.linalg import cho_factor, cho_solve

        k = self.kernel(self.encoding.distances(self.x, self.x))
        self.y = y
        self.factor = cho_factor(k + self.kernel.noise * np.eye(len(y)), lower=True)
        self.weights = cho_solve(self.factor, y)
        self.variance = max(float(y @ self.weights) / len(y), 1e-12)
        self.seen: Array = k @ self.weights

    def believe(self, records: Sequence[Answers]) -> None:
        """Takes records whose values are not known yet to have those that are expected of them."""
        import numpy as np

        mean, _ = self.posterior(records)
        self.x = np.concatenate([self.x, self.encoding.encode(records)])
        self._condition(np.concatenate([self.y, mean]))

    def posterior(self, records: Sequence[Answers]) -> tuple[Array, Array]:
        """Mean and standard deviation for other records, noise not included."""
        import numpy as np
        from scipy.linalg import solve_triangular

        k = self.kernel(self.encoding.distances(self.encoding.encode(records), self.x))
        v = solve_triangular(self.factor[0], k.T, lower=True)
        spread = np.maximum(1 - (v**2).sum(0), 1e-9)
        return k @ self.weights, np.sqrt(self.variance * spread)


def estimates(records: Sequence[Answers], values: Sequence[float]) -> list[float]:
    """What each trial would have scored without noise, in normal scores of its rank among all.

    By D alone: which questions have the same domain, the answers do not tell.
    """
    if len(values) < 3:
        return list(values)
    encoding = Encoding(_observed(records), bags=False)
    process = Process(encoding, fit(encoding, records, values), records, values)
    return [float(v) for v in process.seen]


def _observed(records: Sequence[Answers]) -> dict[str, Domain]:
    """Domains as wide as the answers that were given."""
    domains: dict[str, Domain] = {}
    for name in dict.fromkeys(name for record in records for name in record):
        given = [record[name] for record in records if name in record]
        numbers = [v for v in given if type(v) in (int, float)]
        if len(numbers) < len(given):
            domains[name] = Pick(tuple(dict.fromkeys(given)))
        else:
            low, high = min(numbers), max(numbers)  # type: ignore[type-var]
            domains[name] = Real(low, high, low > 0 and high / low >= 8)  # type: ignore[operator, arg-type]
    return domains
