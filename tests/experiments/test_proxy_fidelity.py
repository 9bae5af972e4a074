"""How recipes are compared with a long one, and that their trainings go on where they were."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from experiments.proxy_fidelity import run
from experiments.proxy_fidelity.__main__ import FILE, arguments, main
from experiments.proxy_fidelity.compare import Finding, compare, deviations
from experiments.proxy_fidelity.run import Variant, halved, variants
from experiments.transfer import write_parquet
from nas.data import resized
from nas.options import UsageError
from nas.sources import load


def rows(noise: dict[str, float], nets: int = 40) -> list[dict[str, Any]]:
    """Trainings whose accuracies are the long recipe's and noise."""
    rng = random.Random(0)
    true = [rng.random() for _ in range(nets)]
    return [
        {
            "recipe": name,
            "key": str(i),
            "val_accuracy": true[i] + rng.gauss(0, sd),
            "params": i,
            "macs": -true[i],
            "train_seconds": 30.0,
            "settings": json.dumps({"epochs": 30}),
        }
        for name, sd in noise.items()
        for i in range(nets)
    ]


def test_noise_lowers_tau_and_the_ceiling_is_the_second_seed() -> None:
    found = {
        f.name: f
        for f in compare(rows({"long, seed 0": 0, "long, seed 1": 0.05, "good": 0.02, "poor": 2}), 200)
    }
    assert found["good"].tau > 0.85 > 0.5 > found["poor"].tau
    assert found["good"].low < found["good"].tau < found["good"].high
    assert found["long, one seed beside another"].tau < 1
    assert found["macs"].tau < -0.9
    assert abs(found["params"].tau) < 0.4
    assert found["good"].recall > 0.5
    assert found["params"].seconds == 0


def test_noise_is_told_from_spread() -> None:
    noise, spread = deviations(rows({"long, seed 0": 0.05, "long, seed 1": 0.05, "1 epoch": 9}, nets=400))
    assert noise == pytest.approx(0.05, rel=0.1)
    assert spread == pytest.approx((1 / 12 + 0.05**2 / 2) ** 0.5, rel=0.1)  # uniform on 0 to 1, and noise


def test_the_worse_half_of_what_may_drop_out_drops_out() -> None:
    names = ["a", "b", "c", "kept"]
    alive = [Variant(name, kept=name == "kept") for name in names]
    found = [
        Finding(name, 4, tau, tau, tau, 0.0, 1.0)
        for name, tau in zip(names, (0.9, 0.1, 0.5, -1), strict=True)
    ]
    assert [v.name for v in halved(alive, found)] == ["a", "c", "kept"]
    assert halved(alive, []) == alive  # nothing is ranked yet


def test_a_long_training_may_take_as_long_as_it_takes(tmp_path: Path) -> None:
    given = arguments().parse_args(["--dataset", "digits", "--run", str(tmp_path)])
    made = run.base(given)
    assert made.trial_timeout == float("inf")
    assert len(made.points) == run.MOST


def test_variants_cost_as_much_as_one_epoch() -> None:
    images, side, batch = 45_000, 32, 128
    for variant in variants(images, side, 0.4, batch):
        if variant.kept:
            continue
        changes = {"epochs": 1, "train_images": images, "side": side, **variant.changes}
        steps = changes.get("steps", changes["epochs"] * (changes["train_images"] // batch))
        cost = steps * batch * (changes["side"] / side) ** 2
        assert cost == pytest.approx(images, rel=0.01), variant.name


def test_images_are_resized_once() -> None:
    digits = load(("digits", None), "test")
    small = resized(digits, 24)
    assert small.shape == (3, 24, 24)
    assert small.pixels.dtype == digits.pixels.dtype
    assert abs(small.pixels.mean() - digits.pixels.mean()) < 1
    assert resized(digits, 0) is digits


def test_trainings_go_on_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = [Variant("1 epoch", kept=True), Variant("lr 0.1", {"lr": 0.1}), Variant("lr 9", {"lr": 9.0})]
    monkeypatch.setattr(run, "variants", lambda *_: compared)
    digits = load(("digits", None), "test")
    (tmp_path / "few").mkdir()
    write_parquet(
        replace(digits, pixels=digits.pixels[:100], labels=digits.labels[:100]),
        tmp_path / "few" / "train.parquet",
    )
    command = ["--nets", "8", "--long", "1", "--seeds", "2", "--workers", "2", "--run", str(tmp_path)]
    command += ["--dataset", str(tmp_path / "few")]
    with pytest.raises(UsageError, match="train the networks first"):
        main(["--report", "--out", str(tmp_path)])
    assert main(command) == 0
    table = pq.read_table(tmp_path / FILE).to_pylist()
    trained = Counter(row["recipe"] for row in table)
    assert sorted([trained.pop("lr 0.1"), trained.pop("lr 9")]) == [4, 8]
    assert trained == dict.fromkeys(["long, seed 0", "long, seed 1", "1 epoch", "a search's"], 8)
    assert len({row["key"] for row in table}) == 8
    assert {row["seed"] for row in table} == {0, 1}
    text = (tmp_path / "README.md").read_text()
    assert "| 1 epoch | 8 |" in text
    assert main(command) == 0
    assert pq.read_table(tmp_path / FILE).to_pylist() == table
    assert (tmp_path / "README.md").read_text() == text
