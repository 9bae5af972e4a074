"""Full trainings: what they leave, how they go on, and what of a network they keep."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cells.genome import Genome
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Linear
from cells.residual import basic
from cells.sketch import Sketch
from nas import export, show, sources, train
from nas.build import build, module_from_source
from nas.cli import guard
from nas.fit import Epoch
from nas.store import Run
from nas.training import Wishes, plan
from nas.watching import Watcher

QUICK = ["--dataset", "digits", "--train-images", "192", "--cpu", "--quiet", "--no-tensorboard"]


def network(classes: int = 10) -> Genome:
    s = Sketch((3, 32, 32), "Small")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(8, 3, stride=4), bn=BatchNorm(), relu=RELU)
    x = basic(s, x, "stages.0.0", 8)
    x = basic(s, x, "stages.1.0", 16, stride=2)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.json").write_text(network().dumps())
    return tmp_path


def go(*words: str) -> int:
    return guard(train.main, [*words, *QUICK])


def weights(run: str, seed: int = 0) -> dict[str, torch.Tensor]:
    return load_file(Path(run) / "weights" / f"seed{seed}.safetensors")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two seeds on the digits, for tests that start from its weights."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "net.json").write_text(network().dumps())
    assert train.main(words_of(folder / "run")) == 0
    return folder / "run"


def words_of(run: Path) -> list[str]:
    words = [str(run.parent / "net.json"), "--epochs", "4", "--seeds", "2", "--run", str(run)]
    for pair in ("lr=0.3", "batch=32", "ema=0.9", "label_smoothing=0"):
        words += ["--set", pair]
    return [*words, *QUICK, "--train-images", "1300"]


def test_each_seed_leaves_a_row_and_weights(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = Run(trained).rows()
    assert sorted(r["seed"] for r in rows) == [0, 1]
    for row in rows:
        assert (row["stage"], row["strategy"], row["status"]) == ("final", "train", "ok")
        assert [e["epoch"] for e in row["curve"]] == [1, 2, 3, 4]
        assert row["val_accuracy"] == row["curve"][-1]["accuracy"]
        assert row["test_accuracy"] > 0.7
        assert row["key"] == network().key
        assert (trained / row["weights"]).is_file()
    assert not list((trained / "checkpoints").iterdir())
    before = (trained / "trials.arrows").read_bytes()
    assert train.main(words_of(trained)) == 0
    assert (trained / "trials.arrows").read_bytes() == before
    said = capsys.readouterr().out
    assert "±" in said


def test_an_exported_network_scores_what_it_scored(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    assert export.main([str(trained), "--to", str(file)]) == 0
    row = Run(trained).best()
    assert f"test accuracy {row['test_accuracy']:.2%}" in file.read_text()
    module = module_from_source(file.read_text(), "exported").eval()
    module.load_state_dict(load_file(trained / row["weights"]))
    with safe_open(trained / row["weights"], "pt") as opened:
        known = {name: json.loads(text) for name, text in opened.metadata().items()}
    test = sources.load(("digits", None), "test")
    assert known["classes"] == list(test.classes)
    mean, std = (torch.tensor(known[name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        told = module((torch.from_numpy(test.pixels).float() - mean) / std).argmax(1)
    assert float((told.numpy() == test.labels).mean()) == row["test_accuracy"]


def test_an_interrupted_training_goes_on_bit_by_bit(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Everything with a state: momentum, the moving average, dropout, dropped paths, mixed images, a plateau.
    words = ["net.json", "--epochs", "3", "--val-images", "40"]
    for pair in ("ema=0.9", "dropout=0.2", "drop_path=0.5", "mixup=1", "cutmix=1", "schedule=plateau"):
        words += ["--set", pair]
    words += ["--set", "patience=1"]
    assert go(*words, "--run", "whole") == 0

    def interrupted(watcher: Watcher, epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watcher, "epoch", interrupted)
        for done in (1, 2):
            assert go(*words, "--run", "parts") == 130, done
            assert not Run("parts").rows()
    assert "The same command goes on" in capsys.readouterr().out
    assert go(*words, "--run", "parts") == 0
    one, two = weights("whole"), weights("parts")
    assert all(torch.equal(one[name], two[name]) for name in one)
    curves = [[(e["loss"], e["accuracy"]) for e in Run(r).best()["curve"]] for r in ("whole", "parts")]
    assert curves[0] == curves[1]
    assert len(curves[0]) == 3


def frozen(module: dict[str, torch.Tensor], start: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in start if torch.equal(module[name], start[name])}


def test_frozen_parts_keep_weights_and_statistics(here: Path, trained: Path) -> None:
    start = trained / "weights" / "seed0.safetensors"
    words = ["net.json", "--init", str(start), "--epochs", "1"]
    assert go(*words, "--freeze", "until:stage2", "--run", "until") == 0
    kept = frozen(weights("until"), load_file(start))
    assert kept == {n for n in load_file(start) if n.startswith(("stem.", "stages.0."))}
    assert go(*words, "--freeze", "all-but-head", "--set", "ema=0", "--run", "head") == 0
    assert frozen(weights("head"), load_file(start)) == set(load_file(start)) - {
        "head.fc.weight",
        "head.fc.bias",
    }


def test_a_head_for_other_classes_on_images_in_folders(
    here: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = sources.load(("digits", None), "train")
    for index in np.flatnonzero(digits.labels < 3)[:150]:
        folder = here / "photos" / digits.classes[digits.labels[index]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.pixels[index].transpose(1, 2, 0)).save(folder / f"{index}.png")
    row = Run(trained).best()
    words = [
        f"{trained}:{row['key']}",
        "--init",
        "weights",
        "--dataset",
        "photos",
        "--cpu",
        "--no-tensorboard",
    ]
    wishes = Wishes(words[0], init="weights", dataset="digits")
    assert [plan(replace(wishes, dataset=d)).new_head for d in ("digits", "photos")] == [False, True]
    assert guard(train.main, [*words, "--lr-factor", "lecture", "--epochs", "2", "--run", "tuned"]) == 0
    said = capsys.readouterr().out
    assert "head.fc for 10 classes is replaced by one for 3" in said
    assert "all but head.fc.weight, head.fc.bias, which start anew" in said
    assert Genome.loads(Run("tuned").best()["genome"]).facts[-1].shape == (3,)
    for part, run in (("head", "last"), ("stage1", "early")):
        assert guard(train.main, [*words, "--linear", part, "--run", run]) == 0
    last, early = (Run(run).best() for run in ("last", "early"))
    assert last["test_accuracy"] > 0.8
    assert early["params"] < last["params"]
    # The classifier is a layer of a network like any other.
    module = build(Genome.loads(early["genome"]))
    module.load_state_dict(weights("early"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nett"], "nett"),
        (["regnet"], "is a search space"),
        (["net.json", "--recipe", "paper"], "--recipe paper: none is known for net"),
        (["net.json", "--set", "colour=red"], "--set colour: a recipe has"),
        (["net.json", "--set", "schedule=soon"], "must be one of cosine"),
        (["net.json", "--set", "batch=1.5"], "--set batch=1.5"),
        (["net.json", "--set", "lr"], "'lr' is not NAME=VALUE"),
        (["net.json", "--seeds", "0"], "--seeds"),
        (["net.json", "--seeds", "1,1"], "twice"),
        (["net.json", "--init", "absent.safetensors"], "there is no file absent.safetensors"),
        (["net.json", "--init", "weights"], "--init weights: net.json is no result"),
        (["net.json", "--init", "net.json"], "cannot read weights from net.json"),
        (["net.json", "--init", "other.safetensors"], "stem.conv.weight is [4, 3, 3, 3] in the file"),
        (["net.json", "--freeze", "stage7"], "no part 'stage7': it has stem, stages.0, stages.1, head"),
        (["net.json", "--freeze", "stem,stages,head"], "nothing is left to train"),
        (["net.json", "--lr-factor", "stem"], "--lr-factor stem"),
        (["net.json", "--linear"], "--linear needs trained weights"),
        (["resnet20", "--dataset", "photos"], "--dataset: 'photos'"),
        (["net.json", "--val-images", "99999"], "--val-images 99999"),
        (["net.json", "--set", "schedule=plateau", "--val-images", "0"], "plateau needs --val-images"),
        (["small.json"], "takes images of 3x8x8; those of --dataset digits are 3x32x32"),
    ],
)
def test_bad_input_is_one_clear_line(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    small = Sketch((3, 8, 8))
    x = small.chain(small.input, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10))
    (here / "small.json").write_text(small.genome(x).dumps())
    save_file({"stem.conv.weight": torch.zeros(4, 3, 3, 3)}, here / "other.safetensors")
    quick = [w for w in QUICK if "--dataset" not in words or w not in ("--dataset", "digits")]
    epochs = [] if "--linear" in words else ["--epochs", "1"]
    try:
        code = guard(train.main, [*words, *epochs, *quick])
    except SystemExit as end:
        code = int(end.code or 0)
    error = capsys.readouterr().err
    assert code == 2, error
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_a_loss_that_explodes_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert go("net.json", "--epochs", "1", "--set", "lr=1e30") == 1
    assert "try a lower learning rate" in capsys.readouterr().err


def test_a_run_holds_one_training(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert go("net.json", "--epochs", "1", "--run", "one") == 0
    assert go("net.json", "--epochs", "2", "--run", "one") == 2
    assert "holds a run with another recipe (epochs: 1 there, 2 here)" in capsys.readouterr().err


def test_a_training_without_validation_is_a_result_like_others(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go("net.json", "--epochs", "1", "--val-images", "0", "--run", "all") == 0
    row = Run("all").best()
    assert row["val_accuracy"] is None
    capsys.readouterr()
    assert show.main(["all"]) == 0
    assert f"trial 0: test accuracy {row['test_accuracy']:.2%} (final)" in capsys.readouterr().out


def test_tensorboard_is_asked_for_in_vain_only_where_it_is_missing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    words = ["net.json", "--epochs", "1", *QUICK[:-2], "--tensorboard"]
    assert guard(train.main, words) == 0
    assert "TensorBoard is not installed" in capsys.readouterr().out
