"""The ladder of design spaces: what is drawn, how it is compared, and that it goes on where it was."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from experiments.flags import results
from experiments.regnet_reduction import figures, models, report, run
from experiments.regnet_reduction.__main__ import NAME, main
from experiments.regnet_reduction.compare import CONTROLS, HYPOTHESES, compare, interaction
from experiments.regnet_reduction.ladder import LADDER, PRESETS
from experiments.regnet_reduction.sizes import kept
from nas.progress import Reporter
from nas.strategies import Problem, Proposal, Window, make
from search_spaces import find

ROOT = Path(__file__).parent.parent.parent


def drawn(preset: str, each: int) -> list[Proposal]:
    """So many networks of each space of a preset."""
    chosen = PRESETS[preset]
    assert chosen.macs is not None
    problem = Problem(find("ladder").bind(**chosen.arguments), 0, Window({"macs": chosen.macs}))
    strategy = make("random:stratify=space", problem)
    count = len(chosen.arguments.get("spaces", LADDER))
    proposals = [strategy.ask(trial) for trial in range(each * count)]
    assert all(isinstance(p, Proposal) for p in proposals)
    return proposals  # type: ignore[return-value]


def test_draws_take_the_spaces_in_turn_and_are_accepted_as_often_as_expected() -> None:
    proposals = drawn("laptop", 60)
    assert [p.choices["space"] for p in proposals[:7]] == [*LADDER, "A"]
    assert set(Counter(p.choices["space"] for p in proposals).values()) == {60}
    draws: dict[str, int] = defaultdict(int)
    for p in proposals:
        draws[str(p.choices["space"])] += p.note["draws"]
    shares = {name: 60 / draws[name] * kept(name, "laptop") for name in LADDER}
    expected = {"A": 0.11, "B": 0.11, "C": 0.11, "D": 0.005, "E": 0.0007, "RegNetX": 0.027}
    for name, share in expected.items():
        assert share / 1.6 < shares[name] < share * 1.6, (name, shares[name])


def test_spaces_keep_their_constraints() -> None:
    for p in (*drawn("laptop", 4), *drawn("laptop-controls", 4)):
        found, name = models.shape(p.choices), str(p.choices["space"])
        for letter, who in (("b", ("A",)), ("g", ("A", "B"))):
            if name not in who:
                assert len(set(found[letter])) == 1
        for letter, order in (("w", name in ("D", "E", "RegNetX") or "d " in name), ("d", name == "E")):
            if order:
                assert all(a <= b for a, b in pairwise(found[letter])), (name, found)
        if name.endswith("falls"):
            assert all(a >= b for a, b in pairwise(found[name[3]]))
        if name.endswith("constant"):
            assert len(set(found[name[3]])) == 1


def test_the_default_part_draws_the_first_networks_again() -> None:
    first, again = drawn("laptop", 2), drawn("laptop", 1)
    assert [p.choices for p in first[:6]] == [p.choices for p in again]


def planted(errors: dict[str, float], by_params: float = 0.0, n: int = 40) -> list[dict[str, Any]]:
    """Models with a mean error for each space, of which some may be parameters' doing."""
    rng = random.Random(0)
    found = []
    for place, (name, mean) in enumerate(errors.items()):
        for _ in range(n):
            params = rng.uniform(4, 6) + (place if by_params else 0) * 0.5
            error = mean - by_params * params + rng.gauss(0, 1)
            found.append({"part": "ladder", "design_space": name, "top1": error, "params": params})
    return found


def test_a_training_may_take_as_long_as_its_recipe_takes(tmp_path: Path) -> None:
    part, *_ = run.parts("laptop", 1)
    settled = run.settle(part, tmp_path, "ten", dataset="digits")
    assert settled.recipe.epochs == 10
    assert settled.trial_timeout == float("inf")


def test_hypotheses_hold_where_they_are_planted_and_nowhere_else() -> None:
    found = compare(planted({"A": 50, "B": 50, "C": 50, "D": 48, "E": 48, "RegNetX": 49}), HYPOTHESES)
    shown = {str(f.hypothesis): f.holds for f in found}
    assert shown == {
        "B equal to A": True,
        "C equal to B": True,
        "D better than C": True,
        "E better than D": False,
        "RegNetX better than E": False,
    }
    needed = {str(f.hypothesis): f.models for f in found}
    assert needed["RegNetX better than E"] is None
    assert 2 <= (needed["D better than C"] or 0) < 10


def test_what_parameters_do_is_not_taken_for_the_constraint() -> None:
    rows = planted(dict.fromkeys(LADDER, 60.0), by_params=3.0, n=150)
    plain = {f.hypothesis: f for f in compare(rows, HYPOTHESES)}
    alike = {f.hypothesis: f for f in compare(rows, HYPOTHESES, "params")}
    better = HYPOTHESES[2]
    assert plain[better].holds
    assert abs(alike[better].difference) < 0.5 < abs(plain[better].difference)
    assert not alike[better].holds


def test_few_models_are_not_compared() -> None:
    assert compare(planted(dict.fromkeys(LADDER, 50.0), n=4), HYPOTHESES) == []
    assert compare(planted({"D": 50.0}), CONTROLS) == []


def test_a_run_goes_on_and_its_table_is_whole(tmp_path: Path) -> None:
    part = run.Part("gated", "laptop-y", 1)
    for budget in (None, 0.001, None):
        few: dict[str, Any] = {"dataset": "digits", "executor": "local", "epochs": 1, "train_images": 100}
        run.run_all((part,), tmp_path, "brief", budget, Reporter(quiet=True), **few)
    models.write(models.gather(tmp_path, ["ladder", "gated"]), tmp_path / models.FILE)
    (row,) = models.trained(models.read(tmp_path / models.FILE))
    assert row["design_space"] == "RegNetY"
    assert 4_000_000 <= row["macs"] <= 6_000_000
    assert row["top1"] == pytest.approx(100 * (1 - row["val_accuracy"]))
    assert row["seconds"] > row["train_seconds"] > 0


def test_the_report_comes_from_the_committed_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mpl.rcParams, "svg.hashsalt", "another experiment's")
    committed = ROOT / results(NAME)
    (tmp_path / models.FILE).write_bytes((committed / models.FILE).read_bytes())
    assert main(["--report", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "README.md").read_text() == (committed / "README.md").read_text()
    rows = models.trained(models.read(tmp_path / models.FILE))
    assert report.when(rows) == "after one epoch"
    for name, _ in figures.FIGURES:
        there = (committed / name).read_bytes()
        if f"Matplotlib v{mpl.__version__}," in there[:2000].decode():
            assert (tmp_path / name).read_bytes() == there, name
    before = (tmp_path / "efficiency.svg").read_bytes()
    figures.efficiency(rows, report.when(rows), tmp_path / "efficiency.svg")
    assert (tmp_path / "efficiency.svg").read_bytes() == before


def test_a_report_without_models_says_so(tmp_path: Path) -> None:
    from nas.options import UsageError

    with pytest.raises(UsageError, match="train the models first"):
        main(["--report", "--out", str(tmp_path)])


def test_shape_repeats_what_is_tied() -> None:
    tied = {f"stage{i}.{letter}": i for i in range(1, 5) for letter in "dw"} | {"stage1.b": 2, "stage1.g": 8}
    found = models.shape(tied)
    assert found["w"] == (1, 2, 3, 4)
    assert found["b"] == (2, 2, 2, 2)
    line = models.shape({"d": 13, "w_0": 24, "w_a": 36.44, "w_m": 2.49, "b": 1, "g": 8})
    assert line["w"] == (24, 56, 152, 368)  # RegNetX-200MF
    assert np.sum(line["d"]) == 13


@pytest.mark.parametrize("kept", [{"A"}, {"RegNetX"}, {"B", "C"}])
@pytest.mark.parametrize("count", [1, 9])
def test_few_models_make_a_report(kept: set[str], count: int, tmp_path: Path) -> None:
    rows = models.trained(models.read(ROOT / results(NAME) / models.FILE))
    few = [m for name in sorted(kept) for m in models.of(rows, "ladder", name)[:count]]
    text = "\n".join(report.text(few, failed=few[:1]))
    assert ("too few models" in text) == (len(few) < 18)
    assert "1 failed" in text
    for name, figure in figures.FIGURES:
        figure(few, "after one epoch", tmp_path / name)


def test_a_flag_that_moves_all_spaces_alike_is_no_finding() -> None:
    rng = np.random.default_rng(0)
    alike = [interaction([rng.normal(2, 1, 16).tolist() for _ in range(6)], 500) for _ in range(40)]
    assert sum(p < 0.05 for p in alike) <= 6
    assert interaction([rng.normal(mean, 1, 16).tolist() for mean in (0, 0, 0, 3, 3, 3)]) < 0.001
