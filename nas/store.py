"""The run directory: append-only Arrow streams that survive whatever kills the writer."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from nas.results import verdict

if TYPE_CHECKING:
    from cells.genome import Genome

VERSION = 1
"""Of the schemas below; in the metadata of every file. Older tables still open."""

_TIME = pa.timestamp("us", tz="UTC")
_CURVE = pa.list_(
    pa.struct({"epoch": pa.int32(), "loss": pa.float64(), "accuracy": pa.float64(), "seconds": pa.float64()})
)
_META = {"nas.version": str(VERSION)}

TRIALS = pa.schema(
    {
        "run": pa.string(),
        "trial": pa.int64(),
        "asked_after": pa.int64(),
        "space": pa.string(),
        "strategy": pa.string(),
        "key": pa.string(),
        "genome": pa.string(),
        "choices": pa.string(),
        "note": pa.string(),
        "parents": pa.list_(pa.int64()),
        "recipe": pa.string(),
        "seed": pa.int64(),
        "status": pa.string(),
        "error": pa.string(),
        "params": pa.int64(),
        "macs": pa.int64(),
        "flops": pa.int64(),
        "activations": pa.int64(),
        "depth": pa.int32(),
        "receptive_field": pa.int32(),
        "global_context": pa.bool_(),
        "curve": _CURVE,
        "val_accuracy": pa.float64(),
        "reward": pa.float64(),
        "train_seconds": pa.float64(),
        "images_per_second": pa.float64(),
        "latency_ms": pa.float64(),
        "latency_iqr_ms": pa.float64(),
        "latency_batch": pa.int32(),
        "latency_quiet": pa.bool_(),
        "stage": pa.string(),
        "test_accuracy": pa.float64(),
        "peak_memory_bytes": pa.int64(),
        "weights": pa.string(),
        "device": pa.string(),
        "versions": pa.string(),
        "worker": pa.string(),
        "started": _TIME,
        "finished": _TIME,
        "elapsed": pa.float64(),
    },
    metadata=_META,
)
"""One row for each trial that ran, was invalid, or repeats another; elapsed: seconds of search so far."""

ASKS = pa.schema(
    {
        "trial": pa.int64(),
        "asked_after": pa.int64(),
        "choices": pa.string(),
        "parents": pa.list_(pa.int64()),
        "note": pa.string(),
        "settled": pa.string(),
        "reason": pa.string(),
        "violation": pa.float64(),
        "of": pa.int64(),
        "elapsed": pa.float64(),
    },
    metadata=_META,
)
"""One row for each ask, those settled without training included; elapsed: seconds of search so far."""


class StoreError(RuntimeError):
    """A run directory that cannot be used; the message says why."""


class Stream:
    """An append-only file of rows. Every append is on the disk when it returns."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.schema = schema
        self.rows: list[dict[str, Any]] = []
        if path.exists() and path.stat().st_size:
            whole, batches = scan(path)
            size = path.stat().st_size
            if whole < size:
                warnings.warn(f"{path}: cut {size - whole} bytes of an unfinished row", stacklevel=2)
                os.truncate(path, whole)
            for batch in batches:
                self.rows += batch.to_pylist()
        self._file: IO[bytes] = path.open("ab")
        if not self._file.tell():
            self._write(schema.serialize().to_pybytes())
            _sync_folder(path.parent)

    def append(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Writes one row durably; columns left out are null. Returns it as it will be read."""
        return self.extend([row])[0]

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Writes several rows with one flush."""
        added = []
        messages = []
        for row in rows:
            unknown = row.keys() - set(self.schema.names)
            if unknown:
                raise KeyError(f"no column {sorted(unknown)[0]!r} in {self.path.name}")
            batch = pa.RecordBatch.from_pylist([dict(row)], schema=self.schema)
            messages.append(batch.serialize().to_pybytes())
            added += batch.to_pylist()
        self._write(b"".join(messages))
        self.rows += added
        return added

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file. A stream has no end marker, so it can always be continued."""
        self._file.close()


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def scan(path: Path) -> tuple[int, list[pa.RecordBatch]]:
    """The record batches of a stream, and how many bytes hold them: less than all when its tail is torn."""
    size = path.stat().st_size
    batches: list[pa.RecordBatch] = []
    with pa.OSFile(str(path)) as file:
        whole = 0
        try:
            schema = pa.ipc.read_schema(file)
        except (pa.ArrowInvalid, OSError, EOFError):
            return 0, []
        whole = file.tell()
        while whole < size:
            try:
                message = pa.ipc.read_message(file)
                batches.append(pa.ipc.read_record_batch(message, schema))
            except (pa.ArrowInvalid, OSError, EOFError):
                break
            whole = file.tell()
    return whole, batches


def read(path: Path) -> pa.Table:
    """The whole rows of a stream as a table; reading never changes the file."""
    _, batches = scan(path)
    schema = batches[0].schema if batches else TRIALS
    return pa.Table.from_batches(batches, schema)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file that is either old or new, never half."""
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_folder(path.parent)


class Run:
    """What a search left behind, read from its directory.

    >>> run = nas.open_run("runs/first")
    >>> run.table().to_pandas()
    >>> run.best()["val_accuracy"]
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not (self.path / "trials.arrows").is_file():
            raise StoreError(f"{path} is not a run directory (no trials.arrows in it)")

    @property
    def config(self) -> dict[str, Any]:
        """The exact configuration the run was started with."""
        config: dict[str, Any] = json.loads((self.path / "run.json").read_text())
        return config

    def table(self) -> pa.Table:
        """All rows."""
        return read(self.path / "trials.arrows")

    def asks(self) -> pa.Table:
        """Every ask, with why it was settled if it was not trained."""
        return read(self.path / "asks.arrows")

    def rows(self, key: str = "") -> list[dict[str, Any]]:
        """Rows that trained to the end and whose key starts with `key`, best first."""
        rows = [r for r in self.table().to_pylist() if r["status"] == "ok" and str(r["key"]).startswith(key)]
        return sorted(rows, key=lambda r: (-r["val_accuracy"], r["trial"]))

    def best(self, key: str = "") -> dict[str, Any]:
        """The winner: the network whose confirmed accuracy is highest, or else the row of highest reward.

        Raises:
            StoreError: nothing was trained under that key.
        """
        rows = self.rows(key)
        if not rows:
            which = f" whose key starts with {key}" if key else ""
            raise StoreError(f"{self.path}: no finished trial{which}")
        return dict(verdict(rows)["winner"])

    def genome(self, key: str = "") -> Genome:
        """The winner's genome, or that of another key."""
        from cells.genome import Genome

        return Genome.loads(self.best(key)["genome"])
