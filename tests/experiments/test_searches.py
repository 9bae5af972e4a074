"""Searches of real images beside one another."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from experiments import searches
from experiments.searches import FILE, main, summary, text
from nas.options import UsageError

Row = dict[str, object]


CHAIN = """\
from cells.ops import Conv, Flatten, GlobalPool, Linear
from cells.sketch import Sketch
def chain(choose, *, input=(3, 32, 32), classes=10):
    s = Sketch(input)
    x = s.add("conv", Conv(choose.integer("w", 1, 64), 3, stride=4), s.input)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes)))
"""


def trial(key: str, accuracy: float, stage: str = "search", status: str = "ok", **more: object) -> Row:
    made: Row = {"key": key, "trial": int(key), "stage": stage, "status": status, "val_accuracy": accuracy}
    made |= {
        "reward": accuracy,
        "params": 10 * int(key),
        "macs": 5,
        "curve": [{}],
        "device": "a CPU",
        "elapsed": 2.0,
    }
    return made | {"note": None, "strategy": "random", "choices": "{}", **more}


def test_what_is_compared_is_the_later_mean_not_the_accuracy_of_choice() -> None:
    found = summary(
        [
            trial("1", 0.5),
            trial("2", 0.7),
            trial("3", 0.2, status="pruned"),
            trial("4", 0.9, status="failed"),
            trial("2", 0.6, stage="confirm"),
            trial("2", 0.64, stage="confirm"),
            trial("1", 0.66, stage="confirm"),  # the best random network: not what the strategy chose
            trial("1", 0.68, stage="confirm"),
        ],
        60.0,
        workers=2,
    )
    assert (found["trained"], found["pruned"], found["failed"]) == (2, 1, 1)
    assert found["spent"] == 4.0
    assert (found["key"], found["accuracy"], found["confirmed_seeds"]) == ("2", 0.7, 2)
    assert found["confirmed"] == pytest.approx(0.62)
    assert found["by_size"] == pytest.approx(1)


def test_nothing_trained_is_a_row_too() -> None:
    found = summary([], 60.0)
    assert found["confirmed"] is None
    assert "| tpe | none | 1 | 0 | 0 |  |  |  |" in text(
        [found | {"strategy": "tpe", "scheduler": "none", "seed": 0}]
    )


def test_differences_are_of_the_same_seed() -> None:
    rows = [
        summary([trial("1", 0.5), trial("1", value, stage="confirm")], 60.0)
        | {"strategy": strategy, "scheduler": "none", "seed": seed}
        for strategy, values in {"random": (0.5, 0.6), "tpe": (0.51, 0.61)}.items()
        for seed, value in enumerate(values)
    ]
    (line,) = (line for line in text(rows) if line.startswith("| tpe"))
    assert line.endswith("56.00 ± 7.07 | +1.00 ± 0.00 |")


def test_searches_are_kept_and_reported_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "SCHEDULERS", ("asha",))
    words = ["--dataset", "digits", "--executor", "local", "--workers", "1", "--seeds", "1", "--budget", "3s"]
    (tmp_path / "chain.py").write_text(CHAIN)
    words += ["--only", "random", "--run", str(tmp_path), "--space", f"{tmp_path / 'chain.py'}:chain"]
    assert main(words) == 0
    rows = pq.read_table(tmp_path / FILE).to_pylist()
    assert [(r["scheduler"], r["seed"]) for r in rows] == [("asha", 0)]
    assert rows[0]["confirmed_seeds"] == 2
    capsys.readouterr()
    assert main(["--report", "--out", str(tmp_path)]) == 0
    again = capsys.readouterr().out
    assert (tmp_path / "README.md").read_text().strip() == again.strip()
    assert main(words) == 0
    assert pq.read_table(tmp_path / FILE).to_pylist() == rows
    with pytest.raises(UsageError, match=r"--budget 4s: .* has searches with 3s"):
        main([*words, "--budget", "4s"])
    assert main([*words, "--only", "evolution"]) == 0
    assert {r["strategy"] for r in pq.read_table(tmp_path / FILE).to_pylist()} == {"random", "evolution"}
