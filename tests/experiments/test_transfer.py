"""The data of the transfer experiment, and its table."""

import argparse
from pathlib import Path

import numpy as np

from experiments.transfer import of_classes, report, sampled, write_parquet
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
    text = report(argparse.Namespace(seeds=2), rows, {"machine": "mine"})
    *_, first, second = text.splitlines()
    assert first == "| poor | 40.00% | 14.14 | 30.00% | 50.00% |"
    assert second == "| good | 85.00% | 7.07 | 80.00% | 90.00% |"
