"""Tables answer in place of training: finished runs, described tables, published benchmarks."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cells.genome import Genome
from nas import search, table
from nas.driver import Search
from nas.launch import launch, simulate
from nas.options import Options, UsageError
from nas.planning import Plan, plan
from nas.progress import Reporter
from nas.results import ranking
from nas.store import Run
from nas.tables import Benchmark, TableError, benchmark
from search_spaces import SPACES, Enumerate, Replay
from search_spaces.formats import write_nasbench201

DESCRIPTIONS = Path(__file__).parents[2] / "experiments" / "tables"

OPS = ("none", "skip_connect", "nor_conv_3x3")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """729 cells of NAS-Bench-201 with invented accuracies and times, and their description."""
    folder = tmp_path_factory.mktemp("small")
    space = SPACES["nasbench201"].bind(operations=OPS)
    rows = []
    for chooser in Enumerate():
        space.draw(chooser)
        answers = list(chooser.record.values())
        convs, skips = (answers.count(op) for op in ("nor_conv_3x3", "skip_connect"))
        score = 40.0 + 8 * convs + 2 * skips
        rows.append(
            {
                "arch": write_nasbench201(chooser.record),
                "val": score,
                "test": score + 1,
                "s": 10.0 * (1 + convs),
            }
        )
    pq.write_table(pa.Table.from_pylist(rows), folder / "cells.parquet")
    text = """
        table = "cells.parquet"
        space = "nasbench201"
        arguments = { operations = ["none", "skip_connect", "nor_conv_3x3"] }
        format = "nasbench201"
        column = "arch"
        percent = true
        [columns]
        val_accuracy = "val"
        test_accuracy = "test"
        train_seconds = "s"
    """
    (folder / "cells.toml").write_text(text)
    return folder / "cells.toml"


def planned(file: Path, **options: Any) -> Plan:
    return plan(Options(executor=f"table:{file}", **{"strategy": "random", **options}))


def in_memory(file: Path, **options: Any) -> Search:
    return simulate(dataclasses.replace(planned(file, **options), run=None))


def test_a_table_gives_accuracies_and_times_and_hides_the_test_set(small: Path) -> None:
    done = in_memory(small, trials=40)
    assert done.dispatched == 40
    known = benchmark(small)
    for row in done.rows:
        if row["status"] == "duplicate":
            continue
        choices = json.loads(row["choices"])
        answers = list(choices.values())
        convs = answers.count("nor_conv_3x3")
        expected = (40 + 8 * convs + 2 * answers.count("skip_connect")) / 100
        assert row["val_accuracy"] == row["reward"] == pytest.approx(expected)
        assert row["test_accuracy"] is None
        assert known.test_accuracy(choices) == pytest.approx(expected + 0.01)
        assert row["train_seconds"] == 10 * (1 + convs)
        assert (row["finished"] - row["started"]).total_seconds() == pytest.approx(row["train_seconds"])


def test_windows_and_sizes_are_the_tables(small: Path) -> None:
    """Here the table counts as parameters what has nothing to do with the cells that are drawn."""
    described = small.with_name("sized.toml")
    described.write_text(small.read_text() + 'params = "s"\n')
    done = in_memory(described, trials=30, params=(0.0, 30.0))
    assert {r["params"] for r in done.rows if r["status"] == "ok"} == {10, 20, 30}
    sizes = [r["params"] for r in in_memory(described, trials=30, strategy="largest").rows]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 70


def test_time_is_the_tables(small: Path) -> None:
    """One worker: times add up; two: as long as the busier one; the trial that crosses the budget counts."""
    one = in_memory(small, timeout=500.0)
    spent = [row["train_seconds"] for row in one.rows if row["status"] == "ok"]
    assert sum(spent) >= 500 > sum(spent[:-1])
    assert one.elapsed == pytest.approx(sum(spent))
    two = in_memory(small, timeout=500.0, workers=2)
    trained = [row for row in two.rows if row["status"] == "ok"]
    assert len(trained) > 1.5 * len(spent)
    assert [r["finished"] for r in trained] == sorted(r["finished"] for r in trained)
    assert two.elapsed < 500 + 70


def test_repeats_are_charged_only_when_asked(small: Path) -> None:
    new = in_memory(small, trials=60)
    assert len({row["key"] for row in new.rows if row["status"] == "ok"}) == 60
    again = in_memory(small, trials=60, dedup=False)
    assert [row["status"] for row in again.rows] == ["ok"] * 60
    assert len({row["key"] for row in again.rows}) < 60


def test_memory_and_directory_agree(small: Path, tmp_path: Path) -> None:
    run = launch(planned(small, trials=12, strategy="tpe", run=str(tmp_path / "run")), Reporter(quiet=True))
    memory = in_memory(small, trials=12, strategy="tpe")
    told = [[(r["trial"], r["status"], r["key"], r["reward"]) for r in s.rows] for s in (run, memory)]
    assert told[0] == told[1]
    rows = Run(tmp_path / "run").table().to_pylist()
    assert all(Genome.loads(r["genome"]).key == r["key"] for r in rows)


def test_a_finished_run_is_a_benchmark(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its rows are found by any strategy; answers that it does not have stand for the nearest it has."""
    folder = tmp_path / "run"
    first = launch(planned(small, trials=30, run=str(folder)), Reporter(quiet=True))
    trained = {r["key"]: r for r in first.rows if r["status"] == "ok"}
    assert table.main([str(folder), "--to", str(tmp_path / "run.parquet")]) == 0
    for place in (folder, tmp_path / "run.parquet"):
        again = in_memory(place, trials=20, strategy="tpe")
        assert again.plan.space.name == "nasbench201"
        assert again.dispatched == 20
        for row in again.rows:
            assert row["val_accuracy"] == trained[row["key"]]["val_accuracy"]
            drawn = SPACES["nasbench201"].bind(operations=OPS).draw(Replay(json.loads(row["choices"])))
            assert drawn.key == row["key"]
        best = max(r["reward"] for r in again.rows)
        whole = in_memory(place, trials=30)
        assert ranking(whole.rows)[0]["reward"] == max(r["reward"] for r in trained.values()) >= best


def test_every_row_of_a_run_is_reached_by_brute_force(small: Path, tmp_path: Path) -> None:
    """Answers that stand for a row's are not the row's own: they do not end the search."""
    launch(planned(small, trials=20, run=str(tmp_path / "run")), Reporter(quiet=True))
    assert in_memory(tmp_path / "run", trials=20, strategy="brute-force").dispatched == 20


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A table of which nothing but the answers is known; `depth` decides whether `width3` is asked."""
    lines = ["depth,w1,w2,act,accuracy"]
    lines += [
        f"{d},{w},{'' if d == 1 else 2 * w},{a},{(d * w + (a == 'relu')) / 200}"
        for d in (1, 2)
        for w in (8, 16, 64)
        for a in ("relu", "gelu")
    ]
    (tmp_path / "plain.csv").write_text("\n".join(lines))
    (tmp_path / "plain.toml").write_text(
        'table = "plain.csv"\n[answers]\ndepth = "depth"\nw1 = "w1"\nw2 = "w2"\nact = "act"\n'
        '[columns]\nval_accuracy = "accuracy"\n'
    )
    return tmp_path / "plain.toml"


@pytest.mark.parametrize("strategy", ["random", "tpe", "bayes"])
def test_a_table_needs_no_space(plain: Path, strategy: str) -> None:
    done = in_memory(plain, trials=12, strategy=strategy)
    rows = [r for r in done.rows if r["status"] == "ok"]
    assert len({r["key"] for r in rows}) == len(rows) == 12
    assert max(r["reward"] for r in rows) == pytest.approx((2 * 64 + 1) / 200)
    assert {r["params"] for r in rows} == {None}
    assert done.elapsed == 12  # a second each, where the table has no times
    with pytest.raises(UsageError, match="does not say what networks"):
        planned(plain, macs=(0.0, 1e6))


def test_lines_of_a_table_without_a_space_have_no_macs(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--executor", f"table:{plain}", "--strategy", "random", "--trials", "2"]
    assert search.main([*words, "--run", str(tmp_path / "run")]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("search ")]
    assert len(lines) == 2
    assert not any("MACs" in line for line in lines)


def test_a_run_of_a_table_without_a_space_is_a_benchmark(plain: Path, tmp_path: Path) -> None:
    first = launch(planned(plain, trials=8, run=str(tmp_path / "run")), Reporter(quiet=True))
    again = in_memory(tmp_path / "run", trials=8)
    scores = [sorted(r["reward"] for r in s.rows if r["status"] == "ok") for s in (first, again)]
    assert len(scores[0]) == 8
    assert scores[0] == scores[1]


def test_what_is_not_a_number_in_a_table_is_missing(plain: Path) -> None:
    text = plain.with_suffix(".csv").read_text()
    plain.with_suffix(".csv").write_text(text.replace("0.645", "nan"))
    assert text.count("0.645") == 1
    known = benchmark(plain)
    assert [known.row(i)["status"] for i in range(len(known))].count("failed") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cells.parquet", "nothing.parquet"), "there is no table"),
        (('"arch"', '"arhc"'), "did you mean arch"),
        (('"val"', '"vall"'), "did you mean val"),
        (("percent = true", ""), "percents"),
        (("percent", "precent"), "did you mean percent"),
        (('format = "nasbench201"', 'format = "nasbench"'), "one of nasbench201"),
        (('space = "nasbench201"', 'space = "nasbench202"'), "nasbench201"),
        (("val_accuracy", "val_acuracy"), "a table may give"),
        (("[columns]", "[columns"), "wrong.toml"),
        (('"cells.parquet"', "5"), "table must be a text, not 5"),
        (('format = "nasbench201"', "answers = 5"), "answers must be a table, not 5"),
        (('"val"', '"arch"'), "val_accuracy is a number, which arch has not"),
        (('"s"', '"arch"'), "train_seconds is a number, which arch has not"),
    ],
)
def test_mistakes_in_a_description_are_named(small: Path, change: tuple[str, str], message: str) -> None:
    text = small.read_text()
    assert change[0] in text
    wrong = small.with_name("wrong.toml")
    wrong.write_text(text.replace(*change, 1))
    with pytest.raises((TableError, LookupError), match=message):
        benchmark(wrong)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"reward": "mnasnet", "target_latency": 5.0}, "--reward: cells has no latency_ms"),
        ({"objective": "accuracy,latency", "strategy": "nsga2"}, "--objective: cells has no latency_ms"),
        ({"init": "zero-gamma"}, "--init: nothing is trained"),
        ({"schedule": "cosine"}, "--schedule: nothing is trained"),
        ({"space": "anynet"}, "--space: the table says"),
        ({"dataset": "digits"}, "--dataset: the table says"),
        ({"keep": 2}, "--keep: nothing is trained"),
        ({"confirm": 1}, "--confirm: nothing is trained"),
        ({"preset": "laptop"}, "--preset: the table says"),
        ({"storage": "sqlite:///study.db"}, "--storage: random keeps no study"),
    ],
)
def test_what_a_table_cannot_do_is_refused(small: Path, wish: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(small, **wish)
    assert planned(small, objective="accuracy,macs,train_seconds").goals  # by the genome, and by the table


def test_a_preview_of_a_table_has_its_times(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search.main(["--executor", f"table:{small}", "--strategy", "random", "--dry-run", "4"]) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines() if line.endswith(" s")]
    assert len(lines) == 4
    assert {int(line[-2]) % 10 for line in lines} == {0}
    assert "the table's times" in shown


def test_the_command_searches_a_table(small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wish = [
        "--executor",
        f"table:{small}",
        "--strategy",
        "random",
        "--trials",
        "8",
        "--run",
        str(tmp_path / "r"),
    ]
    assert search.main([*wish, "--json"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert lines[-1]["best"]["reward"] == max(line["reward"] for line in lines[:-1])
    assert search.main([*wish, "--quiet"]) == 0  # a finished one is read, not run
    assert "Test accuracy of the best" in capfd.readouterr().out


TABLES = sorted(file for file in DESCRIPTIONS.glob("*.toml") if "[columns]" in file.read_text())


@pytest.mark.parametrize("file", TABLES, ids=lambda f: f.stem)
def test_published_tables(file: Path, monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    """Random networks are found, and the best of each table is the published one."""
    folder = shared / "benchdata"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    monkeypatch.setenv("NAS_TABLES", str(folder))
    known: Benchmark = benchmark(file)
    best = {"nasbench201_cifar10": 94.37, "nasbench201_cifar100": 73.51, "nasbench201_imagenet16": 47.31}
    tests = [v for v in known.columns["test_accuracy"] if v is not None]
    assert 100 * max(tests) == pytest.approx(best.get(file.stem, 94.32), abs=0.005)
    done = in_memory(file, trials=5)
    assert done.dispatched == 5
    assert {r["status"] for r in done.rows} <= {"ok", "duplicate"}
