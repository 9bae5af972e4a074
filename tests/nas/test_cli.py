"""The commands as a stranger uses them: in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cells.genome import Genome
from cells.infer import infer
from nas.cli import VERBS
from nas.store import Run

QUICK = ["--dataset", "digits", "--epochs", "1", "--train-images", "128"]


def nas(*words: str, cwd: Path | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    verb, *rest = words
    command = [sys.executable, "-m", f"nas.{verb}", *rest]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples_and_needs_no_library(verb: str) -> None:
    code = (
        f"import sys; sys.argv = ['nas', '{verb}', '--help']\n"
        "from nas.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'ray', 'numpy', 'pyarrow', 'optuna', 'rich', 'networkx'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "examples:\n  python -m nas." in done.stdout


def test_nas_is_the_same_as_its_verbs() -> None:
    script = Path(sys.executable).parent / "nas"
    done = subprocess.run([script, "spaces", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "regnet" in json.loads(done.stdout)["spaces"]
    wrong = subprocess.run([script, "serch"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "serch" in wrong.stderr


SPACE = """
from cells.ops import Conv, Flatten, GlobalPool, Linear
from cells.sketch import Sketch

def bad(choose):
    return 1 / 0

def empty(choose):
    choose.pick("op", [])

def five(choose):
    s = Sketch((3, 32, 32))
    x = s.add("conv", Conv(choose.pick("w", [8, 16])), s.input)
    return s.genome(s.chain(x, pool=GlobalPool(), flat=Flatten(), fc=Linear(5)))

def never(choose):
    s = Sketch((3, 32, 32))
    return s.genome(s.add("conv", Conv(8, 64, padding=choose.pick("p", [0, 1])), s.input))
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", "--space", "regnett"], "did you mean regnet"),
        (["search", "--space", "regnetx_004"], "one network, not a search space"),
        (["search", "--data-dir", "nowhere"], "--data-dir: nowhere is not a directory"),
        (["search", "--dataset", "imagenet"], "--dataset: 'imagenet'"),
        (["search", "--trials", "0"], "--trials: '0' is not a whole number above 0"),
        (["search", "--timeout", "soon"], "--timeout: 'soon' is no duration"),
        (["search", "--macs", "6M:3M"], "--macs: '6M:3M': the lower limit"),
        (["search", "--macs", "3X:6M"], "--macs: '3X'"),
        (["search", "--strategy", "tpee", *QUICK], "did you mean tpe"),
        (["search", "--preset", "desk", *QUICK], "--preset desk"),
        (["search", "--seed-points", "resnet", *QUICK], "--seed-points resnet"),
        (["search", "--seed-points", "RegNetX-32GF", *QUICK], "--seed-points RegNetX-32GF: macs"),
        (["search", "--colour", "red"], "--colour"),
        (["search", "--seed", "99999999999999"], "--seed"),
        (["search", "--gpus-per-trial", "9", *QUICK], "--gpus-per-trial 9: this machine has"),
        (
            ["search", "--space", "mine.py:five", *QUICK],
            "(5,) where the data have (3, 32, 32) and 10 classes",
        ),
        (
            ["search", "--space", "mine.py:never", *QUICK],
            "none of 200 random draws is legal",
        ),
        (["search", "--run", "mine.py", *QUICK], "mine.py"),
        (["search", "--space", "mine.py:bad", *QUICK], "raised ZeroDivisionError"),
        (["search", "--space", "mine.py:empty", *QUICK], "'op' has no options"),
        (["search", "--space", "mine.py:absent", *QUICK], "no function 'absent'"),
        (["show", "resnet9999"], "resnet9999"),
        (["show", "regnet"], "is a search space"),
        (["show", "broken.json"], "unknown op"),
        (["show", "absent.json"], "cannot read absent.json"),
        (["show", "."], "not a run directory"),
        (["show", "regnetx_002", "--input", "224"], "--input: '224'"),
        (["show", "mine.py"], "not JSON"),
        (["export", "regnetx_002", "--to", "net.txt"], "--to: net.txt must end in"),
        (["export", "regnetx_002", "--to", "no/net.py"], "--to: there is no folder no"),
        (["export", "regnetx_002", "--to", "net.py", "--name", "a b"], "class name"),
        (
            ["export", "regnetx_002", "--to", "net.py", "--weights", "mine.py"],
            "cannot read weights from mine.py",
        ),
        (
            ["export", "regnetx_002", "--to", "net.py", "--ensemble", "3"],
            "--ensemble 3: regnetx_002 is no run",
        ),
        (["table", "nowhere", "--to", "t.parquet"], "nowhere is not a run directory"),
        (["table", ".", "--to", "t.csv"], "--to: t.csv must end in .parquet"),
        (["spaces", "anynett"], "did you mean anynet"),
        (["spaces", "anynet", "--preset", "desk"], "--preset"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "mine.py").write_text(SPACE)
    node = {"op": "explode", "path": "a", "in": [0]}
    (tmp_path / "broken.json").write_text(json.dumps({"format": 1, "input": [3, 8, 8], "nodes": [node]}))
    done = nas(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_show_json_has_what_the_contract_says() -> None:
    shown = json.loads(nas("show", "regnetx_004", "--json").stdout)
    contract = (
        "name key params macs flops activations depth receptive_field global_context input output".split()
    )
    assert set(contract) <= set(shown)
    assert shown["params"] == 5157512
    assert shown["input"] == [3, 224, 224]
    small = json.loads(nas("show", "regnetx_004", "--input", "3x32x32", "--classes", "10", "--json").stdout)
    assert small["output"] == [10]
    assert small["key"] != shown["key"]


def test_show_prints_blocks_and_layers() -> None:
    blocks = nas("show", "regnety_002").stdout
    assert "ProjectionBottleneck" in blocks
    assert "3,162,996 params" in blocks
    layers = nas("show", "regnety_002", "--layers").stdout
    assert "stages.3.6.se.expand" in layers
    assert len(layers.splitlines()) > 3 * len(blocks.splitlines())


def test_spaces_counts_exactly() -> None:
    counted = json.loads(nas("spaces", "anynet", "--count", "--json").stdout)
    assert counted["size"] == 1846757322198614016
    assert json.loads(nas("spaces", "regnet", "--count", "--json").stdout)["size"] is None
    constrained = json.loads(nas("spaces", "anynet_e", "--count", "--json").stdout)
    assert (constrained["size"], constrained["networks"]) == (817446539520, 419223477792)
    described = json.loads(nas("spaces", "anynet", "--sample", "50", "--macs", "4M:6M", "--json").stdout)
    assert described["validity"] == 1.0
    assert 0 < described["acceptance"] < 1
    assert described["distinct"] == 50
    assert 4e6 <= described["macs"]["min"] <= described["macs"]["max"] <= 6e6
    assert sum(described["params"]["histogram"]) == 50
    assert described["samples"] == 50 + sum(described["skipped"].values())
    text = nas("spaces", "anynet_e", "--preset", "small", "--sample", "20").stdout
    assert "increasing: stage1.w, stage2.w, stage3.w, stage4.w" in text
    assert "different ones (different d and (w, v, g) of four stages)" in " ".join(text.split())


def test_show_reads_pycls_configurations(tmp_path: Path) -> None:
    model = "MODEL:\n  TYPE: regnet\n  NUM_CLASSES: 1000\n"
    file = tmp_path / "net.yaml"
    file.write_text(model + "REGNET:\n  DEPTH: 22\n  W0: 24\n  WA: 24.48\n  WM: 2.54\n  GROUP_W: 16\n")
    assert json.loads(nas("show", str(file), "--json").stdout)["params"] == 5157512
    small = json.loads(nas("show", str(file), "--input", "3x64x64", "--json").stdout)
    assert small["input"] == [3, 64, 64]
    refused = nas("show", str(file), "--classes", "10")
    assert refused.returncode == 2
    assert "--classes" in refused.stderr


def test_export_says_what_it_wrote(tmp_path: Path) -> None:
    words = ["regnety_002", "--classes", "7", "--input", "3x64x64", "--fuse-bn"]
    written = nas("export", *words, "--name", "Found", "--to", "net.py", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert "wrote net.py: alone it gives the same within" in written.stdout
    assert nas("export", *words, "--to", "genome.json", cwd=tmp_path).returncode == 0
    genome = Genome.loads((tmp_path / "genome.json").read_text())
    text = (tmp_path / "net.py").read_text()
    assert genome.key in text
    alone = subprocess.run(
        [sys.executable, "-I", "net.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert alone.stdout == f"Found: {infer(genome).params:,} parameters\n"


def test_a_search_in_this_process_and_what_follows(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    words = ["search", *QUICK, "--executor", "local", "--trials", "3", "--confirm", "1", "--run", run]
    done = nas(*words)
    assert done.returncode == 0, done.stderr
    assert "DIGITS" in done.stdout.splitlines()[0]
    assert "random's best" in done.stdout or "random draw" in done.stdout
    assert f"python -m nas.export {run} --to net.py" in done.stdout
    rows = Run(run).table().num_rows
    again = nas(*words)
    assert again.returncode == 0
    assert "resumed" in again.stdout
    assert Run(run).table().num_rows == rows
    best = Run(run).best()
    shown = json.loads(nas("show", run, "--json").stdout)
    assert (shown["key"], shown["params"]) == (best["key"], best["params"])
    assert json.loads(nas("show", f"{run}:{best['key'][:6]}", "--json").stdout)["key"] == best["key"]
    done = nas("export", run, "--ensemble", "2", "--to", str(tmp_path / "vote.onnx"))
    assert done.returncode == 0, done.stderr
    *members, both, wrote = done.stdout.splitlines()
    params = [int(line.partition("key")[2].split()[1].replace(",", "")) for line in (*members, both)]
    assert len(members) == 2
    assert params[0] + params[1] == params[2]
    assert "alone it gives the same within" in wrote
    assert not done.stderr
    assert nas("table", run, "--to", str(tmp_path / "t.parquet")).returncode == 0
    assert pq.read_table(tmp_path / "t.parquet").num_rows == Run(run).table().num_rows


def test_dry_run_trains_nothing(tmp_path: Path) -> None:
    done = nas("search", *QUICK, "--dry-run", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 proposals, nothing trained" in done.stdout
    assert not list(tmp_path.iterdir())


def test_ray_and_json(tmp_path: Path) -> None:
    words = ["--trials", "4", "--workers", "2", "--confirm", "1", "--json", "--run", str(tmp_path)]
    done = nas("search", *QUICK, *words)
    assert done.returncode == 0, done.stderr
    *rows, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(r["stage"] == "search" and r["status"] == "ok" for r in rows) == 4
    assert len({r["worker"] for r in rows}) == 2
    assert last["best"]["key"] in {r["key"] for r in rows}
    assert last["best"]["confirmed"]["seeds"] == 2
    table = Run(tmp_path).table()
    assert table.num_rows == len(rows)
    weights = [tmp_path / w for w in table["weights"].to_pylist() if w]
    assert any(file.is_file() for file in weights)


def test_ray_stops_trainings_and_its_workers_take_others(tmp_path: Path) -> None:
    words = ["--dataset", "digits", "--train-images", "256", "--scheduler", "asha", "--epochs", "3"]
    words += ["--strategy", "random", "--trials", "10", "--workers", "2", "--confirm", "0"]
    done = nas("search", *words, "--run", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = Run(tmp_path).table().to_pylist()
    lengths = {(r["status"], len(r["curve"])) for r in rows}
    assert lengths == {("ok", 3), ("pruned", 1)}
    assert len(rows) == 10
    assert len({r["worker"] for r in rows}) == 2


def killed(words: list[str], run: Path, rows: int, number: int) -> subprocess.Popen[str]:
    """A search that gets a signal once it has written so many rows."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nas.search", *words, "--run", str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        if (run / "trials.arrows").is_file() and Run(run).table().num_rows >= rows:
            break
        time.sleep(0.05)
    os.killpg(process.pid, number)
    return process


def test_kill_9_loses_no_finished_row_and_repeats_none(tmp_path: Path) -> None:
    words = [*QUICK, "--executor", "local", "--confirm", "0", "--trials", "9"]
    run = tmp_path / "run"
    killed(words, run, 4, signal.SIGKILL).communicate(timeout=30)
    before = Run(run).table().to_pylist()
    assert 4 <= len(before) < 9
    assert nas("search", *words, "--run", str(run)).returncode == 0
    after = Run(run).table().to_pylist()
    assert after[: len(before)] == before
    trained = [r["trial"] for r in after if r["status"] == "ok"]
    assert len(trained) == len(set(trained)) == 9
    whole = tmp_path / "whole"
    assert nas("search", *words, "--run", str(whole)).returncode == 0
    results = [[(r["trial"], r["key"], r["val_accuracy"]) for r in Run(d).rows()] for d in (run, whole)]
    assert results[0] == results[1]


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_interrupt_keeps_everything_and_says_how_to_go_on(tmp_path: Path, executor: str) -> None:
    words = [*QUICK, "--executor", executor, "--trials", "500"]
    process = killed(words, tmp_path / "run", 2, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130, out
    assert "To go on:" in out
    assert f"--run {tmp_path / 'run'}" in out
    assert "Traceback" not in out
    assert Run(tmp_path / "run").table().num_rows >= 2


def test_workers_who_are_elsewhere_find_a_space_by_its_relative_path(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from search_spaces.reduce import tie\n"
        "from search_spaces.registry import constrained\n"
        "@constrained('anynet_a')\n"
        "def tied(choose):\n"
        "    return tie(choose, ['stage1.b', 'stage2.b', 'stage3.b', 'stage4.b'])\n"
    )
    words = [*QUICK, "--space", "mine.py:tied", "--strategy", "random", "--executor", "ray", "--trials", "1"]
    done = nas("search", *words, "--confirm", "0", "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["status"] for row in Run(tmp_path / "run").rows()] == ["ok"]
