"""Runs searches of tables, many at a time, and writes what each had found by each part of its budget."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.strategies.entrants import Contest, Entrant
from nas.driver import Search
from nas.launch import simulate
from nas.options import Options, UsageError
from nas.planning import Plan, plan
from nas.results import WINNERS, ranking
from nas.store import Stream, read
from nas.tables import Benchmark

PARTS = 15
"""Parts of the budget at the end of which a search is asked for its winner."""

ESTIMATED = (3, 6, 9, 12, 15)
"""Those at which it is asked for the winner by estimate as well, which takes longer."""

STREAM, PARQUET = "searches.arrows", "strategies.parquet"
"""Where rows go while searches run, and when they have ended."""

COMMANDS = b"commands"
"""In the metadata of the Parquet file: the commands that ran its searches, as JSON."""

FIRST = "python -m experiments.strategies --tables ../shared/benchdata"
"""What ran the searches of a file that does not say it."""

BATCH = 10
"""Seeds that a process runs before it hands in results."""

SCHEMA = pa.schema(
    {
        "strategy": pa.string(),
        "options": pa.string(),
        "winner": pa.string(),
        "benchmark": pa.string(),
        "dataset": pa.string(),
        "seed": pa.int64(),
        "budget": pa.float64(),
        "evaluations": pa.int64(),
        "val": pa.float64(),
        "test": pa.float64(),
        "regret": pa.float64(),
    }
)
"""One row for each search, way of choosing the winner and part of the budget; accuracies in percent."""


@lru_cache(maxsize=2)
def _plan(file: Path, budget: float) -> Plan:
    """A search of the table, whose networks are remembered from one search to the next."""
    return plan(Options(executor=f"table:{file}", strategy="random", timeout=budget))


def search(contest: Contest, entrant: Entrant, seed: int) -> list[dict[str, Any]]:
    """Runs one search and returns its rows."""
    base = _plan(contest.file, contest.budget)
    assert base.table is not None
    given = dataclasses.replace(
        base, run=None, strategy=entrant.strategy, seed=seed, dedup=entrant.published is None
    )
    done = simulate(given)
    most = ceiling(base.table)
    ways = {"reward": range(1, PARTS + 1), "estimate": () if entrant.published else ESTIMATED}
    return [
        {
            "strategy": entrant.name,
            "options": entrant.strategy,
            "winner": winner,
            "benchmark": contest.benchmark,
            "dataset": contest.dataset,
            "seed": seed,
            "budget": budget,
            **found,
        }
        for winner in WINNERS
        for part in ways[winner]
        for budget in [contest.budget * part / PARTS]
        for found in [_winner(base.table, most, done, budget, winner)]
        if found is not None
    ]


def _winner(table: Benchmark, most: float, done: Search, budget: float, winner: str) -> dict[str, Any] | None:
    """What the search would have handed over had it ended then; the last trial may end after the budget.

    Args:
        most: the best that is in the table.
    """
    rows, spent = [], 0.0
    for row in done.rows:
        if spent >= budget:
            break
        spent = row["elapsed"]
        rows.append(row)
    ranked = ranking(rows, winner)
    if not ranked:
        return None
    best = ranked[0]
    test = table.test_accuracy(json.loads(best["choices"]))
    score = best["val_accuracy"] if test is None else test
    return {
        "evaluations": len(ranked),
        "val": 100 * best["val_accuracy"],
        "test": None if test is None else 100 * test,
        "regret": 100 * (most - score),
    }


def ceiling(table: Benchmark) -> float:
    """The best that is in the table, by test accuracy where it has them."""
    values = table.columns.get("test_accuracy") or table.columns["val_accuracy"]
    return max(v for v in values if v is not None)


def _batch(contest: Contest, entrant: Entrant, seeds: Sequence[int]) -> list[dict[str, Any]]:
    return [row for seed in seeds for row in search(contest, entrant, seed)]


def same_contests(
    contests: Sequence[Contest], entrants: Sequence[Entrant], rows: Sequence[Mapping[str, Any]], out: Path
) -> None:
    """Raises `UsageError` where earlier searches had another budget or other options."""
    budgets = {(r["benchmark"], r["dataset"]): r["budget"] for r in sorted(rows, key=lambda r: r["budget"])}
    for contest in contests:
        before = budgets.get((contest.benchmark, contest.dataset), contest.budget)
        if abs(before - contest.budget) > 1e-6 * contest.budget:
            raise UsageError(
                f"--budget {contest.budget:g}: {out} has searches of {contest.dataset} with {before:g}: "
                "repeat it, or name another --out"
            )
    options = {r["strategy"]: r["options"] for r in rows}
    for entrant in entrants:
        before = options.get(entrant.name, entrant.strategy)
        if before != entrant.strategy:
            raise UsageError(
                f"{out} has searches by {entrant.name} as {before}, now it is {entrant.strategy}: "
                "name another --out"
            )


def gather(out: Path) -> pa.Table:
    """All rows in a folder: those of its Parquet file, and those that a killed run left in its stream."""
    whole, stream = _settled(out), out / STREAM
    if not stream.is_file():
        return whole
    known = {_search(row) for row in whole.select(_KEYS).to_pylist()}
    left = read(stream, SCHEMA)
    new = [_search(row) not in known for row in left.select(_KEYS).to_pylist()]
    return pa.concat_tables([whole, left.filter(pa.array(new, pa.bool_()))])


def _settled(out: Path) -> pa.Table:
    return pq.read_table(out / PARQUET) if (out / PARQUET).is_file() else SCHEMA.empty_table()


def commands(table: pa.Table) -> list[str]:
    """What ran the searches of a Parquet file."""
    metadata = table.schema.metadata or {}
    if COMMANDS not in metadata:
        return [FIRST] if len(table) else []
    found: list[str] = json.loads(metadata[COMMANDS])
    return found


def settle(out: Path, command: str) -> pa.Table:
    """Puts all rows of a folder into its Parquet file, in order, and returns them.

    Args:
        command: that ran those which are not yet there.
    """
    order = [(name, "ascending") for name in (*_KEYS, "winner", "budget")]
    table, known = gather(out).sort_by(order), _settled(out)
    ran = commands(known)
    if len(table) > len(known):
        ran = list(dict.fromkeys([*ran, command]))
    table = table.replace_schema_metadata({COMMANDS: json.dumps(ran)})
    partial = out / f"{PARQUET}.part"
    pq.write_table(table, partial, compression="zstd")
    partial.replace(out / PARQUET)
    (out / STREAM).unlink(missing_ok=True)
    return table


_KEYS = ["benchmark", "dataset", "strategy", "seed"]


def _search(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _KEYS)


def run_all(
    contests: Sequence[Contest], entrants: Sequence[Entrant], out: Path, jobs: int, seeds: int | None
) -> Iterator[tuple[str, int, int]]:
    """Runs what is not yet in a folder, in so many processes; yields (what, searches done, of how many).

    Args:
        seeds: at most so many of each entrant.
    """
    rows = gather(out).to_pylist()
    same_contests(contests, entrants, rows, out)
    known = {_search(row) for row in rows}
    stream = Stream(out / STREAM, SCHEMA)
    work = []
    for contest in contests:
        for entrant in entrants:
            if entrant.only not in (None, contest.benchmark):
                continue
            count = entrant.seeds if seeds is None else min(seeds, entrant.seeds)
            left = [
                seed
                for seed in range(entrant.first, entrant.first + count)
                if (contest.benchmark, contest.dataset, entrant.name, seed) not in known
            ]
            work += [(contest, entrant, left[i : i + BATCH]) for i in range(0, len(left), BATCH)]
    total, done = sum(len(part) for *_, part in work), 0
    try:
        with ProcessPoolExecutor(jobs) as pool:
            running = {pool.submit(_batch, *job): job for job in work}
            try:
                for future in as_completed(running):
                    contest, entrant, part = running[future]
                    stream.extend(future.result())
                    done += len(part)
                    yield f"{contest.benchmark} {contest.dataset}: {entrant.name}", done, total
            except BaseException:
                pool.shutdown(cancel_futures=True)  # or the first error would be told after the last search
                raise
    finally:
        stream.close()
