"""Searches of NAS-Bench-301's surrogate: with and without ASHA, with a front that prunes; what they tell."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.multifidelity.families import LOGARITHM, extrapolated
from nas.asha import ENDED, Asha, Halving, covers
from nas.front import front
from nas.launch import simulate
from nas.objectives import Goal, Row, values
from nas.options import Options
from nas.planning import Plan, plan
from nas.rungs import Rungs
from nas.strategies import Problem, Proposal, make
from nas.tables import Benchmark, benchmark

TABLE = Path(__file__).parents[1] / "tables" / "nasbench301.toml"

WORKERS = 4

BUDGET = 100_000.0
"""Simulated seconds: about 17 whole trainings of each worker."""

SHARE = 3
"""With ASHA, searches end after this part of the budget: they are to have found as much by then."""

EXTRAPOLATED = "asha, extrapolated"
"""ASHA with `Continued`."""

FRONTS = 100
"""Trials of a search for two goals."""

SEARCHES = pa.schema(
    {
        "strategy": pa.string(),
        "scheduler": pa.string(),
        "seed": pa.int64(),
        "seconds": pa.float64(),
        "accuracy": pa.float64(),
        "trials": pa.int64(),
        "pruned": pa.int64(),
    }
)
"""A row for each time a search found something better, and one for its end: simulated seconds, the best
validation accuracy (0-1), and how many trials had ended, and how."""

PRUNED = pa.schema(
    {
        "strategy": pa.string(),
        "seed": pa.int64(),
        "trials": pa.int64(),
        "pruned": pa.int64(),
        "wrong": pa.int64(),
        "wanted": pa.int64(),
        "front": pa.int64(),
        "lost": pa.int64(),
        "epochs": pa.float64(),
    }
)
"""A row for each search for accuracy and multiply-adds: its trials, and how many were pruned; how many, since
pruning began, were wanted, that is, would at full length have been on the front of those that had ended by
then, and how many of these were pruned, which was wrong; how many are on the front of all trials at full
length, and how many of these were lost to pruning; the share of all epochs that was trained."""

TOLD = pa.schema(
    {
        "strategy": pa.string(),
        "seed": pa.int64(),
        "method": pa.string(),
        "rho": pa.float64(),
        "top": pa.float64(),
    }
)
"""A row for each search with ASHA and each method, which makes a value of each trial that strategies could be
told: Spearman's correlation with accuracies at full length, and the mean share of trials that have less at
full length than each of the ten with the highest values."""

TOP = 10
"""Of a search, the trials with the highest values."""


@cache
def known() -> Benchmark:
    """The surrogate."""
    return benchmark(TABLE)


def cells(count: int) -> list[int]:
    """Rows of the surrogate of random cells."""
    table = known()
    strategy = make("random", Problem(table.space))
    found: list[int] = []
    for trial in range(count):
        proposal = strategy.ask(trial)
        assert isinstance(proposal, Proposal)
        number = table.find(proposal.choices)
        assert number is not None
        found.append(number)
    return found


class Continued(Halving):
    """ASHA that compares, before a third of the epochs, where curves end if they rise by log(epoch)."""

    def judge(self, trial: int, row: Row) -> str | None:
        """See `Rule`."""
        accuracies = np.array([[epoch["accuracy"] for epoch in row["curve"]]])
        if 4 <= accuracies.size < self.rungs[-1] / 3:
            (end,) = extrapolated(accuracies, self.rungs[-1], LOGARITHM)
            row = {**row, "val_accuracy": float(end)}
        return super().judge(trial, row)


class Extrapolating(Rungs):
    """Rungs of that rule."""

    def rule(self, goals: Sequence[Goal], seed: int) -> Continued:
        """See `Rungs`."""
        return Continued(Asha(self.epochs, self.eta, self.brackets, seed), goals[0])


@cache
def _plan(strategy: str, scheduler: str, objective: str) -> Plan:
    wish = Options(
        executor=f"table:{TABLE}",
        strategy=strategy,
        scheduler="asha" if scheduler == EXTRAPOLATED else scheduler,
        objective=objective,
        workers=WORKERS,
        timeout=BUDGET,
    )
    made = dataclasses.replace(plan(wish), run=None, table=known())
    if scheduler != EXTRAPOLATED:
        return made
    assert made.rungs is not None
    return dataclasses.replace(made, rungs=Extrapolating(**vars(made.rungs)))


def search(strategy: str, scheduler: str, seed: int) -> list[dict[str, Any]]:
    """Runs one search; rows of `SEARCHES`."""
    rows: list[dict[str, Any]] = []
    now: dict[str, Any] = {"strategy": strategy, "scheduler": scheduler, "seed": seed}
    now |= {"accuracy": 0.0, "trials": 0, "pruned": 0}
    for row in _trained(strategy, scheduler, seed):
        now["trials"] += 1
        now["pruned"] += row["status"] == "pruned"
        if row["status"] == "ok" and row["val_accuracy"] > now["accuracy"]:
            now["accuracy"] = row["val_accuracy"]
            rows.append({**now, "seconds": row["elapsed"]})
    return [*rows, {**now, "seconds": _budget(scheduler)}]


def _budget(scheduler: str) -> float:
    return BUDGET if scheduler == "none" else BUDGET / SHARE


def _trained(strategy: str, scheduler: str, seed: int) -> list[Row]:
    """The trials of a search for accuracy that ended within its budget, in that order."""
    budget = _budget(scheduler)
    done = simulate(dataclasses.replace(_plan(strategy, scheduler, "accuracy"), seed=seed, timeout=budget))
    return [row for row in done.rows if row["status"] in ("ok", "pruned") and row["elapsed"] <= budget]


def _full(row: Row) -> float:
    """The accuracy of a trial at full length, whether it was pruned or not."""
    number = known().find(json.loads(row["choices"]))
    assert number is not None
    return float(known().columns["val_accuracy"][number])


def prune(strategy: str, seed: int) -> list[dict[str, Any]]:
    """Runs one search for accuracy and multiply-adds; a row of `PRUNED`."""
    settled = _plan(strategy, "asha", "accuracy,macs")
    done = simulate(dataclasses.replace(settled, seed=seed, trials=FRONTS, timeout=None))
    trained = [row for row in done.rows if row["status"] in ("ok", "pruned")]
    points = []
    for row in trained:
        point = values(settled.goals, {**row, "val_accuracy": _full(row)})
        assert point is not None
        points.append(point)
    cut = [row["status"] == "pruned" for row in trained]
    epochs = sum(len(row["curve"]) for row in trained) / (len(trained) * known().epochs)
    found = {"strategy": strategy, "seed": seed, "trials": len(trained), "pruned": sum(cut), "epochs": epochs}
    return [{**found, **judged(points, cut)}]


def judged(points: Sequence[Sequence[float]], pruned: Sequence[bool]) -> dict[str, int]:
    """What pruning lost, as `PRUNED` says, of trials in the order in which they ended or were pruned.

    Args:
        points: what they have at full length; everything is maximised.
    """
    ended: list[Sequence[float]] = []
    wanted: list[bool] = []
    for point, cut in zip(points, pruned, strict=True):
        if len(ended) >= ENDED and not any(covers(other, point) for other in ended):
            wanted.append(cut)
        if not cut:
            ended.append(point)
    best = [pruned[i] for i in front(points)]
    return {"wrong": sum(wanted), "wanted": len(wanted), "front": len(best), "lost": sum(best)}


def tell(strategy: str, seed: int) -> list[dict[str, Any]]:
    """Runs one search with ASHA; rows of `TOLD`."""
    from scipy.stats import spearmanr

    trained = _trained(strategy, "asha", seed)
    full = np.array([_full(row) for row in trained])
    rows = []
    for method, guesses in tellable(trained).items():
        highest = np.argsort(-np.array(guesses), kind="stable")[:TOP]
        found = {
            "rho": float(spearmanr(guesses, full).statistic),
            "top": float(np.mean([(full < full[i]).mean() for i in highest])),
        }
        rows.append({"strategy": strategy, "seed": seed, "method": method, **found})
    return rows


def tellable(trained: Sequence[Row]) -> dict[str, list[float]]:
    """What a strategy could be told of each trial, in the order in which they ended or were pruned."""

    def gain(row: Row, others: Sequence[Row]) -> float:
        """What those of the others that ended gained since the rung at which the row was pruned."""
        rung = len(row["curve"])
        gains = [r["val_accuracy"] - r["curve"][rung - 1]["accuracy"] for r in others if r["status"] == "ok"]
        return statistics.mean(gains) if gains and row["status"] == "pruned" else 0.0

    return {
        "as told": [row["reward"] for row in trained],
        "gain so far added": [row["reward"] + gain(row, trained[:i]) for i, row in enumerate(trained)],
        "gain of the whole search added": [row["reward"] + gain(row, trained) for row in trained],
        "first rung only": [row["curve"][0]["accuracy"] for row in trained],
    }
