"""What the workers of a finished run did with their time, and how good the result is beside random's."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from nas.results import by, ranking
from nas.store import Run


def arguments(p: argparse.ArgumentParser) -> None:
    """Flags of this benchmark."""
    p.add_argument("run", help="a run directory")


def shares(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Wall time from the first start to the last end, and the share of it that workers trained.

    Rows must be of one session: a pause between sessions would count as idle time.
    """
    ran = [r for r in rows if r["started"] is not None and r["train_seconds"] is not None]
    workers = {r["worker"] for r in ran}
    wall = (max(r["finished"] for r in ran) - min(r["started"] for r in ran)).total_seconds()
    busy = sum((r["finished"] - r["started"]).total_seconds() for r in ran)
    training = sum(r["train_seconds"] for r in ran)
    return {
        "trials": float(len(ran)),
        "workers": float(len(workers)),
        "wall (s)": wall,
        "trials/min": 60 * len(ran) / wall,
        "in trials": busy / (wall * len(workers)),
        "in training steps": training / (wall * len(workers)),
    }


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each stage of the run."""
    rows = Run(given.run).table().to_pylist()
    table: list[dict[str, Any]] = []
    for stage in ("search", "confirm"):
        of_stage = [r for r in rows if r["stage"] == stage]
        if any(r["train_seconds"] for r in of_stage):
            table.append({"what": stage, **shares(of_stage)})
    ranked = ranking(rows)
    random = next((r for r in ranked if by(r) == "random"), None)
    if random is not None:
        best, other = (f"{r['val_accuracy']:.2%}" for r in (ranked[0], random))
        print(f"best validation accuracy {best}, best random {other}")
    return table
