"""What the rows of a run say: rankings, confirmed means, and what may be claimed of the winner."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from cells.genome import Genome
from cells.infer import infer
from nas.front import front, hypervolume
from nas.objectives import Goal, Row, values


def confirmed(rows: Iterable[Row]) -> dict[str, tuple[float, float, int]]:
    """(mean, standard deviation, seeds) of the accuracies of each confirmed key."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["stage"] == "confirm" and row["status"] == "ok":
            found.setdefault(row["key"], []).append(row["val_accuracy"])
    return {
        key: (statistics.mean(v), statistics.stdev(v) if len(v) > 1 else float("nan"), len(v))
        for key, v in found.items()
    }


COSTS = ("params", "macs", "flops", "activations", "depth", "receptive_field", "global_context")
"""Columns of a row that follow from the genome."""


def describe(genome: Genome, *, whole: bool = True) -> dict[str, Any]:
    """The columns of a row that follow from the genome; the text of the genome only where it is whole."""
    costs = infer(genome)
    found = {"key": genome.key, **{name: getattr(costs, name) for name in COSTS}}
    return found | {"genome": genome.dumps()} if whole else found


def until(row: Row, epochs: int) -> dict[str, Any]:
    """The row of the same training had it ended after so many epochs of its curve."""
    curve = row["curve"][:epochs]
    return {
        **row,
        "curve": curve,
        "val_accuracy": curve[-1]["accuracy"],
        "train_seconds": sum(epoch["seconds"] for epoch in curve),
    }


def by(row: Row) -> str:
    """Who proposed a row: a strategy's name, `random` or `seed`."""
    return str(json.loads(row["note"] or "{}").get("by", row["strategy"]))


WINNERS = ("reward", "estimate")
"""How trials are ranked: by what they scored, or by what they would have scored without the noise of training
(`nas.gp.estimates`), which the highest of many scores overstates."""


def ranking(rows: Iterable[Row], winner: str = "reward") -> list[Row]:
    """The search's finished trials, best first.

    Where the best were trained again on longer rungs, a trial's last one stands for it, before all shorter.
    """
    ended = [r for r in rows if r["stage"] in ("search", "rung") and r["status"] == "ok"]
    last = {r["trial"]: r for r in sorted(ended, key=_rung) if r["reward"] is not None}
    found = sorted(last.values(), key=lambda r: (-_rung(r), -r["reward"], r["trial"]))
    if winner == "reward":
        return found
    from nas.gp import estimates

    guesses = estimates([json.loads(r["choices"]) for r in found], [r["reward"] for r in found])
    return [found[i] for i in sorted(range(len(found)), key=lambda i: -guesses[i])]


def _rung(row: Row) -> int:
    """Epochs, where a trial was trained again for being one of the best."""
    return len(row["curve"]) if row["stage"] == "rung" else 0


def on_front(rows: Iterable[Row], goals: Sequence[Goal]) -> tuple[list[Row], float]:
    """(finished trials that no other beats in all goals, the best in the first goal first; hypervolume).

    The hypervolume counts from the worst value of each goal among the finished trials, as a share of the box
    between the worst and the best: 1 is a network that is best in everything. A goal in which all are alike
    does not count.
    """
    found = [(row, point) for row in ranking(rows) if (point := values(goals, row)) is not None]
    if not found:
        return [], 0.0
    points = [point for _, point in found]
    worst, best = [min(v) for v in zip(*points, strict=True)], [max(v) for v in zip(*points, strict=True)]
    ends = list(zip(worst, best, strict=True))
    shares = [
        tuple((v - low) / (high - low) if high > low else 1.0 for v, (low, high) in zip(p, ends, strict=True))
        for p in points
    ]
    chosen: dict[str, Row] = {}
    for i in front(points):
        chosen.setdefault(found[i][0]["key"], found[i][0])
    return list(chosen.values()), hypervolume(shares, [0.0] * len(goals))


def verdict(rows: Iterable[Row], winner: str = "reward") -> dict[str, Any]:
    """What a finished search can claim: the winner beside the best random trial, with an uncertainty.

    The winner is the finalist of the highest confirmed mean, random's best the random trial that the search
    ranked first. `error` is the standard error of their difference; it rests on the standard deviation over
    seeds pooled over all confirmed networks, because two or three seeds say little of one network's.
    `margin` is the difference that chance alone exceeds in one run of twenty: Student's t for that pooled
    deviation, two-sided, with Bonferroni's correction for having picked the best of several.

    Where nothing was searched, the winner is the first row of a full training.
    """
    rows = list(rows)
    ranked = ranking(rows, winner)
    means = confirmed(rows)
    if not ranked:
        finals = [row for row in rows if row["stage"] == "final" and row["status"] == "ok"]
        return {"winner": finals[0], "random": None, "means": {}, "finalists": []} if finals else {}
    first = {row["key"]: row for row in reversed(ranked)}
    finalists = sorted((k for k in means if k in first), key=lambda k: -means[k][0])
    best = first[finalists[0]] if finalists else ranked[0]
    random = next((r for r in ranked if by(r) == "random"), None)
    found: dict[str, Any] = {"winner": best, "random": random, "means": means, "finalists": finalists}
    spreads = [(sd, n) for _, sd, n in means.values() if n > 1]
    if by(best) == "random" or random is None or not {best["key"], random["key"]} <= set(means):
        return found
    if not spreads:
        return found

    from scipy import stats

    freedom = sum(n - 1 for _, n in spreads)
    pooled = math.sqrt(sum((n - 1) * sd**2 for sd, n in spreads) / freedom)
    mine, theirs = means[best["key"]], means[random["key"]]
    error = pooled * math.sqrt(1 / mine[2] + 1 / theirs[2])
    rivals = max(1, len(finalists) - 1)
    return found | {
        "difference": mine[0] - theirs[0],
        "error": error,
        "margin": float(stats.t.ppf(1 - 0.025 / rivals, freedom)) * error,
    }
