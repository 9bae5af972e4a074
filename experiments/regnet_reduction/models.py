"""The experiment's open table: one row for each model that was trained."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nas.progress import short
from nas.store import TRIALS, Run
from search_spaces.regnet import stages_of

FILE = "models.parquet"

_SAME = (
    "trial key genome choices status error params macs flops activations depth receptive_field curve "
    "val_accuracy train_seconds images_per_second peak_memory_bytes recipe seed device versions started "
    "finished elapsed"
).split()
"""Columns of a run's table that are taken over."""

SCHEMA = pa.schema(
    [
        pa.field("part", pa.string()),
        pa.field("preset", pa.string()),
        pa.field("window", pa.string()),
        pa.field("design_space", pa.string()),
        pa.field("init", pa.string()),
        pa.field("draws", pa.int32()),
        pa.field("seconds", pa.float64()),
        *(TRIALS.field(name) for name in _SAME),
    ]
)
"""`draws`: random draws until the model lay in the window; `seconds`: that a worker was busy with it; the
other columns are those of every run (see `nas.store`)."""

Models = Sequence[Mapping[str, Any]]


def gather(folder: Path, names: Sequence[str]) -> pa.Table:
    """The models of the parts that lie in a folder, failed ones included, in the order in which they ran."""
    rows: list[dict[str, Any]] = []
    for name in names:
        if not (folder / name / "trials.arrows").exists():
            continue
        config = json.loads((folder / name / "run.json").read_text())
        for row in Run(folder / name).table().to_pylist():
            recipe = json.loads(row["recipe"])
            rows.append(
                {name: row[name] for name in _SAME}
                | {
                    "part": name,
                    "preset": config["preset"],
                    "window": ":".join(short(limit) for limit in config["window"]["macs"]),
                    "design_space": json.loads(row["choices"])["space"],
                    "init": recipe["init"],
                    "draws": json.loads(row["note"])["draws"],
                    "seconds": (row["finished"] - row["started"]).total_seconds(),
                }
            )
    rows.sort(key=lambda row: (names.index(row["part"]), row["trial"]))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write(table: pa.Table, file: Path) -> None:
    """As Parquet."""
    pq.write_table(table, file, compression="zstd")


def trained(rows: Models) -> list[dict[str, Any]]:
    """The models that trained to the end, with what their answers come to (see `shape`).

    `top1` is their validation error in percent.
    """
    return [
        {**row} | shape(json.loads(row["choices"])) | {"top1": 100 * (1 - row["val_accuracy"])}
        for row in rows
        if row["status"] == "ok"
    ]


def read(file: Path) -> list[dict[str, Any]]:
    """All models of a table, those included whose training failed."""
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows


def share_trained(models: Models) -> float:
    """The share of the workers' time, from the first to the last of each part, that went into training steps.

    There are as many workers as models were ever in training at a time.
    """
    held = trained = 0.0
    for name in dict.fromkeys(m["part"] for m in models):
        part = [m for m in models if m["part"] == name]
        events = sorted([(m["started"], 1) for m in part] + [(m["finished"], -1) for m in part])
        workers = max(itertools.accumulate(step for _, step in events))
        held += workers * max(m["elapsed"] for m in part)
        trained += sum(m["train_seconds"] or 0.0 for m in part)
    return trained / held


def shape(choices: Mapping[str, Any]) -> dict[str, Any]:
    """d, w, b and g of each stage, as they are asked for: tuples `d`, `w`, `b`, `g`.

    What a constraint ties is recorded once, and is the same in every stage.
    """
    if "w_0" in choices:
        stages, _ = stages_of(choices["d"], choices["w_0"], choices["w_a"], choices["w_m"])
        widths, depths = zip(*stages, strict=True)
        many = len(stages)
        return {"d": depths, "w": widths, "b": (choices["b"],) * many, "g": (choices["g"],) * many}
    found: dict[str, Any] = {}
    for letter in "dwbg":
        first = choices[f"stage1.{letter}"]
        found[letter] = tuple(choices.get(f"stage{i}.{letter}", first) for i in range(1, 5))
    return found


def of(models: Models, part: str, space: str) -> list[Mapping[str, Any]]:
    """The models of one space in one part."""
    return [m for m in models if m["part"] == part and m["design_space"] == space]


def column(models: Models, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The values of one column as an array."""
    return np.array([m[name] for m in models], dtype=float)
