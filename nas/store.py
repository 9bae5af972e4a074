"""The run directory: append-only Arrow streams that survive whatever kills the writer."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from nas.objectives import read_objectives
from nas.results import WINNERS, on_front, verdict

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


CONFIG = "nas.config"
"""In the metadata of a table that is taken out of its run: the run's configuration, as JSON."""


class StoreError(RuntimeError):
    """A run directory that cannot be used; the message says why."""


class Stream:
    """An append-only file of rows. Every append is on the disk when it returns."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.schema = schema
        self.rows: list[dict[str, Any]] = []
        if path.exists() and path.stat().st_size:
            whole, batches = scan(path, schema)
            self._cut(whole)
            for batch in batches:
                self.rows += batch.to_pylist()
        self._file: IO[bytes] = path.open("ab")
        if not self._file.tell():
            self._write(schema.serialize().to_pybytes())
            _sync_folder(path.parent)

    def _cut(self, whole: int) -> None:
        """Takes an unfinished row off the end; what is taken off is kept beside the file."""
        if whole == self.path.stat().st_size:
            return
        torn = self.path.read_bytes()[whole:]
        aside = self.path.with_name(self.path.name + ".cut")
        with aside.open("ab") as file:
            file.write(torn)
        warnings.warn(
            f"{self.path}: cut {len(torn)} bytes of an unfinished row (now in {aside})", stacklevel=3
        )
        os.truncate(self.path, whole)

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


class Memory:
    """Rows that are kept nowhere, for searches that are run in thousands; otherwise as `Stream`."""

    def __init__(self, schema: pa.Schema) -> None:
        self.empty: dict[str, Any] = dict.fromkeys(schema.names)
        self.rows: list[dict[str, Any]] = []

    def append(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """See `Stream`."""
        return self.extend([row])[0]

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """See `Stream`."""
        added = [{**self.empty, **row} for row in rows]
        self.rows += added
        return added

    def close(self) -> None:
        """See `Stream`."""


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def scan(path: Path, schema: pa.Schema) -> tuple[int, list[pa.RecordBatch]]:
    """The record batches of a stream, and how many bytes hold them: less than all when its tail is torn.

    Raises:
        StoreError: the file is damaged other than at its end, is something else, or is from a later version.
    """
    size = path.stat().st_size
    batches: list[pa.RecordBatch] = []
    with pa.OSFile(str(path)) as file:
        try:
            found = pa.ipc.read_schema(file)
        except (pa.ArrowInvalid, OSError, EOFError) as error:
            head = schema.serialize().to_pybytes()
            if size < len(head) and head.startswith(path.read_bytes()):
                return 0, []  # the very first write was cut short
            raise StoreError(f"{path} is no table of a run ({str(error).partition(chr(10))[0]})") from error
        version = int((found.metadata or {}).get(b"nas.version", b"1"))
        if version > VERSION:
            raise StoreError(
                f"{path} was written by a later version (its tables are {version}, ours {VERSION})"
            )
        whole = file.tell()
        while whole < size:
            try:
                message = pa.ipc.read_message(file)
                batch = pa.ipc.read_record_batch(message, found)
                batch.validate(full=True)
            except (pa.ArrowInvalid, OSError, EOFError, pa.ArrowNotImplementedError) as error:
                if _unfinished(path, whole):
                    break
                reason = str(error).partition("\n")[0]
                raise StoreError(f"{path} is damaged at byte {whole} of {size} ({reason})") from error
            batches.append(batch)
            whole = file.tell()
    return whole, batches


def _unfinished(path: Path, start: int) -> bool:
    """Whether the message that starts there is longer than what is left of the file."""
    rest = path.read_bytes()[start:]
    if len(rest) < 8:
        return True
    length = int.from_bytes(rest[4:8], "little", signed=True)
    if rest[:4] != b"\xff\xff\xff\xff" or length < 0:
        return not any(rest)  # a hole that a crash of the machine left
    # The metadata say how long the body is; all messages end on a multiple of 8 bytes.
    if 8 + length > len(rest):
        return True
    try:
        body = pa.ipc.read_message(pa.BufferReader(rest + bytes(1 << 20))).body
    except (pa.ArrowInvalid, OSError):
        return False
    return 8 + length + (body.size if body is not None else 0) > len(rest)


def read(path: Path, schema: pa.Schema) -> pa.Table:
    """The whole rows of a stream as a table; reading never changes the file. Raises `StoreError`."""
    if not path.is_file():
        raise StoreError(f"there is no {path}")
    _, batches = scan(path, schema)
    return pa.Table.from_batches(batches, batches[0].schema if batches else schema)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file that is either old or new, never half."""
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_folder(path.parent)


class Result(dict[str, Any]):
    """The row of a trained network, which can be exported."""

    def __init__(self, run: Run, row: Mapping[str, Any]) -> None:
        super().__init__(row)
        self.run = run

    def export(self, to: str | os.PathLike[str], **options: Any) -> list[Path]:
        """Writes the network as `nas.export` does; returns the files.

        >>> run.best().export("net.py", name="MyNet")

        Args:
            to: a .py, .pt, .safetensors, .pt2, .onnx or .json, or a folder for all of them.
            options: of `nas.formats.export`.

        Raises:
            ExportError, VerificationError, WeightsError, Invalid: as `nas.formats.export` does.
        """
        from nas.formats import export
        from nas.targets import of_row

        return [written.file for written in export(of_row(self.run, self), to, **options)]


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
        """The exact configuration the run was started with; nothing where it was lost."""
        file = self.path / "run.json"
        config: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
        return config

    def table(self) -> pa.Table:
        """All rows; the schema's metadata hold the run's configuration."""
        table = read(self.path / "trials.arrows", TRIALS)
        return table.replace_schema_metadata(
            {**(table.schema.metadata or {}), CONFIG: json.dumps(self.config)}
        )

    def asks(self) -> pa.Table:
        """Every ask, with why it was settled if it was not trained."""
        return read(self.path / "asks.arrows", ASKS)

    def rows(self, key: str = "") -> list[dict[str, Any]]:
        """Rows that trained to the end and whose key starts with `key`, best first (last: not validated)."""
        rows = [r for r in self.table().to_pylist() if r["status"] == "ok" and str(r["key"]).startswith(key)]
        return sorted(rows, key=lambda r: (-(r["val_accuracy"] or 0.0), r["trial"]))

    def best(self, key: str = "") -> Result:
        """The winner: the network whose confirmed accuracy is highest, or else the row of highest reward.

        Raises:
            StoreError: nothing was trained under that key.
        """
        rows = self.rows(key)
        if not rows:
            which = f" whose key starts with {key}" if key else ""
            raise StoreError(f"{self.path}: no finished trial{which}")
        return Result(self, verdict(rows, self.config.get("winner", WINNERS[0]))["winner"])

    def front(self, objective: str = "accuracy,macs") -> list[dict[str, Any]]:
        """The trials that no other beats in all objectives, which need not be those that were searched for.

        Raises:
            ObjectiveError: there is no such objective.
        """
        rows, _ = on_front(self.table().to_pylist(), read_objectives(objective))
        return [dict(row) for row in rows]

    def genome(self, key: str = "") -> Genome:
        """The winner's genome, or that of another key."""
        from cells.genome import Genome

        return Genome.loads(self.best(key)["genome"])
