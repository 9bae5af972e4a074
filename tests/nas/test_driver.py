"""A search leaves tables from which it can be continued, whatever stopped it."""

import dataclasses
import json
import random
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cells.genome import Genome
from cells.infer import infer
from nas.dispatch import Task
from nas.driver import Search
from nas.launch import launch
from nas.options import Options, UsageError
from nas.planning import Plan, plan
from nas.progress import Reporter
from nas.results import by, confirmed, verdict
from nas.store import Run
from nas.strategies import Wait
from nas.summary import conclusion
from nas.targets import find_space
from nas.trial import Outcome
from search_spaces import Fixed


def planned(folder: Path, **options: Any) -> Plan:
    """A plan on digits whose trials are not trained here but answered by `answer`."""
    given = {"dataset": "digits", "trials": 18, "executor": "local", "confirm": 2, **options}
    return plan(Options(run=str(folder), **given))


def answer(task: Task) -> Outcome:
    """In place of training: an accuracy that follows from the genome and the seed."""
    genome = Genome.loads(task.job.genome)
    noise = random.Random(f"{genome.key}/{task.job.seed}").random() / 50
    accuracy = min(0.99, 0.3 + infer(genome).params / 2e6 + noise)
    row = {
        "status": "failed" if genome.key[0] == "0" else "ok",
        "error": "for a test" if genome.key[0] == "0" else None,
        "val_accuracy": None if genome.key[0] == "0" else accuracy,
        "images_per_second": 1000.0,
        "train_seconds": 3.0,
        "latency_ms": 1.0,
        "started": datetime.now(UTC) - timedelta(seconds=3),
    }
    return Outcome(row, b"weights of " + genome.key.encode())


class Stop(Exception):  # noqa: N818
    """The process dies."""


def work(search: Search, workers: int = 1, stop_after: int | None = None, seed: int = 0) -> None:
    """Answers tasks as so many workers would, which finish in any order; dies after so many results."""
    rng = random.Random(seed)
    running: list[Task] = []
    done = 0
    ended = False
    while running or not ended:
        while len(running) < workers and not ended:
            task = search.next()
            if task is None:
                ended = True
            elif isinstance(task, Wait):
                break
            else:
                running.append(task)
        if not running:
            continue
        task = running.pop(rng.randrange(len(running)))
        search.done(task.name, answer(task))
        done += 1
        if done == stop_after:
            raise Stop
    search.close()


def finished(folder: Path, workers: int = 1, **options: Any) -> Search:
    folder.mkdir(parents=True, exist_ok=True)
    search = Search(planned(folder, **options))
    work(search, workers)
    return search


def told(search: Search) -> list[tuple[Any, ...]]:
    return [
        (r["trial"], r["stage"], r["seed"], r["status"], r["key"], r["choices"], r["reward"])
        for r in search.rows
    ]


def test_rows_rebuild_their_networks(tmp_path: Path) -> None:
    search = finished(tmp_path)
    rows = Run(tmp_path).table().to_pylist()
    assert sum(r["stage"] == "search" and r["status"] in ("ok", "failed") for r in rows) == 18
    for row in rows:
        if row["genome"] is not None:
            genome = Genome.loads(row["genome"])
            assert genome.key == row["key"]
            assert infer(genome).params == row["params"]
            assert row["flops"] == 2 * row["macs"]
    asks = Run(tmp_path).asks().to_pylist()
    assert [a["trial"] for a in asks] == list(range(len(asks)))
    dispatched = {a["trial"] for a in asks if a["settled"] is None}
    assert dispatched == {r["trial"] for r in rows if r["status"] in ("ok", "failed")}
    assert search.dispatched == 18


@pytest.mark.parametrize("strategy", ["random", "tpe"])
@pytest.mark.parametrize("stop_after", [1, 7, 15, 19, 21])
def test_resume_equals_the_uninterrupted_run(tmp_path: Path, strategy: str, stop_after: int) -> None:
    whole = finished(tmp_path / "whole", strategy=strategy)
    folder = tmp_path / "cut"
    folder.mkdir()
    with pytest.raises(Stop):
        work(Search(planned(folder, strategy=strategy)), stop_after=stop_after)
    resumed = finished(folder, strategy=strategy)
    assert resumed.resumed >= stop_after
    assert told(resumed) == told(whole)
    assert [a["choices"] for a in resumed.asks.rows] == [a["choices"] for a in whole.asks.rows]


@pytest.mark.parametrize("strategy", ["random", "tpe"])
def test_a_search_around_a_classic_resumes(tmp_path: Path, strategy: str) -> None:
    wish: dict[str, Any] = {"space": "around:resnet20", "strategy": strategy}
    whole = finished(tmp_path / "whole", **wish)
    seed_point = next(row for row in whole.rows if row["trial"] == 0)
    assert seed_point["key"] == find_space("around:resnet20").draw(Fixed(edits=0)).key
    (tmp_path / "cut").mkdir()
    with pytest.raises(Stop):
        work(Search(planned(tmp_path / "cut", **wish)), stop_after=9)
    assert told(finished(tmp_path / "cut", **wish)) == told(whole)


def test_a_result_of_a_run_is_a_start(tmp_path: Path) -> None:
    finished(tmp_path / "first")
    row = Run(tmp_path / "first").best("")
    for text in (f"around:{tmp_path}/first", f"around:{tmp_path}/first:{row['key'][:8]}"):
        space = find_space(text)
        assert space.name == f"around:{tmp_path}/first:{row['key']}"
        drawn = space.draw(Fixed(edits=0))
        assert drawn.key == row["key"]
        assert drawn == Genome.loads(row["genome"])


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("stop_after", [3, 13, 20])
def test_with_several_workers_nothing_is_lost_or_repeated(
    tmp_path: Path, workers: int, stop_after: int
) -> None:
    with pytest.raises(Stop):
        work(Search(planned(tmp_path)), workers, stop_after)
    before = Run(tmp_path).table().to_pylist()
    asked = {a["trial"]: a["choices"] for a in Run(tmp_path).asks().to_pylist()}
    search = finished(tmp_path, workers)
    after = search.rows
    assert [(r["trial"], r["stage"], r["seed"]) for r in before] == [
        (r["trial"], r["stage"], r["seed"]) for r in after[: len(before)]
    ]
    once = [(r["trial"], r["stage"], r["seed"]) for r in after]
    assert len(once) == len(set(once))
    assert search.dispatched == 18
    # What was journalled without a result was trained with the answers that were recorded.
    for row in after:
        if row["stage"] == "search" and row["trial"] in asked:
            assert row["choices"] == asked[row["trial"]]
    trained = [r["key"] for r in after if r["stage"] == "search" and r["status"] in ("ok", "failed")]
    assert len(trained) == len(set(trained))


def test_a_torn_tail_is_cut_and_the_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        work(Search(planned(tmp_path)), stop_after=9)
    for name in ("trials.arrows", "asks.arrows"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-100])
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        search = finished(tmp_path)
    assert search.dispatched == 18


def test_weights_of_the_best_are_kept(tmp_path: Path) -> None:
    search = finished(tmp_path, keep=3)
    files = {int(f.stem) for f in (tmp_path / "weights").iterdir()}
    ranked = [r for r in Run(tmp_path).rows() if r["stage"] == "search"][:3]
    assert files == {r["trial"] for r in ranked}
    for row in ranked:
        assert (tmp_path / row["weights"]).read_bytes() == b"weights of " + row["key"].encode()
    assert search.plan.keep == 3


def test_confirmation_and_verdict(tmp_path: Path) -> None:
    search = finished(tmp_path, workers=2)
    means = confirmed(search.rows)
    said = verdict(search.rows)
    ranked = [r for r in Run(tmp_path).rows() if r["stage"] == "search"]
    assert {r["key"] for r in ranked[:2]} <= set(means)
    for who in ("random", "seed"):
        assert next(r["key"] for r in ranked if by(r) == who) in means
    assert all(n == 2 for _, _, n in means.values())
    seeds = {r["seed"] for r in search.rows if r["stage"] == "confirm"}
    assert seeds == {1, 2}
    best = max(means, key=lambda k: means[k][0])
    assert said["winner"]["key"] == Run(tmp_path).best()["key"] == best
    random_best = next(r["key"] for r in ranked if by(r) == "random")
    assert said["difference"] == pytest.approx(means[best][0] - means[random_best][0])
    recipe = json.loads(next(r["recipe"] for r in search.rows if r["stage"] == "confirm"))
    assert recipe["train_images"] is None


def crafted(by: str, trial: int, search: float, confirm: list[float]) -> list[dict[str, Any]]:
    row = {
        "trial": trial,
        "key": f"{by}{trial}",
        "note": json.dumps({"by": by}),
        "status": "ok",
        "strategy": "tpe",
    }
    rows = [row | {"stage": "search", "reward": search, "val_accuracy": search}]
    return rows + [row | {"stage": "confirm", "reward": a, "val_accuracy": a} for a in confirm]


def test_the_verdict_says_no_more_than_the_seeds_do() -> None:
    close = crafted("tpe", 1, 0.45, [0.52, 0.54]) + crafted("random", 2, 0.44, [0.52, 0.53])
    said = verdict(close)
    assert said["winner"]["key"] == "tpe1"
    assert said["difference"] == pytest.approx(0.005)
    assert said["difference"] < said["margin"]
    clear = crafted("tpe", 1, 0.45, [0.60, 0.601]) + crafted("random", 2, 0.44, [0.52, 0.521])
    said = verdict(clear + crafted("seed", 3, 0.40, [0.500, 0.501]))
    assert said["difference"] > said["margin"] > 2 * said["error"]
    at_random = crafted("random", 1, 0.45, [0.52, 0.53]) + crafted("random", 2, 0.44, [0.60, 0.61])
    said = verdict(at_random)
    assert said["winner"]["key"] == "random2"
    assert "difference" not in said
    assert "random draw" in conclusion(said)[0]


def test_no_confirmation(tmp_path: Path) -> None:
    search = finished(tmp_path, confirm=0)
    assert {r["stage"] for r in search.rows} == {"search"}
    assert verdict(search.rows)["winner"]["reward"] == max(r["reward"] or 0 for r in search.rows)


def test_duplicates_of_running_trials_wait_for_them(tmp_path: Path) -> None:
    file = tmp_path / "tiny.py"
    file.write_text(
        "from cells.ops import Conv, Flatten, GlobalPool, Linear\n"
        "from cells.sketch import Sketch\n"
        "def tiny(choose, *, input=(3, 32, 32), classes=10):\n"
        "    s = Sketch(input)\n"
        "    x = s.add('conv', Conv(choose.pick('w', [8, 16, 24]), 1), s.input)\n"
        "    choose.pick('none', [0, 1, 2])\n"
        "    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes)))\n"
    )
    search = finished(tmp_path / "run", 2, space=f"{file}:tiny", trials=50, strategy="random", confirm=0)
    assert "proposals in a row" in search.ended
    assert search.dispatched == 3
    seen: dict[int, float] = {}
    for row in search.rows:
        if row["status"] == "duplicate":
            first = int(row["error"].rpartition(" ")[2])
            assert row["reward"] == seen[first]  # recorded after the trial that it repeats
        else:
            seen[row["trial"]] = row["reward"]
    again = Search(planned(tmp_path / "run", space=f"{file}:tiny", trials=50, strategy="random", confirm=0))
    assert again.told == search.told


def test_a_run_directory_belongs_to_one_search(tmp_path: Path) -> None:
    launch(planned(tmp_path / "run", trials=1, confirm=0, epochs=1, train_images=64), Reporter(quiet=True))
    for change, reason in (
        ({"seed": 5}, "another seed"),
        ({"strategy": "random"}, "another strategy"),
        ({"train_images": 65}, r"another recipe \(train_images: 64 there, 65 here\)"),
        ({"macs": (3e6, 5e6)}, "another window"),
    ):
        given: dict[str, Any] = {"trials": 2, "confirm": 0, "epochs": 1, "train_images": 64, **change}
        with pytest.raises(UsageError, match=reason):
            launch(planned(tmp_path / "run", **given), Reporter(quiet=True))


def test_only_one_writer(tmp_path: Path) -> None:
    import fcntl

    folder = tmp_path / "run"
    folder.mkdir()
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process is writing"):
            launch(planned(folder), Reporter(quiet=True))


def test_a_changed_space_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        work(Search(planned(tmp_path)), stop_after=3)
    changed = planned(tmp_path)
    space = changed.space.bind(g=(64,))
    with pytest.raises(UsageError, match="cannot be replayed"):
        Search(dataclasses.replace(changed, space=space))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("nas.driver.time.monotonic", lambda: now[0])
    return now


def test_a_time_budget_keeps_a_part_for_confirming(tmp_path: Path, clock: list[float]) -> None:
    search = Search(planned(tmp_path, trials=None, timeout=100.0))
    stages = []
    while (task := search.next()) is not None:
        assert isinstance(task, Task)
        stages.append(task.name.partition("-")[0])
        clock[0] += 3.0
        search.done(task.name, answer(task))
    searched = stages.count("search")
    assert stages == ["search"] * searched + ["confirm"] * (len(stages) - searched)
    assert 50 <= 3 * searched <= 80
    search.close()
    again = Search(planned(tmp_path, trials=None, timeout=100.0))
    assert again.next() is None  # the time used before counts
