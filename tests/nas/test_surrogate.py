"""A surrogate answers as its check file says, and is searched as a table is."""

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from nas.launch import simulate
from nas.options import Options
from nas.planning import plan
from nas.surrogate import NOT_ASKED, Expected, Surrogate, SurrogateError
from nas.tables import Benchmark, TableError, benchmark
from search_spaces import SPACES, Random
from search_spaces.domain import Pick
from search_spaces.formats import write_nasbench301

FILE = Path(__file__).parents[2] / "experiments" / "tables" / "nasbench301.toml"
WEIGHTS, ENCODING = "nb301_surrogate_weights.parquet", "nb301_surrogate_encoding.json"


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    if not (shared / "benchdata" / WEIGHTS).is_file():
        pytest.skip(f"there is no {WEIGHTS} in {shared / 'benchdata'}")
    return shared / "benchdata"


@pytest.fixture(scope="module")
def surrogate(folder: Path) -> Surrogate:
    return Surrogate(pq.read_table(folder / WEIGHTS), json.loads((folder / ENCODING).read_text()))


@pytest.fixture
def known(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    monkeypatch.setenv("NAS_TABLES", str(folder))
    return benchmark(FILE)


def test_outputs_are_those_of_the_published_model(folder: Path, surrogate: Surrogate) -> None:
    """The check file was made in single precision."""
    rows = pq.read_table(folder / "nb301_surrogate_check.parquet").to_pylist()
    assert len(rows) == 1000
    found = [[out[row["epoch"] - 1] for out in surrogate.expect(row["x_cat"])] for row in rows]
    accuracies, seconds = np.array(found).T
    np.testing.assert_allclose(100 * accuracies, [row["val_accuracy"] for row in rows], rtol=0, atol=5e-5)
    np.testing.assert_allclose(seconds, [row["runtime_s"] for row in rows], rtol=0, atol=0.01)


def test_each_answer_of_the_space_is_told_apart() -> None:
    """One value for each question, no question that the encoding has not, and no two answers alike."""
    space, domains = SPACES["darts"], {}
    seen: dict[Any, dict[str, Any]] = {}
    for seed in range(20):
        chooser = Random(random.Random(seed), domains)
        space.draw(chooser)
        record = chooser.record
        assert len(record) == len(write_nasbench301(record)) == 22
        for name, domain in domains.items():
            assert isinstance(domain, Pick)
            for option in domain.options:
                changed = {**record, name: option}
                assert seen.setdefault(write_nasbench301(changed), changed) == changed


def test_codes_follow_the_encoding(surrogate: Surrogate) -> None:
    """DARTS_V2's second node reads states 0 and 1: edges 2 and 3 of five, and edge 4 is none."""
    cell = write_nasbench301(SPACES["darts"].points["DARTS_V2"])
    codes = dict(zip(surrogate.answers, surrogate.encode(cell), strict=True))
    words = {
        name: next(word for word, number in surrogate.answers[name].items() if number == code)
        for name, code in codes.items()
    }
    normal = [words[f"edge_normal_{i}"] for i in range(14)]
    assert normal[:5] == ["sep_conv_3x3"] * 4 + [NOT_ASKED]
    assert normal[5:] == [
        *("skip_connect", "sep_conv_3x3", NOT_ASKED, NOT_ASKED),
        *("skip_connect", NOT_ASKED, "dil_conv_3x3", NOT_ASKED, NOT_ASKED),
    ]
    assert [words[f"inputs_node_reduce_{i}"] for i in (3, 4, 5)] == ["1_2", "0_2", "1_2"]
    with pytest.raises(SurrogateError, match="never 'none', only #na#"):
        surrogate.encode([("edge_normal_0", "none")])
    with pytest.raises(SurrogateError, match="no question 'edge_normal_14'"):
        surrogate.encode([("edge_normal_14", "skip_connect")])


def test_published_cells_are_better_than_most(known: Benchmark) -> None:
    """Those of DARTS and its successors are expected at 95% and more; of random cells a tenth is."""
    space = SPACES["darts"]
    published = [known.row(known.find(answers) or 0)["val_accuracy"] for answers in space.points.values()]
    assert len(published) >= 4
    drawn = []
    for seed in range(60):
        chooser = Random(random.Random(seed), {})
        space.draw(chooser)
        drawn.append(known.row(known.find(chooser.record) or 0)["val_accuracy"])
    assert all(0.95 < value < 0.96 for value in published)
    assert min(published) > np.quantile(drawn, 0.75) > 0.94


def test_a_search_sees_whole_curves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_TABLES", str(folder))
    options = Options(executor=f"table:{FILE}", strategy="random", trials=8, workers=2)
    done = simulate(dataclasses.replace(plan(options), run=None))
    rows = [row for row in done.rows if row["status"] == "ok"]
    assert len(rows) == 8
    for row in rows:
        curve = row["curve"]
        assert [epoch["epoch"] for epoch in curve] == list(range(1, 99))
        assert curve[-1]["accuracy"] == row["val_accuracy"] == row["reward"]
        assert curve[0]["accuracy"] < 0.6 < 0.9 < row["val_accuracy"]
        assert all(epoch["seconds"] >= 0 for epoch in curve)
        assert sum(epoch["seconds"] for epoch in curve) == pytest.approx(row["train_seconds"])
        assert row["params"] > 100_000
    assert done.elapsed == max(row["elapsed"] for row in rows)


def test_rows_are_kept(surrogate: Surrogate) -> None:
    expected = Expected(surrogate)
    points = [write_nasbench301(answers) for answers in SPACES["darts"].points.values()]
    first = [expected.number(cell) for cell in points]
    assert first == [expected.number(cell) for cell in points] == list(range(len(points)))
    assert {len(column) for column in expected.columns.values()} == {len(points)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((ENCODING, "nothing.json"), "there is no encoding"),
        ((ENCODING, WEIGHTS), "decode"),
        ((ENCODING, "empty.json"), "no weights and encoding of a surrogate: KeyError"),
        (('format = "nasbench301"', ""), "`encoding` needs"),
    ],
)
def test_mistakes_are_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], message: str
) -> None:
    monkeypatch.setenv("NAS_TABLES", str(folder))
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "wrong.toml").write_text(FILE.read_text().replace(*change))
    with pytest.raises(TableError, match=message):
        benchmark(tmp_path / "wrong.toml")


def test_a_space_of_other_operations_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_TABLES", str(folder))
    text = FILE.read_text().replace("n = 2", 'operations = ["sep_conv_7x7", "skip_connect"], n = 2')
    (tmp_path / "other.toml").write_text(text)
    known = benchmark(tmp_path / "other.toml")
    chooser = Random(random.Random(0), {})
    known.space.draw(chooser)
    with pytest.raises(TableError, match="does not know what darts asks"):
        known.find(chooser.record)
