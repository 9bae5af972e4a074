"""Extrapolated learning curves beside their last values, and the report of the committed rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.flags import results
from experiments.multifidelity.__main__ import main
from experiments.multifidelity.curves import FAMILIES, compare, cuts, extrapolated, ours
from nas.options import UsageError

COMMITTED = Path(results("multifidelity"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_curve_of_a_family_is_continued_exactly(family: str) -> None:
    f, tried = FAMILIES[family]
    epochs = np.arange(1.0, 31)
    curves = np.array([0.9 - 0.5 * f(epochs, tried[20]), 0.8 - 0.3 * f(epochs, tried[35])])
    assert extrapolated(curves[:, :10], 30, family) == pytest.approx(curves[:, -1], abs=1e-9)


def test_late_bloomers_are_put_in_order_by_their_law_and_not_by_their_last_value() -> None:
    f, tried = FAMILIES["power law"]
    epochs = np.arange(1.0, 31)
    curves = np.array([limit - drop * f(epochs, tried[10]) for limit, drop in ((0.9, 0.9), (0.7, 0.4))])
    right = {row["method"]: row["right"] for row in compare("planted", curves, (4,))}
    assert right["power law"] == 1.0
    assert right["last value"] == 0.0


def test_two_trainings_of_one_network_are_no_pair(tmp_path: Path) -> None:
    rows = [
        {"recipe": recipe, "key": key, "curve": [{"accuracy": 0.3 + slope * epoch} for epoch in range(30)]}
        for recipe, key, slope in (
            ("long, seed 0", "a", 0.010),
            ("long, seed 0", "b", 0.012),
            ("long, seed 1", "a", 0.011),
            ("long, seed 1", "b", 0.013),
            ("1 epoch", "b", 0.020),
        )
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "trainings.parquet")
    found = ours(tmp_path / "trainings.parquet")
    assert {row["pairs"] for row in found} == {4}
    assert {row["epoch"] for row in found} == {4, 10} == set(cuts(30))
    assert all(row["right"] == 1.0 for row in found if row["method"] == "last value")


def test_the_committed_report_is_that_of_the_committed_rows(tmp_path: Path) -> None:
    for file in COMMITTED.glob("*.parquet"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert main(["--report", "--out", str(tmp_path)]) == 0
    _, _, made = (tmp_path / "results.md").read_text().partition("## Searches")
    _, _, committed = (COMMITTED / "results.md").read_text().partition("## Searches")
    assert made == committed
    assert "| random | asha | 100 |" in made


def test_without_rows_there_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run the searches first"):
        main(["--report", "--out", str(tmp_path)])
