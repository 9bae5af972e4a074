"""The tables in a results folder: which searches are still to be run, and what commands ran the others."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from experiments.multifidelity.run import EXTRAPOLATED, PRUNED, SEARCHES, TOLD, prune, search, tell

BATCH = 20
"""Seeds after which results are written."""

COMMAND = "python -m experiments.multifidelity"


@dataclass(frozen=True)
class Work:
    """Searches that differ in their seed.

    Attributes:
        file: their table.
        run: makes the rows of one of them.
        key: its arguments but for the seed, which are columns of the rows too.
    """

    file: Path
    schema: pa.Schema
    run: Callable[..., list[dict[str, Any]]]
    key: Mapping[str, str]

    def left(self, seeds: int) -> list[int]:
        """The seeds that are not in the table."""
        rows = read(self.file, self.schema)
        there = {row["seed"] for row in rows if all(row[name] == said for name, said in self.key.items())}
        return [seed for seed in range(seeds) if seed not in there]


def run_all(out: Path, strategies: Sequence[str], seeds: int, command: str) -> Iterator[tuple[str, int, int]]:
    """Runs what is not yet in a folder; yields (what, searches done, of how many).

    Args:
        command: what runs this; tables that it adds rows to keep it in their metadata.
    """
    works = [
        Work(out / "searches.parquet", SEARCHES, search, {"strategy": strategy, "scheduler": scheduler})
        for strategy in strategies
        for scheduler in ("none", "asha", *([EXTRAPOLATED] if strategy == "random" else []))
    ]
    works += [Work(out / "pruned.parquet", PRUNED, prune, {"strategy": name}) for name in ("random", "nsga2")]
    works += [Work(out / "told.parquet", TOLD, tell, {"strategy": "random"})]
    left = {i: work.left(seeds) for i, work in enumerate(works)}
    names = json.dumps([*dict.fromkeys([*commands(out), command])])
    total, done = sum(map(len, left.values())), 0
    for i, work in enumerate(works):
        for begin in range(0, len(left[i]), BATCH):
            rows = read(work.file, work.schema)
            for seed in left[i][begin : begin + BATCH]:
                rows += work.run(**work.key, seed=seed)
                done += 1
                yield f"{work.file.stem}: {', '.join(work.key.values())}", done, total
            table = pa.Table.from_pylist(rows, work.schema.with_metadata({"commands": names}))
            partial = work.file.with_suffix(".part")
            pq.write_table(table, partial, compression="zstd")
            partial.replace(work.file)


def read(file: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    """The rows of a file; none where it is not there, or older than one of the columns."""
    if not file.is_file() or not set(schema.names) <= set(pq.read_schema(file).names):
        return []
    return list(pq.read_table(file, schema=schema).to_pylist())


def commands(out: Path) -> list[str]:
    """The commands that ran the searches in a folder; tables that are too old to know name the strategies."""
    file = out / "searches.parquet"
    rows = read(file, SEARCHES)
    if not rows:
        return []
    kept = (pq.read_schema(file).metadata or {}).get(b"commands")
    names = ",".join(dict.fromkeys(row["strategy"] for row in rows))
    return list(json.loads(kept)) if kept else [f"{COMMAND} --only {shlex.quote(names)}"]
