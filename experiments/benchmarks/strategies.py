"""Milliseconds per ask and tell of every strategy, beside random search, in one run."""

from __future__ import annotations

import argparse
import math
import statistics
import time
from typing import Any

from cells.infer import infer
from nas.strategies import STRATEGIES, Constrain, Dedup, Exhausted, Problem, StrategyError, Wait, Window, make
from search_spaces import find


def arguments(p: argparse.ArgumentParser) -> None:
    """Flags of this benchmark."""
    p.add_argument("--trials", type=int, default=200, help="of each strategy (default: 200)")
    p.add_argument("--only", help="strategies, such as random,evolution (default: all)")
    p.add_argument("--spaces", default="nasbench201,regnet", help="(default: nasbench201,regnet)")
    p.add_argument("--seconds", type=float, default=120.0, help="after which one is cut short (default: 120)")


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Mean milliseconds over all asks, and over the last fifth of them; the first ask is left out."""
    table: list[dict[str, Any]] = []
    names = given.only.split(",") if given.only else sorted(STRATEGIES, key=lambda n: (n != "random", n))
    for space in given.spaces.split(","):
        rows = [_one(name, space, given.trials, given.seconds) for name in names]
        base = next((row["ms"] for row in rows if row["asks"]), math.nan)  # some do not take every space
        table += [row | {"ratio to the first": row["ms"] / base} for row in rows]
    return table


def _one(name: str, space: str, trials: int, seconds: float) -> dict[str, Any]:
    entry = find(space)
    preset = entry.presets.get("laptop")
    window = Window()
    if preset is not None:
        entry = entry.bind(**preset.arguments)
        window = Window({"macs": preset.macs} if preset.macs else {})
    problem = Problem(entry, 0, window, trials)
    row = {
        "what": f"{name} on {space}",
        "asks": 0,
        "trained": 0,
        "ms": float("nan"),
        "last fifth": float("nan"),
    }
    try:
        strategy = Dedup(Constrain(make(name, problem), problem))
    except StrategyError:
        return row  # it does not take such a space
    spans: list[float] = []
    known: dict[int, float] = {}
    end = time.monotonic() + seconds
    while len(known) < trials and time.monotonic() < end:
        begin = time.perf_counter()
        try:
            proposal = strategy.ask(len(spans))
        except Exhausted:
            break
        assert not isinstance(proposal, Wait)
        settled = proposal.settled
        told = None
        if settled is None:
            assert proposal.genome is not None
            known[proposal.trial] = infer(proposal.genome).params / 1e6
            told = {"reward": known[proposal.trial], "val_accuracy": known[proposal.trial]}
        elif settled.of is not None:
            told = {"reward": known[settled.of], "val_accuracy": known[settled.of]}
        elif settled.status == "invalid":
            told = {"reward": None}
        strategy.tell(proposal, told)
        spans.append(1000 * (time.perf_counter() - begin))
    spans = spans[1:]
    if not spans:
        return row
    last = spans[-max(1, len(spans) // 5) :]
    return row | {
        "asks": len(spans),
        "trained": len(known),
        "ms": statistics.mean(spans),
        "last fifth": statistics.mean(last),
    }
