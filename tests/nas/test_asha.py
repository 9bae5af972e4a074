"""Trainings that fall behind are cut short, by one rule wherever they run."""

import dataclasses
import json
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cells.genome import Genome
from cells.infer import infer
from nas.asha import ENDED, Asha, Halving, Reach, learn
from nas.dispatch import Outcome, Task
from nas.driver import Search
from nas.launch import launch, same_run, simulate
from nas.objectives import ACCURACY, read_objectives
from nas.options import Options, UsageError
from nas.planning import Plan, plan
from nas.preview import preview
from nas.progress import Reporter
from nas.results import ranking, until
from nas.rungs import geometric
from nas.store import Run
from nas.strategies import Wait
from nas.tables import benchmark

RUNGS = (1, 3, 9)


@pytest.mark.parametrize(
    ("rungs", "eta", "brackets"), [(RUNGS, 3, 1), (RUNGS, 3, 2), ((2, 8, 32, 128), 4, 3)]
)
def test_decisions_are_those_of_ray_tune(rungs: tuple[int, ...], eta: int, brackets: int) -> None:
    """On random streams of several trials at once, with ties; the brackets are dealt by ours."""
    from ray.tune.schedulers import AsyncHyperBandScheduler

    ours = Asha(rungs, eta, brackets, seed=1)
    theirs = AsyncHyperBandScheduler(
        "epoch",
        "accuracy",
        "max",
        max_t=rungs[-1],
        grace_period=rungs[0],
        reduction_factor=eta,
        brackets=brackets,
    )
    rng = random.Random(0)
    running: dict[int, int] = {}
    stops: Counter[bool] = Counter()
    started = 0
    for _ in range(3000):
        if len(running) < 5:
            running[started] = 0
            theirs._trial_info[str(started)] = theirs._brackets[ours.bracket(started)]
            started += 1
        trial = rng.choice(list(running))
        running[trial] += 1
        epoch, value = running[trial], round(rng.random() + running[trial] / 50, 2)
        if epoch == rungs[-1]:
            del running[trial]
            continue
        known: Any = SimpleNamespace(trial_id=str(trial))
        action = theirs.on_trial_result(None, known, {"epoch": epoch, "accuracy": value})
        least = ours.report(trial, epoch, value)
        assert (least is not None) == (action == "STOP")
        assert least is None or value < least
        stops[least is not None] += epoch in rungs
        if least is not None:
            del running[trial]
    assert stops[True] > 100
    assert len({ours.bracket(trial) for trial in range(started)}) == brackets


def test_rungs_of_a_length() -> None:
    assert geometric(9, 3) == (1, 3, 9)
    assert geometric(98, 3) == (1, 4, 11, 33, 98)
    assert geometric(8, 2) == (1, 2, 4, 8)
    assert geometric(1, 3) == (1,)
    assert geometric(24, 3) == (3, 8, 24)  # a rung of one epoch would be cut to double it
    assert geometric(9, 4) == (2, 9)


def row(trial: int, curve: list[float], params: int = 0) -> dict[str, Any]:
    epochs = [{"epoch": i, "accuracy": a, "seconds": 1.0} for i, a in enumerate(curve, start=1)]
    return {"trial": trial, "status": "ok", "curve": epochs, "val_accuracy": curve[-1], "params": params}


def test_a_front_prunes_only_what_cannot_reach_it() -> None:
    """Planted curves, all of one law: what is pruned wrongly is as rare as it is said to be."""
    rng = random.Random(3)
    rule = Reach(RUNGS, read_objectives("accuracy,params:min"))
    wrong = pruned = judged = 0
    for trial in range(2000):
        final = rng.uniform(0.5, 0.9)
        now = row(
            trial, [final - rng.uniform(0.2, 0.3) / epoch for epoch in range(1, 10)], rng.randrange(1000)
        )
        reasons = [rule.judge(trial, until(now, rung)) for rung in RUNGS]
        point = (now["val_accuracy"], -now["params"])
        beaten = any(a >= point[0] and b >= point[1] for a, b in rule.ended)
        assert reasons[-1] is None  # a whole training is not cut
        if trial < ENDED:
            assert reasons == [None] * 3
        judged += 1
        if any(reasons):
            pruned += 1
            wrong += not beaten
        else:
            rule.end(now)
    assert pruned > 0.5 * judged
    assert wrong <= judged * sum(1 / (n + 1) for n in (ENDED, ENDED + 1)) / 10
    assert wrong < 0.01 * pruned


def test_a_rule_is_a_fold_over_rows() -> None:
    rng = random.Random(0)
    for new in (
        lambda: Halving(Asha(RUNGS, 3, 2), ACCURACY),
        lambda: Reach(RUNGS, read_objectives("accuracy,params")),
    ):
        first, again = new(), new()
        for trial in range(60):
            whole = row(trial, sorted(rng.random() for _ in range(9)), rng.randrange(9))
            recorded = whole
            for rung in RUNGS[:-1]:
                if first.judge(trial, until(whole, rung)) is not None:
                    recorded = {**until(whole, rung), "status": "pruned"}
                    break
            else:
                first.end(whole)
            learn(again, trial, recorded)
        asked = [row(99, sorted(rng.random() for _ in range(n))) for n in (1, 3, 1, 3)]
        assert [first.judge(99 + i, a) for i, a in enumerate(asked)] == [
            again.judge(99 + i, a) for i, a in enumerate(asked)
        ]


def planned(folder: Path, **options: Any) -> Plan:
    given = {"dataset": "digits", "trials": 24, "executor": "local", "strategy": "random", "confirm": 1}
    return plan(Options(run=str(folder), **{**given, **options}))


def curve_of(task: Task) -> list[dict[str, Any]]:
    """In place of training: a curve that follows from the genome and the length."""
    genome = Genome.loads(task.job.genome)
    noise = random.Random(genome.key).random() / 10
    final = min(0.9, 0.3 + infer(genome).params / 2e6 + noise)
    return [
        {"epoch": e, "loss": 1.0, "accuracy": final - 0.2 / e, "seconds": 1.0}
        for e in range(1, task.recipe.epochs + 1)
    ]


def work(search: Search, stop_after: int | None = None) -> None:
    """One worker, that dies after so many results."""
    done = 0
    while (task := search.next()) is not None:
        assert not isinstance(task, Wait)
        known = {"latency_ms": 1.0, "images_per_second": 1.0, "started": datetime.now(UTC)}
        whole: dict[str, Any] = {"curve": curve_of(task), **known}
        for epoch in range(1, task.recipe.epochs + 1):
            outcome = Outcome(until(whole, epoch), b"weights")
            if not search.epoch(task.name, outcome.row):
                outcome.weights = None
                break
        else:
            outcome.row["status"] = "ok"
        search.done(task.name, outcome)
        done += 1
        if done == stop_after:
            return
    search.close()


def columns(search: Search) -> list[tuple[Any, ...]]:
    return [(r["trial"], r["stage"], r["status"], r["error"], r["key"], r["reward"]) for r in search.rows]


def made(folder: Path, **options: Any) -> Search:
    folder.mkdir(exist_ok=True)
    search = Search(planned(folder, **options))
    work(search)
    return search


@pytest.mark.parametrize(
    "options",
    [
        {"scheduler": "asha", "strategy": "evolution:population=4"},
        {"scheduler": "asha", "objective": "accuracy,params", "strategy": "nsga2:population=4", "trials": 40},
        {"rungs": (1, 3, 9)},
    ],
)
def test_resume_equals_the_uninterrupted_run(tmp_path: Path, options: dict[str, Any]) -> None:
    whole = made(tmp_path / "whole", **options)
    for stop in (5, 26):
        folder = tmp_path / f"cut{stop}"
        folder.mkdir()
        work(Search(planned(folder, **options)), stop)
        assert columns(made(folder, **options)) == columns(whole)


def test_pruned_rows_keep_their_curve_and_count(tmp_path: Path) -> None:
    search = made(tmp_path, scheduler="asha", brackets=2)
    assert search.plan.recipe.epochs == 24  # three times a brief one's
    assert search.plan.confirm_recipe.epochs == 8
    rows = [r for r in search.rows if r["stage"] == "search" and r["status"] in ("ok", "pruned")]
    assert len(rows) == search.dispatched == 24
    pruned = [r for r in rows if r["status"] == "pruned"]
    assert {len(r["curve"]) for r in pruned} <= {3, 8}
    assert 8 <= len(pruned) < 24
    for r in pruned:
        assert r["val_accuracy"] == r["reward"] == r["curve"][-1]["accuracy"]
        assert r["error"].startswith(f"rung {len(r['curve'])}: val_accuracy:max {r['reward']:.4g} is below ")
        assert r["weights"] is None
    assert all(len(r["curve"]) == 24 for r in rows if r["status"] == "ok")
    assert not {r["trial"] for r in pruned} & {r["trial"] for r in ranking(search.rows)}
    assert Run(tmp_path).best()["status"] == "ok"


def test_the_best_of_a_pool_are_trained_for_longer(tmp_path: Path) -> None:
    search = made(tmp_path, rungs=RUNGS, strategy="largest", trials=20)
    lengths = Counter(len(r["curve"]) for r in search.rows if r["stage"] in ("search", "rung"))
    assert lengths == {1: 20, 3: 6, 9: 2}
    first = sorted((r for r in search.rows if r["stage"] == "search"), key=lambda r: -r["reward"])
    again = {r["trial"] for r in search.rows if r["stage"] == "rung" and len(r["curve"]) == 3}
    assert again == {r["trial"] for r in first[:6]}
    ranked = ranking(search.rows)
    assert [len(r["curve"]) for r in ranked] == [9] * 2 + [3] * 4 + [1] * 14
    assert json.loads(ranked[0]["recipe"])["epochs"] == 9
    confirmed = {r["key"] for r in search.rows if r["stage"] == "confirm"}
    assert ranked[0]["key"] in confirmed
    kept = {r["weights"] for r in ranked[:5]}
    assert f"weights/{ranked[0]['trial']}-9.safetensors" in kept  # not those of its first rung
    files = [file.stem for file in (tmp_path / "weights").iterdir()]
    assert kept <= {f"weights/{stem}.safetensors" for stem in files}
    assert len({stem.partition("-")[0] for stem in files}) == len(files)
    pool = planned(tmp_path / "pool", rungs=RUNGS, trials=None, proxy="params", pool=200)
    assert pool.trials == 20 + len(pool.points) > 20  # beside the seed points
    assert pool.timeout is None


def test_a_run_with_rungs_is_a_table_of_its_longest_trainings(tmp_path: Path) -> None:
    search = made(tmp_path, rungs=RUNGS, strategy="largest", trials=20)
    table = benchmark(tmp_path)
    ranked = ranking(search.rows)
    assert len(table) == 20
    assert sorted(table.columns["val_accuracy"]) == sorted(r["val_accuracy"] for r in ranked)
    assert sorted(map(len, table.columns["curve"])) == [1] * 14 + [3] * 4 + [9] * 2


def test_rungs_of_a_run_from_before_a_recipe_had_all_its_fields(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole", rungs=RUNGS, trials=9)
    (tmp_path / "cut").mkdir()
    work(Search(planned(tmp_path / "cut", rungs=RUNGS, trials=9)), 9)
    again = Search(planned(tmp_path / "cut", rungs=RUNGS, trials=9))
    for row in again.rows:
        recipe = json.loads(row["recipe"])
        del recipe["ema"]
        row["recipe"] = json.dumps(recipe)
    work(again)
    assert [r["stage"] for r in again.rows].count("rung") == 4
    assert columns(again) == columns(whole)


def test_epochs_say_how_finely_a_training_is_cut_and_not_how_long_the_best_are_confirmed() -> None:
    cut = {
        epochs: plan(Options(dataset="digits", trials=9, scheduler="asha", epochs=epochs))
        for epochs in (None, 24, 48, 96)
    }
    assert {p.recipe.epochs for p in cut.values()} == {24, 48, 96}
    assert len({p.confirm_recipe.dumps() for p in cut.values()}) == 1
    uncut = plan(Options(dataset="digits", trials=9))
    assert uncut.confirm_recipe == cut[None].confirm_recipe
    longer = plan(Options(dataset="digits", trials=9, rungs=(24, 72), train_images=10_000))
    assert longer.confirm_recipe.epochs > uncut.confirm_recipe.epochs  # who trains longer confirms longer


def test_a_training_in_this_process_is_stopped_after_an_epoch(tmp_path: Path) -> None:
    file = tmp_path / "chain.py"
    file.write_text(
        "from cells.ops import Conv, Flatten, GlobalPool, Linear\n"
        "from cells.sketch import Sketch\n"
        "def chain(choose, *, input=(3, 32, 32), classes=10):\n"
        "    s = Sketch(input)\n"
        "    x = s.add('conv', Conv(choose.integer('w', 1, 16), 3, stride=4), s.input)\n"
        "    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes)))\n"
    )
    options: dict[str, Any] = {"scheduler": "asha", "epochs": 3, "train_images": 64, "confirm": 0}
    run = tmp_path / "run"
    launch(planned(run, space=f"{file}:chain", trials=9, **options), Reporter(quiet=True))
    rows = Run(run).table().to_pylist()
    found = {r["status"]: r for r in rows if r["stage"] == "search"}
    assert {"ok", "pruned"} <= found.keys()
    stopped = found["pruned"]
    assert len(stopped["curve"]) == 1
    assert stopped["val_accuracy"] == stopped["curve"][-1]["accuracy"]
    assert stopped["finished"] > stopped["started"]
    assert stopped["images_per_second"] > 0
    # The run is a table with curves, in which trainings are stopped again.
    told = plan(Options(executor=f"table:{run}", strategy="random", trials=3, scheduler="asha"))
    assert told.rungs is not None
    assert told.rungs.epochs == (1, 3)


def test_tune_stops_what_the_rule_stops(tmp_path: Path) -> None:
    """Tune's hooks in the order in which Tune calls them, without its workers."""
    from ray.tune.schedulers import TrialScheduler

    from nas.cluster import _scheduler, _searcher

    search = Search(planned(tmp_path, scheduler="asha", epochs=3, confirm=0, trials=6))
    tasks = _searcher(search)
    scheduler = _scheduler(tasks)
    for trial in map(str, range(6)):
        (job,) = tasks.suggest(trial).values()
        assert json.loads(job.genome)
        task = search.running[tasks.names[trial]]
        whole = {"curve": curve_of(task), "started": datetime.now(UTC)}
        for epoch in range(1, 4):
            outcome = Outcome(until(whole, epoch))
            result = {"outcome": outcome, "accuracy": 0.0}
            action = scheduler.on_trial_result(None, SimpleNamespace(trial_id=trial), result)
            if action == TrialScheduler.STOP:
                break
        else:
            outcome.row["status"] = "ok"  # as the worker's last step, which is done, has it
        tasks.on_trial_complete(trial, result)
        assert tasks.error is None
    assert tasks.suggest("6") == tasks.FINISHED
    statuses = Counter((r["status"], len(r["curve"])) for r in search.rows)
    assert statuses.keys() == {("ok", 3), ("pruned", 1)}
    assert statuses["ok", 3] + statuses["pruned", 1] == 6
    # A worker that dies says nothing of how it ended.
    again = Search(planned(tmp_path, scheduler="asha", epochs=3, confirm=0, trials=7))
    tasks = _searcher(again)
    tasks.suggest("0")
    outcome = Outcome(until({**whole, "curve": [{**e, "accuracy": 0.99} for e in whole["curve"]]}, 1))
    scheduler = _scheduler(tasks)
    scheduler.on_trial_result(None, SimpleNamespace(trial_id="0"), {"outcome": outcome, "accuracy": 0.0})
    tasks.on_trial_complete("0", None, error=True)
    assert again.rows[-1]["error"] == "the worker died"
    assert again.rows[-1]["reward"] is None
    assert len(again.rows[-1]["curve"]) == 1  # which the rule has seen, and sees again in a resumed run


@pytest.fixture(scope="module")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 40 networks with curves of nine epochs of a second."""
    folder = tmp_path_factory.mktemp("curves") / "run"
    folder.mkdir()
    settled = planned(folder, trials=40, epochs=9, confirm=0)
    same_run(folder, settled.config())
    work(Search(settled))
    return folder


def in_table(run: Path, **options: Any) -> Search:
    given = {"executor": f"table:{run}", "strategy": "random", "trials": 30, **options}
    return simulate(dataclasses.replace(plan(Options(**given)), run=None))


def test_simulated_workers_are_freed_when_a_training_stops(curves: Path) -> None:
    assert benchmark(curves).epochs == 9
    whole, cut = in_table(curves, workers=3), in_table(curves, workers=3, scheduler="asha")
    assert whole.elapsed == 9.0 * 10
    trained = [r for r in cut.rows if r["status"] in ("ok", "pruned")]
    assert len(trained) == 30
    assert {len(r["curve"]) for r in trained} == {1, 3, 9}
    for r in trained:
        assert r["train_seconds"] == len(r["curve"]) == (r["finished"] - r["started"]).total_seconds()
    spent = sum(r["train_seconds"] for r in trained)
    assert spent < 0.6 * 270
    assert spent / 3 <= cut.elapsed <= spent / 3 + 9
    again = in_table(curves, workers=3, scheduler="asha")
    assert columns(again) == columns(cut)


def test_a_table_answers_for_each_rung_of_a_pool(curves: Path) -> None:
    done = in_table(curves, rungs=(1, 3), trials=9)
    assert [len(r["curve"]) for r in done.rows if r["status"] == "ok"] == [1] * 9 + [3] * 3
    assert done.elapsed == 9 * 1 + 3 * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 3}, "--eta: needs --scheduler asha or --rungs"),
        ({"brackets": 2}, "--brackets: needs --scheduler asha"),
        ({"brackets": 2, "rungs": RUNGS, "trials": 9}, "--brackets: needs --scheduler asha"),
        ({"brackets": 3, "rungs": RUNGS, "scheduler": "asha"}, "with 3 rungs there are at most 2"),
        ({"scheduler": "asha", "epochs": 1}, "1 epoch cannot be cut by --eta 3"),
        ({"scheduler": "asha", "epochs": 9, "eta": 50}, "9 epochs cannot be cut by --eta 50"),
        ({"scheduler": "asha", "epochs": 5, "rungs": RUNGS}, "--epochs 5: the last of --rungs is 9"),
        ({"scheduler": "asha", "objective": "params"}, "no accuracy among the goals"),
        ({"rungs": RUNGS, "objective": "params"}, "--rungs: there is no accuracy among the goals"),
        (
            {
                "scheduler": "asha",
                "objective": "accuracy,macs",
                "strategy": "nsga2",
                "rungs": RUNGS,
                "eta": 4,
            },
            "--eta: several goals are pruned by their front",
        ),
        (
            {"scheduler": "asha", "objective": "accuracy:min,macs", "strategy": "nsga2"},
            "accuracy must be one to be maximised",
        ),
        (
            {"scheduler": "asha", "objective": "accuracy,train_seconds", "strategy": "nsga2"},
            "train_seconds is not known before",
        ),
        (
            {"scheduler": "asha", "objective": "accuracy,macs", "strategy": "nsga2", "brackets": 2},
            "several goals are pruned by their front",
        ),
        ({"rungs": RUNGS, "trials": None}, "say how many networks"),
        ({"rungs": RUNGS, "timeout": 60.0}, "leave --timeout out"),
        ({"rungs": RUNGS, "winner": "estimate"}, "cannot rank trainings of different lengths"),
        ({"rungs": RUNGS, "objective": "accuracy,macs", "strategy": "nsga2"}, "for several take --scheduler"),
        ({"rungs": (3, 1)}, "rungs must be two or more rising"),
        ({"scheduler": "hyperband"}, "scheduler must be one of none, asha"),
        ({"eta": 1, "scheduler": "asha"}, "eta must be at least 2"),
    ],
)
def test_wishes_that_cannot_be_met_name_the_flag(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        planned(tmp_path, **options)


def test_the_header_says_which_rule_it_is(tmp_path: Path) -> None:
    one = planned(tmp_path, scheduler="asha", rungs=[1, 3, 9])
    assert one.rungs is not None
    assert one.rungs.describe(one.goals) == "ASHA at epochs 1, 3, 9, reduction factor 3"
    two = planned(tmp_path, scheduler="asha", rungs=RUNGS, objective="accuracy,macs", strategy="nsga2")
    assert two.rungs is not None
    assert two.rungs.describe(two.goals) == "epochs 1, 3, 9: what cannot reach the front is stopped"


def test_a_preview_counts_the_first_rung(curves: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = plan(Options(executor=f"table:{curves}", strategy="random", trials=9, rungs=(1, 3)))
    preview(told, 3, Reporter())
    shown = capsys.readouterr().out
    assert [line.split()[-2:] for line in shown.splitlines() if line.endswith(" s")] == [["1", "s"]] * 3
    assert "1 epochs: the first rung only" in shown


def test_tables_without_curves_cut_nothing(tmp_path: Path) -> None:
    table = tmp_path / "few.csv"
    table.write_text("w,val_accuracy\n8,0.5\n16,0.6\n")
    (tmp_path / "few.toml").write_text('table = "few.csv"\n[answers]\nw = "w"\n')
    for options, flag in (({"scheduler": "asha"}, "--scheduler asha"), ({"rungs": (1, 3)}, "--rungs")):
        with pytest.raises(UsageError, match=f"{flag}: few has no learning curves"):
            plan(Options(executor=f"table:{tmp_path / 'few.toml'}", trials=2, **options))  # type: ignore[arg-type]


def test_older_runs_go_on_without_rungs(tmp_path: Path) -> None:
    config = planned(tmp_path).config()
    old = {name: value for name, value in config.items() if name != "rungs"}
    (tmp_path / "run.json").write_text(json.dumps(old))
    same_run(tmp_path, config)
    with pytest.raises(UsageError, match="another rungs"):
        same_run(tmp_path, planned(tmp_path, scheduler="asha").config())


def test_on_cifar_without_a_gpu_a_rung_is_a_third_of_a_brief_training() -> None:
    from nas.recipe import brief
    from nas.rungs import lengthened, longest, wished

    options = Options(scheduler="asha")
    whole = brief("cifar10", 50_000, gpu=False, precision="fp32", channels_last=True)
    rungs = wished(options, longest(options, whole), (ACCURACY,))
    assert rungs is not None
    assert rungs.epochs == RUNGS
    cut = lengthened(options, whole, rungs, 50_000)
    assert (cut.epochs, cut.train_images) == (9, 5000)
    gpu = brief("cifar10", 50_000, gpu=True, precision="bf16", channels_last=True)
    cut = lengthened(options, gpu, rungs, 50_000)
    assert (cut.epochs, cut.train_images) == (9, None)
