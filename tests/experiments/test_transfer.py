"""The data of the transfer experiment, and its table."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import transfer
from experiments.transfer import main, of_classes, report, sampled, write_parquet
from nas import sources


def test_five_classes_of_ten_as_parquet(tmp_path: Path) -> None:
    digits = sources.load(("digits", None), "test")
    five = of_classes(digits, range(5, 10))
    assert set(five.labels) == set(range(5))
    assert len(five.labels) == (digits.labels >= 5).sum()
    write_parquet(five, tmp_path / "train.parquet")
    read = sources.load(("five", tmp_path), "train")
    assert np.array_equal(read.pixels, five.pixels)
    assert np.array_equal(read.labels, five.labels)
    few, others = sampled(read, 7, 0), sampled(read, 7, 1)
    assert np.bincount(few.labels).tolist() == [7] * 5
    assert not np.array_equal(few.pixels, others.pixels)


def test_the_table_has_means_over_seeds() -> None:
    rows = [
        {"way": way, "seed": seed, "test_accuracy": a, "seconds": 1.0}
        for way, accuracies in {"good": (0.8, 0.9), "poor": (0.3, 0.5)}.items()
        for seed, a in enumerate(accuracies)
    ]
    text = report("python -m somewhere", 2, rows, {"machine": "mine"})
    assert "\n`python -m somewhere`\n" in text
    *_, first, second = text.splitlines()
    assert first == "| poor | 40.00% | 14.14 | 30.00% | 50.00% |"
    assert second == "| good | 85.00% | 7.07 | 80.00% | 90.00% |"


def test_the_report_quotes_the_words_of_its_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is searched and nothing is trained."""

    class Searched:
        def __init__(self, folder: Path) -> None:
            pass

        def best(self) -> dict[str, Any]:
            return {"key": "abcdef0123", "val_accuracy": 0.5, "params": 1, "macs": 2}

        def rows(self) -> list[dict[str, Any]]:
            return [self.best()]

    def gone(way: str, seed: int, *_: object) -> dict[str, Any]:
        return {"way": way, "seed": seed, "test_accuracy": 0.25, "seconds": 1.0}

    monkeypatch.setattr(transfer, "prepare", lambda given: None)
    monkeypatch.setattr(transfer, "Run", Searched)
    monkeypatch.setattr(transfer, "go", gone)
    monkeypatch.setattr(transfer, "train_source", lambda given, network: {"test_accuracy": 0.75})
    monkeypatch.setattr(transfer, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
    monkeypatch.setattr("sys.argv", ["pytest", "--of-pytest"])
    (tmp_path / "searched").touch()
    assert main(["--seeds", "2", "--run", str(tmp_path), "--out", str(tmp_path / "a b")]) == 0
    lines = (tmp_path / "a b" / "README.md").read_text().splitlines()
    assert lines[2] == f"`python -m experiments.transfer --seeds 2 --run {tmp_path} --out '{tmp_path}/a b'`"
    assert "| fine-tuned | 25.00% | 0.00 | 25.00% | 25.00% |" in lines
