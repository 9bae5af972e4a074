"""How well each recipe ranks the networks that the long one has trained, too."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Finding:
    """How well a recipe ranks networks.

    Attributes:
        nets: that it and the long recipe have trained.
        tau: Kendall's tau-b with the long recipe, the mean over its seeds; low, high: its 95% interval.
        recall: share of the long recipe's best tenth that is in its best tenth.
        seconds: of training steps, for one network in the mean.
    """

    name: str
    nets: int
    tau: float
    low: float
    high: float
    recall: float
    seconds: float


def compare(rows: Sequence[Mapping[str, Any]], repeats: int = 2000) -> list[Finding]:
    """The recipes beside the long one, its own second seed, and costs that need no training."""
    by_recipe: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        by_recipe.setdefault(row["recipe"], {})[row["key"]] = row
    seeds = [by_recipe[name] for name in by_recipe if is_long(name)]
    if not seeds:
        return []
    truths = [{key: float(row["val_accuracy"]) for key, row in seed.items()} for seed in seeds]
    scores: dict[str, dict[str, float]] = {
        name: {key: row["val_accuracy"] for key, row in found.items()}
        for name, found in by_recipe.items()
        if not is_long(name)
    }
    for cost in ("params", "macs"):
        scores[cost] = {key: row[cost] for key, row in seeds[0].items()}
    findings = [
        _finding(name, found, truths, _mean_seconds(by_recipe.get(name, {})), repeats)
        for name, found in scores.items()
    ]
    if len(seeds) > 1:
        one, other = truths
        findings.append(
            _finding("long, one seed beside another", other, [one], _mean_seconds(seeds[1]), repeats)
        )
    return [finding for finding in findings if finding.nets >= FEW]


FEW = 4
"""Networks below which nothing is ranked."""


def _mean_seconds(found: Mapping[str, Mapping[str, Any]]) -> float:
    return float(np.mean([row["train_seconds"] for row in found.values()])) if found else 0.0


def _finding(
    name: str,
    scores: Mapping[str, float],
    truths: Sequence[Mapping[str, float]],
    seconds: float,
    repeats: int,
) -> Finding:
    keys = sorted(set(scores).intersection(*truths))
    if len(keys) < FEW:
        return Finding(name, len(keys), math.nan, math.nan, math.nan, math.nan, seconds)
    x, *ys = (np.array([some[key] for key in keys]) for some in (scores, *truths))

    def tau(chosen: Any) -> float:
        taus = [stats.kendalltau(x[chosen], y[chosen]).statistic for y in ys]
        return float(np.mean(np.nan_to_num(taus)))  # equal scores rank nothing

    rng = np.random.default_rng(0)
    taus = [tau(rng.integers(len(keys), size=len(keys))) for _ in range(repeats)]
    low, high = np.quantile(taus, [0.025, 0.975]) if taus else (math.nan, math.nan)
    tenth = math.ceil(len(keys) / 10)
    mine, *best = (set(np.argsort(-values, kind="stable")[:tenth].tolist()) for values in (x, *ys))
    recall = float(np.mean([len(mine & theirs) / tenth for theirs in best]))
    return Finding(name, len(keys), tau(slice(None)), float(low), float(high), recall, seconds)


def deviations(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Standard deviations of long accuracies: over seeds of one network, and of networks' means."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if is_long(row["recipe"]):
            found.setdefault(row["key"], []).append(row["val_accuracy"])
    pairs = [accuracies for accuracies in found.values() if len(accuracies) > 1]
    means = [statistics.mean(accuracies) for accuracies in found.values()]
    noise = math.sqrt(statistics.mean(map(statistics.variance, pairs))) if pairs else math.nan
    return noise, statistics.stdev(means) if len(means) > 1 else math.nan


def is_long(recipe: str) -> bool:
    """Whether a recipe of this name is the long one, with some seed."""
    return recipe.startswith("long")
