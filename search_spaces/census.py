"""What is in a space: how many answer vectors, and what random draws from it are like."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cells.infer import infer
from cells.ops import Invalid
from search_spaces.choose import Domain, Enumerate, Random
from search_spaces.registry import Space

ENUMERABLE = 1_000_000
"""Answer vectors up to which a conditional space is counted by going through it."""

COSTS = ("params", "macs", "activations", "depth", "receptive_field")


@dataclass(frozen=True)
class Census:
    """What random draws from a space showed.

    Attributes:
        asked: questions met, with their domains.
        fixed: every draw asked the same questions (draws that end as invalid may stop early).
        reasons: why draws were invalid, most frequent first.
        costs: sorted values of the valid draws by cost.
        duplicates: valid draws whose network an earlier draw had.
        seconds: of drawing, shapes, costs and key, for one draw in the mean.
    """

    draws: int
    valid: int
    duplicates: int
    asked: Mapping[str, Domain]
    fixed: bool
    reasons: list[tuple[str, int]]
    costs: Mapping[str, list[float]]
    accepted: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Rates and quantiles."""
        return {
            "samples": self.draws,
            "validity": self.valid / self.draws,
            "duplicates": self.duplicates / self.valid if self.valid else 0.0,
            "acceptance": self.accepted / self.draws,
            "invalid": dict(self.reasons[:5]),
            "ms_per_sample": 1000 * self.seconds,
            **{name: quantiles(values) for name, values in self.costs.items() if values},
        }


def quantiles(values: list[float]) -> dict[str, float]:
    """Minimum, quartiles and maximum."""
    if len(values) == 1:
        first = middle = third = values[0]
    else:
        first, middle, third = statistics.quantiles(values, n=4)
    return {"min": min(values), "q1": first, "median": middle, "q3": third, "max": max(values)}


def sample(space: Space, draws: int, seed: int = 0, macs: tuple[float, float] = (0, math.inf)) -> Census:
    """Draws at random. Raises `SpaceError` when the space is at fault."""
    domains: dict[str, Domain] = {}
    keys: set[str] = set()
    reasons: Counter[str] = Counter()
    costs: dict[str, list[float]] = {name: [] for name in COSTS}
    questions: set[frozenset[str]] = set()
    valid = duplicates = accepted = 0
    begin = time.perf_counter()
    for number in range(draws):
        chooser = Random(f"{seed}/{number}", domains)
        try:
            genome = space.draw(chooser)
            found = infer(genome)
        except Invalid as error:
            reasons[str(error)] += 1
            continue
        valid += 1
        questions.add(frozenset(chooser.record))
        duplicates += genome.key in keys
        keys.add(genome.key)
        for name in COSTS:
            costs[name].append(getattr(found, name))
        accepted += macs[0] <= found.macs <= macs[1]
    seconds = (time.perf_counter() - begin) / draws
    fixed = len(questions) == 1 and next(iter(questions)) == frozenset(domains)
    return Census(draws, valid, duplicates, domains, fixed, reasons.most_common(), costs, accepted, seconds)


def size(space: Space, census: Census) -> tuple[int | None, str]:
    """(number of answer vectors or None, how it was counted).

    The product over questions when no answer changes which are asked; otherwise by enumeration, up to a
    million vectors.
    """
    if space.classic:
        return 1, "asks nothing"
    real = next((name for name, domain in census.asked.items() if domain.size is None), None)
    if real is not None:
        return None, f"not countable: {real} is a real number"
    if census.fixed:
        return math.prod(domain.size or 1 for domain in census.asked.values()), "product over questions"
    about = _estimate(space)
    if about > 10 * ENUMERABLE:
        return None, f"not countable: about {about:.0e} answer vectors, of changing questions"
    count = 0
    for chooser in Enumerate():
        if count == ENUMERABLE:
            return None, f"not countable: more than {ENUMERABLE:,} answer vectors, of changing questions"
        with contextlib.suppress(Invalid):
            space.draw(chooser)
        count += 1
    return count, "enumeration"


def _estimate(space: Space, draws: int = 50) -> float:
    """About how many answer vectors there are: the mean over draws of the product of the sizes of what was
    asked (Knuth 1975, "Estimating the efficiency of backtrack programs").
    """
    total = 0.0
    for seed in range(draws):
        chooser = Random(seed)
        with contextlib.suppress(Invalid):
            space.draw(chooser)
        total += math.prod(chooser.domains[name].size or 1 for name in chooser.record)
    return total / draws
