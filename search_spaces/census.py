"""What is in a space: how many answer vectors and networks, and what random draws from it are like."""

from __future__ import annotations

import contextlib
import math
import random
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cells.infer import infer
from cells.ops import Invalid
from cells.sketch import Exceeded
from search_spaces.choose import Domain, Enumerate, Group, Random, Recorder, Scalar
from search_spaces.registry import Space

ENUMERABLE = 1_000_000
"""Answer vectors up to which a conditional space is counted by going through it."""

GIVE_UP = 50_000
"""Draws in a row without a new network inside the window that end the sampling."""

COSTS = ("params", "macs", "activations", "depth", "receptive_field")


@dataclass(frozen=True)
class Census:
    """What random draws from a space showed.

    Attributes:
        asked: questions met, with their domains.
        groups: of questions that were answered together.
        fixed: every draw asked the same questions (draws that end as invalid may stop early).
        reasons: why draws were invalid, most frequent first.
        outside: legal draws outside the window.
        duplicates: draws inside whose network an earlier one had.
        once, twice: networks that were drawn exactly so often.
        costs: sorted values of the draws inside by cost; with a window, of each network once.
        seconds: of drawing, shapes, costs and key, for one draw in the mean.
    """

    draws: int
    reasons: list[tuple[str, int]]
    outside: int
    duplicates: int
    once: int
    twice: int
    asked: Mapping[str, Domain]
    groups: tuple[Group, ...]
    fixed: bool
    costs: Mapping[str, list[float]]
    seconds: float

    @property
    def invalid(self) -> int:
        """Draws that led to no legal network."""
        return sum(number for _, number in self.reasons)

    @property
    def valid(self) -> int:
        """Draws that led to a legal network, or were given up before they led to none."""
        return self.draws - self.invalid

    @property
    def inside(self) -> int:
        """Legal draws inside the window."""
        return self.valid - self.outside

    @property
    def distinct(self) -> int:
        """Different networks inside the window."""
        return self.inside - self.duplicates

    def to_json(self) -> dict[str, Any]:
        """Rates, what was skipped, quantiles and histograms."""
        return {
            "samples": self.draws,
            "validity": self.valid / self.draws,
            "duplicates": self.duplicates / self.inside if self.inside else 0.0,
            "acceptance": self.inside / self.draws,
            "distinct": self.distinct,
            "skipped": {"invalid": self.invalid, "outside": self.outside, "duplicate": self.duplicates},
            "invalid": dict(self.reasons[:5]),
            "ms_per_sample": 1000 * self.seconds,
            **{
                name: quantiles(values) | {"histogram": histogram(values)}
                for name, values in self.costs.items()
                if values
            },
        }


def quantiles(values: list[float]) -> dict[str, float]:
    """Minimum, quartiles and maximum."""
    if len(values) == 1:
        first = middle = third = values[0]
    else:
        first, middle, third = statistics.quantiles(values, n=4)
    return {"min": min(values), "q1": first, "median": middle, "q3": third, "max": max(values)}


def histogram(values: list[float], bins: int = 24) -> list[int]:
    """How many values lie in each of equal intervals of their logarithm, from the smallest to the largest."""
    logs = [math.log(max(v, 1)) for v in values]
    low, high = min(logs), max(logs)
    counts = [0] * bins
    for value in logs:
        counts[min(bins - 1, int(bins * (value - low) / (high - low or 1)))] += 1
    return counts


def sample(
    space: Space,
    count: int,
    seed: int = 0,
    macs: tuple[float, float] | None = None,
    timeout: float = math.inf,
) -> Census:
    """Draws at random: `count` times, or with a window until it has `count` different networks inside.

    What the window rejects is rejected as early as the space allows, and the rest has the distribution of
    draws that are looked at when they are finished. A window without a new network in `GIVE_UP` draws, or
    `timeout` seconds, end the sampling. Raises `SpaceError` when the space is at fault.
    """
    low, high = macs or (0, math.inf)
    limits = {"macs": high} if high < math.inf else {}
    rng = random.Random(seed)
    domains: dict[str, Domain] = {}
    groups: dict[Group, None] = {}
    found: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    costs: dict[str, list[float]] = {name: [] for name in COSTS}
    questions: set[frozenset[str]] = set()
    draws = outside = latest = 0
    begin = time.perf_counter()
    while draws < count if macs is None else len(found) < count and draws - latest < GIVE_UP:
        if time.perf_counter() - begin > timeout:
            break
        draws += 1
        chooser = Random(rng, domains)
        try:
            genome = space.draw(chooser, limits)
            known = infer(genome)
        except Exceeded:
            outside += 1
            continue
        except Invalid as error:
            reasons[str(error)] += 1
            continue
        questions.add(frozenset(chooser.record))
        groups.update(dict.fromkeys(chooser.groups))
        if not low <= known.macs <= high:
            outside += 1
            continue
        found[genome.key] += 1
        if found[genome.key] == 1:
            latest = draws
        if found[genome.key] == 1 or macs is None:
            for name in COSTS:
                costs[name].append(getattr(known, name))
    seconds = (time.perf_counter() - begin) / draws
    times = Counter(found.values())
    return Census(
        draws=draws,
        reasons=reasons.most_common(),
        outside=outside,
        duplicates=found.total() - len(found),
        once=times[1],
        twice=times[2],
        asked=domains,
        groups=tuple(groups),
        fixed=len(questions) == 1 and next(iter(questions)) == frozenset(domains),
        costs={name: sorted(values) for name, values in costs.items()},
        seconds=seconds,
    )


@dataclass(frozen=True)
class Size:
    """How large a space is.

    Attributes:
        vectors: the exact number of answer vectors; None: not countable.
        how: how it was counted, or why it cannot be.
        networks: how many different networks that is; None: not known.
        source: how that is known, or that it is estimated.
    """

    vectors: int | None
    how: str
    networks: int | None = None
    source: str = ""


def size(space: Space, census: Census, enumerable: int = ENUMERABLE) -> Size:
    """Counts a space of which random draws without a window showed the questions.

    The product over questions, in which a constrained group has its own count, when no answer changes which
    are asked; otherwise what the space's own `count` says; otherwise by going through it, up to a million
    vectors.
    """
    if space.classic:
        return Size(1, "asks nothing", 1, "it is one")
    networks, source = (space.networks and space.networks(**space.settings)) or _estimate(census)
    vectors, how = None, ""
    real = next((name for name, domain in census.asked.items() if domain.size is None), None)
    if real is not None:
        how = f"not countable: {real} is a real number"
    elif census.fixed:
        grouped = {name for group in census.groups for name in group.names}
        vectors = math.prod(domain.size or 1 for name, domain in census.asked.items() if name not in grouped)
        vectors *= math.prod(group.count(census.asked[group.names[0]]) or 1 for group in census.groups)
        how = "product over questions" + (" and groups" if grouped else "")
    elif space.count is not None:
        vectors, how = space.count(**space.settings), "the space's own count"
    else:
        about = _knuth(space)
        if about > 2 * enumerable:
            how = f"not countable: about {about:.1e} answer vectors, of changing questions"
        else:
            return _enumerated(space, networks, source, enumerable)
    return Size(vectors, how, networks, source)


def _enumerated(space: Space, networks: int | None, source: str, enumerable: int) -> Size:
    keys: set[str] = set()
    count = 0
    for chooser in Enumerate():
        if count == enumerable:
            how = f"not countable: more than {enumerable:,} answer vectors, of changing questions"
            return Size(None, how, networks, source)
        with contextlib.suppress(Invalid):
            keys.add(space.draw(chooser).key)
        count += 1
    return Size(count, "enumeration", len(keys), "enumeration")


def _estimate(census: Census) -> tuple[int | None, str]:
    """(different networks, how that is known) by how many were drawn once and twice."""
    if not census.twice:
        return None, ""
    unseen = census.once**2 / (2 * census.twice)
    return round(
        census.distinct + unseen
    ), "at least about so many, by the repeats among the samples (Chao 1984)"


class _Uniform(Recorder):
    """Answers uniformly, and knows the inverse probability of its answers."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng
        self.weight = 1

    def answer(self, name: str, domain: Domain) -> Scalar:
        values = domain.values()
        self.weight *= len(values)
        return self.rng.choice(values)

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        found: list[Scalar] = []
        for _ in group.names:
            legal = [value for value in domain.values() if group.holds([*found, value])]
            self.weight *= len(legal)
            found.append(self.rng.choice(legal))
        return found


def _knuth(space: Space, draws: int = 200) -> float:
    """About how many answer vectors: the mean inverse probability of uniform answers (Knuth 1975)."""
    rng = random.Random(0)
    total = 0
    for _ in range(draws):
        chooser = _Uniform(rng)
        with contextlib.suppress(Invalid):
            space.draw(chooser)
        total += chooser.weight
    return total / draws
