"""Searches of NAS-Bench-301's surrogate with and without ASHA, and with a front that prunes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nas.driver import Search
from nas.launch import simulate
from nas.objectives import values
from nas.options import Options
from nas.planning import Plan, plan
from nas.strategies import Problem, Proposal, make
from nas.tables import Benchmark, benchmark

TABLE = Path(__file__).parents[1] / "tables" / "nasbench301.toml"

WORKERS = 4

BUDGET = 100_000.0
"""Simulated seconds: about 17 whole trainings of each worker."""

SHARE = 3
"""With ASHA, searches end after this part of the budget: they are to have found as much by then."""

BATCH = 20
"""Seeds after which results are written."""

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
        "epochs": pa.float64(),
    }
)
"""A row for each search for accuracy and multiply-adds: how many of its trials were pruned, how many of those
no trial that had ended by then would have beaten, and the share of all epochs that was trained."""


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


@cache
def _plan(strategy: str, scheduler: str, objective: str) -> Plan:
    wish = Options(
        executor=f"table:{TABLE}",
        strategy=strategy,
        scheduler=scheduler,
        objective=objective,
        workers=WORKERS,
        timeout=BUDGET,
    )
    return dataclasses.replace(plan(wish), run=None, table=known())


def search(strategy: str, scheduler: str, seed: int) -> list[dict[str, Any]]:
    """Runs one search; rows of `SEARCHES`."""
    budget = BUDGET if scheduler == "none" else BUDGET / SHARE
    done = simulate(dataclasses.replace(_plan(strategy, scheduler, "accuracy"), seed=seed, timeout=budget))
    rows: list[dict[str, Any]] = []
    now: dict[str, Any] = {"strategy": strategy, "scheduler": scheduler, "seed": seed}
    now |= {"accuracy": 0.0, "trials": 0, "pruned": 0}
    for row in done.rows:
        if row["elapsed"] > budget or row["status"] not in ("ok", "pruned"):
            continue
        now["trials"] += 1
        now["pruned"] += row["status"] == "pruned"
        if row["status"] == "ok" and row["val_accuracy"] > now["accuracy"]:
            now["accuracy"] = row["val_accuracy"]
            rows.append({**now, "seconds": row["elapsed"]})
    return [*rows, {**now, "seconds": budget}]


def front(strategy: str, seed: int) -> dict[str, Any]:
    """Runs one search for accuracy and multiply-adds; a row of `PRUNED`."""
    settled = _plan(strategy, "asha", "accuracy,macs")
    done = simulate(dataclasses.replace(settled, seed=seed, trials=FRONTS, timeout=None))
    trained = [row for row in done.rows if row["status"] in ("ok", "pruned")]
    assert settled.table is not None
    return {
        "strategy": strategy,
        "seed": seed,
        "trials": len(trained),
        "pruned": sum(row["status"] == "pruned" for row in trained),
        "wrong": _wrong(done),
        "epochs": sum(len(row["curve"]) for row in trained) / (len(trained) * settled.table.epochs),
    }


def _wrong(done: Search) -> int:
    """Pruned trials that would have been on the front of those that had ended when they were pruned."""
    table, goals = done.plan.table, done.plan.goals
    assert table is not None
    ended: list[tuple[float, ...]] = []
    count = 0
    for row in done.rows:
        if row["status"] not in ("ok", "pruned"):
            continue
        number = table.find(json.loads(row["choices"]))
        assert number is not None
        point = values(goals, {**row, "val_accuracy": table.columns["val_accuracy"][number]})
        assert point is not None
        if row["status"] == "ok":
            ended.append(point)
        elif not any(all(a >= b for a, b in zip(other, point, strict=True)) for other in ended):
            count += 1
    return count


def run_all(out: Path, strategies: tuple[str, ...], seeds: int) -> Iterator[tuple[str, int, int]]:
    """Runs what is not yet in a folder; yields (what, searches done, of how many)."""
    total = done = 0
    work: list[tuple[Path, pa.Schema, str, list[int]]] = []
    for strategy in strategies:
        for scheduler in ("none", "asha"):
            work.append((out / "searches.parquet", SEARCHES, f"{strategy} {scheduler}", []))
    work.append((out / "pruned.parquet", PRUNED, "random front", []))
    for file, schema, what, left in work:
        strategy, scheduler = what.split()
        rows = read(file, schema)
        known = {
            r["seed"] for r in rows if (r["strategy"], r.get("scheduler", "front")) == (strategy, scheduler)
        }
        left += [seed for seed in range(seeds) if seed not in known]
        total += len(left)
    for file, schema, what, left in work:
        strategy, scheduler = what.split()
        for i in range(0, len(left), BATCH):
            rows = read(file, schema)
            for seed in left[i : i + BATCH]:
                rows += [front(strategy, seed)] if scheduler == "front" else search(strategy, scheduler, seed)
                done += 1
                yield what, done, total
            partial = file.with_suffix(".part")
            pq.write_table(pa.Table.from_pylist(rows, schema), partial, compression="zstd")
            partial.replace(file)


def read(file: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """The rows of a file, which need not be there."""
    return pq.read_table(file, schema=schema).to_pylist() if file.is_file() else []
