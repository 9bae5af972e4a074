"""A pool of random networks that a zero-cost proxy ranks before anything is trained (`--proxy`, `--pool`)."""

from __future__ import annotations

import difflib
import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from nas.dispatch import one_line
from nas.options import Options, UsageError
from nas.sources import Progress, silent
from nas.store import write_atomically
from nas.strategies import Exhausted, Problem, Proposal
from nas.strategies.random import acceptable
from search_spaces.choose import Scalar

if TYPE_CHECKING:
    from nas.planning import Plan

POOL = 200
"""Networks of a pool, where `--pool` does not say."""

FILE = "pool.json"
"""In a run directory: the ranking, which a continued run does not make again."""

IN_A_ROW = 1000
"""Draws one after another of networks that are in the pool already, after which it is complete."""

SHARE = 0.2
"""Of `--timeout`: after it no more networks are ranked, unless there is none yet."""

Point = tuple[Mapping[str, Scalar], Mapping[str, Any]]
"""Answers, and the note of their proposal."""


@dataclass(frozen=True)
class Wish:
    """A pool that is asked for: the proxy's name, and how many networks."""

    proxy: str
    size: int

    @property
    def first(self) -> int:
        """How many go first: the best tenth."""
        return max(1, self.size // 10)


def wished(options: Options) -> Wish | None:
    """What is asked for. Raises `UsageError`."""
    if options.proxy is None:
        if options.pool is not None:
            raise UsageError("--pool: needs a --proxy to rank it, such as synflow")
        return None
    from nas.proxies import PROXIES

    name = options.proxy
    if name not in PROXIES:
        close = difflib.get_close_matches(name, PROXIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(PROXIES)}"
        raise UsageError(f"--proxy: no proxy is called {name!r}: {hint}")
    if options.table and not PROXIES[name].of_costs:
        able = ", ".join(n for n, p in PROXIES.items() if p.of_costs)
        raise UsageError(f"--proxy {name}: no network is built when a table answers: take one of {able}")
    return Wish(name, options.pool or POOL)


def draw(problem: Problem, size: int) -> Iterator[Proposal]:
    """Different random networks inside the window, as many as asked for or as there seem to be.

    Raises `Exhausted` when there is none.
    """
    generator = problem.generator(0, "pool")
    found: set[str] = set()
    repeats = 0
    while len(found) < size and repeats < IN_A_ROW:
        proposal = acceptable(problem, 0, generator)
        assert proposal.genome is not None
        if proposal.genome.key in found:
            repeats += 1
            continue
        repeats = 0
        found.add(proposal.genome.key)
        yield proposal


@dataclass(frozen=True)
class Ranking:
    """A ranked pool.

    Attributes:
        networks: answers, key and score of each, best first.
        left_out: reason -> how many networks the proxy says nothing of.
        seconds: that it took.
        cut: its share of `--timeout` was over before the whole pool was ranked.
    """

    networks: list[dict[str, Any]]
    left_out: dict[str, int]
    seconds: float
    cut: bool = False

    def points(self, wish: Wish) -> list[Point]:
        """What goes first."""
        best = self.networks[: wish.first]
        return [(n["choices"], {"by": wish.proxy, "score": n["score"]}) for n in best]

    def describe(self, wish: Wish) -> str:
        """One line."""
        count = f"{len(self.networks)} of {wish.size}" if self.cut else f"{len(self.networks)}"
        said = f"{count} networks ranked by {wish.proxy} in {self.seconds:.0f} s"
        if self.cut:
            said += ", when a fifth of --timeout was over"
        if not self.left_out:
            return said
        reason = max(self.left_out, key=lambda r: self.left_out[r])
        return f"{said}; {sum(self.left_out.values())} left out, such as: {reason}"


def rank(plan: Plan, wish: Wish, progress: Progress = silent) -> Ranking:
    """Draws the plan's pool and scores it; where time is not simulated, only for its share of the timeout.

    A network of which the proxy says nothing is left out, as is one that runs out of memory or of numbers.

    Raises `UsageError` where no network can be drawn, or the proxy says nothing of any.
    """
    from numpy.linalg import LinAlgError

    from nas import sources
    from nas.proxies import PROXIES, ProxyError, score, training_batch

    begin = time.monotonic()
    end = math.inf if plan.simulated or plan.timeout is None else begin + SHARE * plan.timeout
    proxy, problem = PROXIES[wish.proxy], plan.problem()
    batch = None
    if not proxy.of_costs:
        images = plan.images or sources.load(plan.place, "train", progress)
        batch = training_batch(images, plan.recipe, plan.workers.device())
    networks: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    cut = False
    try:
        for i, proposal in enumerate(draw(problem, wish.size)):
            if networks and time.monotonic() >= end:
                cut = True
                break
            progress(f"ranking a pool by {wish.proxy}", i, wish.size)
            assert proposal.genome is not None
            try:
                if batch is None:
                    value = proxy.function(problem.costs(proposal))  # a table may know them better
                else:
                    value = score(wish.proxy, proposal.genome, batch, plan.seed)
            except ProxyError as error:
                left_out[str(error)] += 1
            except (RuntimeError, MemoryError, ArithmeticError, LinAlgError) as error:
                left_out[one_line(error)] += 1
            else:
                networks.append({"key": proposal.genome.key, "score": value, "choices": proposal.choices})
    except Exhausted as none:
        raise UsageError(f"--proxy {wish.proxy}: {none}") from none
    progress(f"ranking a pool by {wish.proxy}", wish.size, wish.size)
    if not networks:
        number, reason = left_out.total(), next(iter(left_out))
        raise UsageError(f"--proxy {wish.proxy}: says nothing of any of {number} networks: {reason}")
    networks.sort(key=lambda n: (-n["score"], n["key"]))
    return Ranking(networks, dict(left_out), time.monotonic() - begin, cut)


def ranked(plan: Plan, progress: Progress = silent, *, remember: bool = False) -> Plan:
    """The plan with its pool ranked, where it has one.

    Args:
        remember: the ranking is kept in the run directory, and taken from there where it is there.
    """
    if plan.pool is None:
        return plan
    file = plan.run / FILE if remember and plan.run is not None else None
    if file is None or not file.exists():
        ranking = rank(plan, plan.pool, progress)
        if file is not None:
            write_atomically(file, (json.dumps(asdict(ranking), indent=1) + "\n").encode())
        return replace(plan, ranking=ranking)
    try:
        return replace(plan, ranking=Ranking(**json.loads(file.read_text())))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{file} cannot be read ({error}): delete it to rank the pool again") from error
