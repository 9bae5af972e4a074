"""Extrapolated learning curves, what pruning loses and tells, and the report of the committed rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.flags import results
from experiments.multifidelity import curves, report, run, tables
from experiments.multifidelity.__main__ import main
from experiments.multifidelity.curves import compare, cuts, ours
from experiments.multifidelity.families import FAMILIES, extrapolated
from experiments.multifidelity.run import EXTRAPOLATED, PRUNED, SEARCHES, Continued, judged, tell, tellable
from nas.asha import ENDED, Asha
from nas.objectives import ACCURACY
from nas.options import UsageError

COMMITTED = Path(results("multifidelity"))

MINE = "python -m experiments.multifidelity --only random --seeds 2"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_curve_of_a_family_is_continued_exactly(name: str) -> None:
    family = FAMILIES[name]
    epochs = np.arange(1.0, 31)
    b = family.tried[700], family.tried[700 if family.shared else 500]
    curves = np.array([0.9 - 0.5 * family.f(epochs, b[0]), 0.8 - 0.3 * family.f(epochs, b[1])])
    assert extrapolated(curves[:, :10], 30, family) == pytest.approx(curves[:, -1], abs=1e-9)


def test_one_exponent_is_that_of_most_curves() -> None:
    family = FAMILIES["power law, one exponent"]
    b, other = family.tried[[700, 500]]
    epochs = np.arange(1.0, 31)
    alike = [limit - 0.5 * family.f(epochs, b) for limit in np.linspace(0.7, 0.9, 20)]
    curves = np.array([*alike, 0.8 - 0.05 * family.f(epochs, other)])
    found = extrapolated(curves[:, :10], 30, family)
    assert found[:20] == pytest.approx(curves[:20, -1], abs=2e-3)
    alone = extrapolated(curves[:, :10], 30, FAMILIES["power law"])
    assert alone == pytest.approx(curves[:, -1], abs=1e-9)
    assert abs(found[20] - curves[20, -1]) > 1e-3


def test_curves_whose_rates_lie_between_those_tried_are_told_apart() -> None:
    """Rates that are rounded to few move what is expected by more than limits are apart."""
    rng = np.random.default_rng(0)
    epochs = np.arange(1.0, 99)
    drawn = zip(rng.uniform(0.9, 0.95, 60), rng.uniform(0.03, 0.3, 60), strict=True)
    curves = np.array([limit - 0.5 * FAMILIES["exponential"].f(epochs, b) for limit, b in drawn])
    right = {row["method"]: row["right"] for row in compare("planted", curves, (11,))}
    assert right["exponential"] > 0.97


def test_late_bloomers_are_put_in_order_by_their_law_and_not_by_their_last_value() -> None:
    f, tried, _ = FAMILIES["power law"]
    epochs = np.arange(1.0, 31)
    curves = np.array([limit - drop * f(epochs, tried[700]) for limit, drop in ((0.9, 0.9), (0.7, 0.4))])
    right = {row["method"]: row["right"] for row in compare("planted", curves, (4,))}
    assert right["power law"] == 1.0
    assert right["last value"] == 0.0


def test_guesses_above_one_keep_their_order_and_count_as_one_in_the_error() -> None:
    """Both curves stop rising where they have just begun to."""
    rising = np.log(np.arange(1.0, 5))[None] * np.array([[0.30], [0.35]]) + 0.4
    curves = np.hstack([rising, np.repeat([[0.85], [0.9]], 26, axis=1)])
    guesses = extrapolated(rising, 30, FAMILIES["power law"])
    assert 1 < guesses[0] < guesses[1]
    found = {row["method"]: row for row in compare("planted", curves, (4,))}["power law"]
    assert found["right"] == 1.0
    assert found["error"] == pytest.approx(100 * (0.15 + 0.1) / 2)


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


def comparison(pairs: int, epoch: int, **right: float) -> list[dict[str, Any]]:
    """Rows of a comparison after an epoch of 30: what share of pairs each method puts in order."""
    shared = {"source": f"{pairs} pairs", "epochs": 30, "epoch": epoch, "pairs": pairs, "error": 12.34}
    return [{**shared, "method": name, "right": share} for name, share in right.items()]


def test_counts_and_verdict_follow_the_rows() -> None:
    rows = [
        *comparison(111, 4, last=0.6, fit=0.7, flat=0.5),
        *comparison(111, 10, last=0.6, fit=0.5, flat=0.6),
        *comparison(27, 10, last=0.6, fit=0.7, flat=0.5),
        *comparison(27, 12, last=0.6, fit=0.5, flat=0.5),
        *comparison(3, 4, last=1.0, fit=0.5, flat=0.0),
        *comparison(3, 10, last=0.0, fit=1.0, flat=0.0),
    ]
    lines = report.extrapolation(rows)
    assert "| 111 pairs | 111 | 4 of 30 | 0.600, 12.3 | 0.700, 12.3 | 0.500, 12.3 |" in lines
    assert "| all | 6 | 3, 3 | 0, 4 |" in lines
    assert "| at least 27 pairs | 4 | 2, 2 | 0, 3 |" in lines
    assert "| of these, before a third of the epochs | 1 | 1, 0 | 0, 1 |" in lines
    assert "| of these, after a third of the epochs or more | 3 | 1, 2 | 0, 2 |" in lines
    assert "- before a third of the epochs: fit." in lines
    assert "- after a third of the epochs or more: none." in lines
    turned = [row if row["method"] != "flat" else {**row, "right": 1.1} for row in rows]
    assert "- after a third of the epochs or more: flat." in report.extrapolation(turned)


def test_asha_compares_where_curves_end_only_before_a_third_of_the_epochs() -> None:
    """One curve has the higher last values, the other rises more."""
    epochs = np.log(np.arange(1, 31))
    flat, rising = 0.6 + 0 * epochs, 0.3 + 0.1 * epochs
    for rung, steeper in ((4, True), (10, False)):
        rule = Continued(Asha((rung, 30)), ACCURACY)
        curves = [[{"accuracy": a} for a in curve[:rung]] for curve in (flat, rising)]
        rows = [{"curve": curve, "val_accuracy": curve[-1]["accuracy"]} for curve in curves]
        assert rule.judge(0, rows[0]) is None
        assert (rule.judge(1, rows[1]) is None) == steeper
    ends = [
        {"strategy": "random", "scheduler": cut, "seed": seed, "seconds": 1e3, "trials": 9, "pruned": 3}
        | {"accuracy": 0.9 + gain + seed / 100}
        for cut, gain in (("none", 0.0), ("asha", 0.01), (EXTRAPOLATED, 0.03))
        for seed in range(3)
    ]
    assert any("random: +2.000 ± 0.000 points (3 seeds)" in line for line in report.searches(ends))


def test_what_pruning_loses_is_counted_by_what_is_wanted_and_what_lasts() -> None:
    """Ten trials end; then one is pruned wrongly and beaten by one that ends, one lastingly, one rightly."""
    begun = [(0.1 * i, -0.1 * i) for i in range(ENDED)]
    later = [(0.55, -0.45), (0.58, -0.42), (0.95, -0.9), (0.1, -0.5), (0.2, -0.6)]
    cut = [True, False, True, True, False]
    found = judged(begun + later, [False] * ENDED + cut)
    assert found == {"wrong": 2, "wanted": 3, "front": ENDED, "lost": 1}
    row = {"strategy": "random", "seed": 0, "trials": 15, "pruned": 3, "epochs": 0.5, **found}
    text = report.fronts([row, row, {**row, "strategy": "nsga2", "wrong": 0}])
    rates = "20.0% (6 of 30) | 66.7% (4 of 6) | 66.7% (4 of 6) | 10.0% (2 of 20) | 50.0% |"
    assert f"| random | 2 | 30 | {rates}" in text
    assert any(line.startswith("| nsga2 | 1 | 15 | 20.0% (3 of 15) | 0.0% (0 of 3)") for line in text)


def trained(status: str, *accuracies: float) -> dict[str, Any]:
    """A row of a trial."""
    curve = [{"accuracy": accuracy} for accuracy in accuracies]
    return {"status": status, "curve": curve, "val_accuracy": accuracies[-1], "reward": accuracies[-1]}


def test_gains_are_those_from_the_rung_of_the_trials_that_had_ended() -> None:
    rows = [
        trained("pruned", 0.3),
        trained("ok", 0.4, 0.5, 0.8),
        trained("pruned", 0.2),
        trained("pruned", 0.5, 0.6),
        trained("ok", 0.3, 0.7, 0.9),
    ]
    found = tellable(rows)
    assert found["as told"] == [0.3, 0.8, 0.2, 0.6, 0.9]
    assert found["gain so far added"] == pytest.approx([0.3, 0.8, 0.6, 0.9, 0.9])
    assert found["gain of the whole search added"] == pytest.approx([0.8, 0.8, 0.7, 0.85, 0.9])
    assert found["first rung only"] == [0.3, 0.4, 0.2, 0.5, 0.3]


def test_what_is_told_is_ranked_beside_accuracies_at_full_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty trials, of which the first rung says the opposite and the last value all but one."""
    full = [0.5 + 0.01 * i for i in range(20)]
    rows = [trained("pruned", 1 - accuracy, accuracy) | {"full": accuracy} for accuracy in full]
    rows[0]["reward"] = 0.99
    monkeypatch.setattr(run, "_trained", lambda *search: rows)
    monkeypatch.setattr(run, "_full", lambda row: row["full"])
    found = {row["method"]: row for row in tell("random", 7)}
    assert found["first rung only"]["rho"] == pytest.approx(-1)
    assert found["first rung only"]["top"] == pytest.approx(np.mean(range(10)) / 20)
    assert found["as told"]["top"] == pytest.approx((sum(range(11, 20)) + 0) / 200)
    assert found["as told"]["seed"] == 7


def test_what_differs_by_two_standard_errors_from_what_is_told_is_named() -> None:
    values = {"as told": (0.8, 0.9, 0.7), "worse": (0.7, 0.8, 0.61), "varied": (0.9, 0.8, 0.75)}
    rows = [
        {"strategy": "random", "seed": seed, "method": method, "rho": rho, "top": 0.5}
        for method, found in values.items()
        for seed, rho in enumerate(found)
    ]
    text = report.told(rows)
    assert "| as told | 0.800 ± 0.058 |  | 0.500 ± 0.000 |  |" in text
    assert "| worse | 0.703 ± 0.055 | -0.097 ± 0.003 | 0.500 ± 0.000 | +0.000 ± 0.000 |" in text
    assert text[-2].endswith("better: none; worse: worse (correlation).")


def found(strategy: str, scheduler: str, seed: int) -> list[dict[str, Any]]:
    """Rows of `SEARCHES`, without a search."""
    row = {"strategy": strategy, "scheduler": scheduler, "seed": seed, "seconds": 1e3}
    return [{**row, "accuracy": 0.9 - 0.1 * seed, "trials": 1, "pruned": 0}]


def write(file: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema), file)


def test_tables_name_the_commands_that_made_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older table names none: then its strategies are named."""
    monkeypatch.setattr(tables, "search", found)
    monkeypatch.setattr(tables, "prune", lambda strategy, seed: [])
    monkeypatch.setattr(tables, "tell", lambda strategy, seed: [])
    assert tables.commands(tmp_path) == []
    write(tmp_path / "searches.parquet", found("tpe", "none", 1) + found("random", "none", 0), SEARCHES)
    older = "python -m experiments.multifidelity --only tpe,random"
    assert tables.commands(tmp_path) == [older]
    for command in (MINE, MINE, "another"):
        list(tables.run_all(tmp_path, ["random"], 2, command))
    assert tables.commands(tmp_path) == [older, MINE]
    assert main(["--report", "--out", str(tmp_path)]) == 0
    assert f"`{older}`, then `{MINE}` ran the searches." in (tmp_path / "results.md").read_text()
    rows = tables.read(tmp_path / "searches.parquet", SEARCHES)
    assert sorted((r["strategy"], r["scheduler"], r["seed"]) for r in rows) == [
        ("random", "asha", 0),
        ("random", "asha", 1),
        ("random", "asha, extrapolated", 0),
        ("random", "asha, extrapolated", 1),
        ("random", "none", 0),
        ("random", "none", 1),
        ("tpe", "none", 1),
    ]


def test_a_table_without_newer_columns_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[tuple[str, int]] = []

    def prune(strategy: str, seed: int) -> list[dict[str, Any]]:
        made.append((strategy, seed))
        return [dict.fromkeys(PRUNED.names, 1) | {"strategy": strategy, "seed": seed, "epochs": 0.5}]

    monkeypatch.setattr(tables, "search", found)
    monkeypatch.setattr(tables, "prune", prune)
    monkeypatch.setattr(tables, "tell", lambda strategy, seed: [])
    older = PRUNED.remove(PRUNED.get_field_index("wanted"))
    write(tmp_path / "pruned.parquet", [{"strategy": "random", "seed": 0, "trials": 100}], older)
    write(tmp_path / "searches.parquet", found("random", "none", 0) + found("random", "none", 1), SEARCHES)
    assert main(["--report", "--out", str(tmp_path)]) == 0
    assert "without pruned.parquet, which is not there or too old" in capsys.readouterr().err
    list(tables.run_all(tmp_path, ["random"], 1, MINE))
    assert made == [("random", 0), ("nsga2", 0)]
    assert {row["wanted"] for row in tables.read(tmp_path / "pruned.parquet", PRUNED)} == {1}


def test_curves_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "nasbench301", list)
    monkeypatch.setattr(curves, "OURS", tmp_path / "none")
    assert curves.write(tmp_path, tmp_path) == [tmp_path / curves.NATS, tmp_path / "none"]


def test_the_committed_report_is_that_of_the_committed_rows(tmp_path: Path) -> None:
    for file in COMMITTED.glob("*.parquet"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert main(["--report", "--out", str(tmp_path)]) == 0
    made = (tmp_path / "results.md").read_text()
    assert made == (COMMITTED / "results.md").read_text()
    for begin in ("| random | asha | 100 |", "| nsga2 | 100 |", "| as told |", "| at least 27 pairs |"):
        assert begin in made


def test_without_rows_there_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run the searches first"):
        main(["--report", "--out", str(tmp_path)])
