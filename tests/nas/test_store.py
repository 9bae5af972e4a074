"""The tables survive whatever kills their writer, and read with what people have."""

import json
import warnings
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nas import table
from nas.store import ASKS, TRIALS, Run, StoreError, Stream, read, write_atomically


def written(path: Path, count: int) -> list[int]:
    """Sizes of the file after each row."""
    stream = Stream(path, ASKS)
    sizes = [path.stat().st_size]
    for trial in range(count):
        stream.append({"trial": trial, "choices": json.dumps({"d": trial})})
        sizes.append(path.stat().st_size)
    stream.close()
    return sizes


def test_a_tail_torn_anywhere_loses_nothing_before_it(tmp_path: Path) -> None:
    path = tmp_path / "asks.arrows"
    sizes = written(path, 3)
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        rows = sum(size <= cut for size in sizes[1:])
        torn = cut not in (0, *sizes)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            stream = Stream(path, ASKS)
        assert bool(caught) == torn
        assert [row["trial"] for row in stream.rows] == list(range(rows))
        stream.append({"trial": 99})
        stream.close()
        assert read(path, ASKS)["trial"].to_pylist() == [*range(rows), 99]


def test_damage_elsewhere_is_refused_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "asks.arrows"
    sizes = written(path, 3)
    whole = path.read_bytes()
    for at in (sizes[0] + 8, sizes[1] + 3, sizes[1] + 20):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"damaged at byte|no table"):
            Stream(path, ASKS)
        assert path.read_bytes() == damaged
    path.write_text("something else entirely")
    with pytest.raises(StoreError, match="no table of a run"):
        Stream(path, ASKS)


def test_what_is_cut_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "asks.arrows"
    written(path, 2)
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    with pytest.warns(UserWarning, match="unfinished row"):
        Stream(path, ASKS).close()
    assert path.read_bytes() + (tmp_path / "asks.arrows.cut").read_bytes() == content[:-7]


def test_readers(tmp_path: Path) -> None:
    path = tmp_path / "trials.arrows"
    stream = Stream(path, TRIALS)
    curve = [{"epoch": 1, "loss": 2.0, "accuracy": 0.5, "seconds": 1.0}]
    stream.append({"trial": 0, "status": "ok", "stage": "search", "curve": curve, "val_accuracy": 0.5})
    stream.append({"trial": 1, "status": "failed", "stage": "search", "error": "out of memory"})
    stream.close()
    with pa.OSFile(str(path)) as file:
        frame = pa.ipc.open_stream(file).read_pandas()
    assert list(frame["status"]) == ["ok", "failed"]
    assert polars.read_ipc_stream(path)["val_accuracy"].to_list() == [0.5, None]
    trials = read(path, TRIALS)
    assert duckdb.sql("select count(*) from trials where status = 'ok'").fetchall() == [(1,)]
    assert trials.schema.metadata[b"nas.version"] == b"1"
    assert table.main([str(tmp_path), "--to", str(tmp_path / "out.parquet")]) == 0
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 2


def test_unknown_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="colour"):
        Stream(tmp_path / "asks.arrows", ASKS).append({"colour": 3})


def test_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a run directory"):
        Run(tmp_path)


def test_a_run_without_results(tmp_path: Path) -> None:
    Stream(tmp_path / "trials.arrows", TRIALS).close()
    assert Run(tmp_path).table().num_rows == 0
    with pytest.raises(StoreError, match="no finished trial"):
        Run(tmp_path).best()


def test_files_are_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
