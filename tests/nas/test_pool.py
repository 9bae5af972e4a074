"""A pool of random networks is ranked before anything is trained, and its best go first."""

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from toys import TINY, laptop

from cells.infer import infer
from nas import pool, search
from nas.driver import Search
from nas.launch import launch
from nas.options import Options, UsageError
from nas.planning import plan
from nas.pool import Ranking, Wish, draw, ranked
from nas.preview import preview
from nas.progress import Reporter
from nas.results import by
from nas.strategies import Problem
from search_spaces import SPACES, Enumerate
from search_spaces.formats import write_nasbench201

OPS = ("none", "skip_connect", "nor_conv_3x3")

GELUS = """
from cells.ops import Activation, Conv, Flatten, GlobalPool, Linear
from cells.sketch import Sketch

def gelus(choose, *, input=(3, 32, 32), classes=10):
    s = Sketch(input)
    x = s.chain(s.input, conv=Conv(choose.integer("w", 1, 64), 1), act=Activation("gelu"), pool=GlobalPool())
    return s.genome(s.chain(x, flatten=Flatten(), fc=Linear(classes)))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """729 cells of NAS-Bench-201, the better the fewer convolutions; the parameters are invented."""
    folder = tmp_path_factory.mktemp("cells")
    rows = []
    for chooser in Enumerate():
        SPACES["nasbench201"].bind(operations=OPS).draw(chooser)
        convs = list(chooser.record.values()).count("nor_conv_3x3")
        rows.append({"arch": write_nasbench201(chooser.record), "val": 1 - convs / 10, "size": 100 + convs})
    pq.write_table(pa.Table.from_pylist(rows), folder / "cells.parquet")
    (folder / "cells.toml").write_text("""
        table = "cells.parquet"
        space = "nasbench201"
        arguments = { operations = ["none", "skip_connect", "nor_conv_3x3"] }
        format = "nasbench201"
        column = "arch"
        columns = { val_accuracy = "val", params = "size" }
    """)
    return folder / "cells.toml"


def searched(table: Path, run: Path, **options: Any) -> Search:
    given = {"strategy": "random", "proxy": "params", "pool": 60, "trials": 20, **options}
    return launch(plan(Options(executor=f"table:{table}", run=str(run), **given)), Reporter(quiet=True))


def test_a_pool_is_of_different_networks_inside_the_window() -> None:
    problem = laptop()
    found = [p.genome for p in draw(problem, 40) if p.genome is not None]
    assert len({genome.key for genome in found}) == 40
    assert all(problem.window.violation(infer(genome)) is None for genome in found)
    assert [p.genome for p in draw(laptop(), 40)] == found
    assert [p.genome for p in draw(laptop(), 10)] == found[:10]
    assert len(list(draw(Problem(TINY), 40))) == 3


def test_the_best_of_the_pool_go_first(table: Path, tmp_path: Path) -> None:
    done = searched(table, tmp_path / "run", seed_points="ResNet")
    rows = [row for row in done.rows if row["status"] == "ok"]
    kept = json.loads((tmp_path / "run" / "pool.json").read_text())["networks"]
    assert len({network["key"] for network in kept}) == 60
    assert [n["score"] for n in kept] == sorted((n["score"] for n in kept), reverse=True)
    assert kept[0]["score"] in range(100, 107)  # the table's parameters, not those of the network
    asked = [ask for ask in done.asks.rows if json.loads(ask["note"])["by"] == "params"]
    assert [json.loads(ask["choices"]) for ask in asked] == [n["choices"] for n in kept[:6]]
    assert [json.loads(ask["note"])["score"] for ask in asked] == [n["score"] for n in kept[:6]]
    assert by(rows[0]) == "seed"
    assert {by(row) for row in rows[1 + len(asked) :]} == {"random"}


@pytest.mark.parametrize("strategy", ["tpe", "evolution:population=8,sample=3"])
def test_a_continued_run_is_the_uninterrupted_one_and_ranks_no_pool(
    table: Path, tmp_path: Path, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = searched(table, tmp_path / "whole", trials=16, strategy=strategy)
    searched(table, tmp_path / "cut", trials=3, strategy=strategy)
    monkeypatch.setattr(pool, "rank", None)
    cut = searched(table, tmp_path / "cut", trials=16, strategy=strategy)
    assert [(r["trial"], r["key"], r["note"]) for r in cut.rows] == [
        (r["trial"], r["key"], r["note"]) for r in whole.rows
    ]
    with pytest.raises(UsageError, match="another pool"):
        searched(table, tmp_path / "cut", trials=16, strategy=strategy, pool=70)


def test_images_rank_networks_and_the_time_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})  # one thread: others are testing, too
    words = ["--dataset", "digits", "--executor", "local", "--epochs", "1", "--train-images", "64"]
    words += ["--confirm", "0", "--seed-points", "none", "--strategy", "random", "--trials", "2"]
    words += ["--proxy", "naswot", "--pool", "4", "--run", str(tmp_path / "run")]
    assert search.main(words) == 0
    said = capsys.readouterr().out
    assert "4 random networks, ranked by naswot; the best goes first" in said
    assert "4 networks ranked by naswot in" in said
    left = plan(Options(dataset="digits", strategy="random", seed_points="none", proxy="naswot", pool=4))
    again = ranked(left)
    kept = json.loads((tmp_path / "run" / "pool.json").read_text())
    assert again.ranking is not None
    assert [n["key"] for n in again.ranking.networks] == [n["key"] for n in kept["networks"]]
    monkeypatch.setattr("nas.preview._speed", lambda plan, proposal: 1e9)
    assert preview(again, 2, Reporter()) == 0
    shown = capsys.readouterr().out.splitlines()
    assert kept["networks"][0]["key"][:8] in shown[1]
    assert "naswot" in shown[1]
    assert "random" in shown[2]
    asks = Search(plan(Options(dataset="digits", run=str(tmp_path / "run")))).asks.rows
    assert asks[0]["elapsed"] >= kept["seconds"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool": 10}, "--pool: needs a --proxy"),
        ({"proxy": "synflo"}, "--proxy: .*did you mean synflow"),
        ({"proxy": "synflow", "pool": 0}, "pool must be a whole number above 0"),
        ({"proxy": "naswot", "space": "gelus.py:gelus", "pool": 3}, "any of 3 networks: it has no ReLUs"),
        (
            {"proxy": "params", "macs": (1, 2), "seed_points": "none"},
            "--proxy params: none of 9 random draws",
        ),
    ],
)
def test_what_cannot_be_ranked_is_one_line(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gelus.py").write_text(GELUS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nas.strategies.random.DRAWS", 9)
    with pytest.raises(UsageError, match=message) as raised:
        ranked(plan(Options(dataset="digits", **options)))
    assert "\n" not in str(raised.value)


def test_a_table_ranks_only_by_costs(table: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="no network is built when a table answers: take one of params, macs"
    ):
        searched(table, tmp_path / "run", proxy="synflow")
    (tmp_path / "pool.json").write_text("{")
    with pytest.raises(UsageError, match=r"pool\.json cannot be read"):
        searched(table, tmp_path)


def of_digits(**options: Any) -> Ranking:
    """A ranking by naswot of 12 networks for digits."""
    found = ranked(plan(Options(dataset="digits", proxy="naswot", pool=12, **options))).ranking
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("options", "count"), [({"timeout": 10.0}, 2), ({"timeout": 0.5}, 1), ({"trials": 3}, 12)]
)
def test_ranking_takes_a_fifth_of_the_timeout(
    options: dict[str, Any], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A score takes a second."""
    now = [100.0]

    def slow(*_: object) -> float:
        now[0] += 1
        return now[0]

    monkeypatch.setattr("nas.proxies.score", slow)
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=lambda: now[0]))
    found = of_digits(**options)
    assert [n["score"] for n in found.networks] == [100.0 + count - i for i in range(count)]
    assert (found.seconds, found.cut) == (count, count < 12)
    said = found.describe(Wish("naswot", 12))
    if found.cut:
        assert (
            said
            == f"{count} of 12 networks ranked by naswot in {count} s, when a fifth of --timeout was over"
        )
    else:
        assert said == "12 networks ranked by naswot in 12 s"


def test_simulated_time_ends_no_ranking(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=itertools.count(step=1000).__next__))
    found = ranked(plan(Options(executor=f"table:{table}", proxy="params", pool=60, timeout=5.0))).ranking
    assert found is not None
    assert (len(found.networks), found.cut) == (60, False)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore"), "out of memory"),
        (MemoryError(), "out of memory"),
        (np.linalg.LinAlgError("no\nSVD"), "LinAlgError: no"),
        (RuntimeError("a kernel is missing\nsomewhere"), "RuntimeError: a kernel is missing"),
        (OverflowError("too large"), "OverflowError: too large"),
        (TypeError("a mistake"), None),
        (KeyboardInterrupt(), None),
    ],
)
def test_what_one_network_does_ends_no_search(
    error: BaseException, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = itertools.count()

    def third_fails(*_: object) -> float:
        if next(number) == 2:
            raise error
        return 1.0

    monkeypatch.setattr("nas.proxies.score", third_fails)
    if reason is None:
        with pytest.raises(type(error)):
            of_digits(trials=3)
        return
    found = of_digits(trials=3)
    assert (len(found.networks), found.left_out) == (11, {reason: 1})
    assert found.describe(Wish("naswot", 12)).endswith(f" s; 1 left out, such as: {reason}")


def test_a_ranking_of_before_time_could_end_it_is_read(table: Path, tmp_path: Path) -> None:
    searched(table, tmp_path, trials=3)
    kept = json.loads((tmp_path / "pool.json").read_text())
    assert kept.pop("cut") is False
    (tmp_path / "pool.json").write_text(json.dumps(kept))
    assert len(searched(table, tmp_path, trials=5).rows) == 5


def test_a_tenth_goes_first() -> None:
    assert [Wish("synflow", size).first for size in (1, 9, 10, 19, 20, 200)] == [1, 1, 1, 1, 2, 20]
