"""Constraints that are proposed and tested: on truths that were planted."""

import itertools
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nas import reduce as command
from nas import reducing
from nas.cli import guard
from nas.edf import edf
from nas.options import Options
from nas.planning import Plan
from nas.progress import Reporter
from nas.proposals import Constraint, Proposal, constraints, groups, halves, propose, worth_testing, write
from nas.reducing import Wish, judge
from nas.strategies.random import acceptable
from search_spaces import SPACES, Random, SpaceError, find
from search_spaces.anynet import each
from search_spaces.census import sample
from search_spaces.domain import Integer, Pick, Real

W = Integer(8, 32, 8)


def test_groups_are_names_alike_but_for_one_number() -> None:
    domains = {"stage10.w": W, "stage2.w": W, "stage1.g": W, "stage2.g": Pick((1, 2)), "depth": W}
    assert groups(domains) == {
        "stage*.w": ("stage2.w", "stage10.w"),
        "stage1.g": ("stage1.g",),
        "stage2.g": ("stage2.g",),
        "depth": ("depth",),
    }
    cells = {f"cell{i}.edge{j}": W for i in (0, 1) for j in (0, 1)}
    assert set(groups(cells)) == {"cell*.edge0", "cell*.edge1", "cell0.edge*", "cell1.edge*"}
    two = {"a1": W, "a2": W, "a3": Pick((1, 2)), "a4": Pick((1, 2))}
    assert list(groups(two).values()) == [("a1", "a2"), ("a3", "a4")]


def test_halves() -> None:
    assert halves(Pick((4, 1, 2))) == ((1, 2), (2, 4))
    assert halves(Integer(8, 256, 8, log=True)) == ((8, 40), (48, 256))
    assert halves(Integer(1, 2)) == ((1, 1), (2, 2))
    assert halves(Real(1, 4, log=True)) == ((1, 2), (2, 4))


def test_what_is_written_is_what_is_meant(tmp_path: Path) -> None:
    """Each constraint on AnyNet A, as a space in a file: its draws keep the constraint, others need not."""
    space = SPACES["anynet"].bind(d=(1, 3), w=(8, 64))
    census = sample(space, 1)
    records = []
    for seed in range(30):
        chooser = Random(seed)
        space.draw(chooser)
        records.append(chooser.record)
    every = constraints(records, census.asked)
    assert len(every) == 4 * (3 + 2)
    write(tmp_path / "all.py", "anynet_a", {f"c{i}": (f"{c}", [c]) for i, c in enumerate(every)})
    for i, constraint in enumerate(every):
        made = find(f"{tmp_path}/all.py:c{i}")
        assert made.presets.keys() == SPACES["anynet"].presets.keys()
        for seed in range(3):
            chooser = Random(seed)
            made.bind(d=(1, 3), w=(8, 64)).draw(chooser)
            asked = chooser.record  # of questions that are tied the first
            assert (constraint.kind == "tie") == (len(asked) == 13)
            assert constraint.holds({n: asked.get(n, asked[constraint.names[0]]) for n in constraint.names})
        assert sum(constraint.holds(record) for record in records) < 28
    with pytest.raises(SpaceError, match="no argument"):
        find(f"{tmp_path}/all.py:c0").bind(colour=1)


def test_no_constraint_is_put_on_one() -> None:
    """AnyNet E's ties leave one question; its orders allow only what narrows the whole group."""
    census = sample(SPACES["anynet_e"].bind(d=(1, 3), w=(8, 64)), 5)
    records = [dict.fromkeys(census.asked, 1)]
    kinds = {(c.kind, c.label) for c in constraints(records, census.asked, census.groups)}
    assert kinds == {("within", label) for label in ("stage*.d", "stage*.w", "stage1.b", "stage1.g")}


def test_scores_count_every_network() -> None:
    """No record is tied or in order as a whole, and still the table speaks for both."""
    rng = random.Random(0)
    domains = {f"q{i}": Integer(1, 1000) for i in range(4)} | {"op": Pick(("a", "b"))}
    records: list[Mapping[str, Any]] = [
        {n: rng.choice(d.values()) for n, d in domains.items()} for _ in range(80)
    ]
    tie = Constraint("tie", "q*", ("q0", "q1", "q2", "q3"), domains["q0"])
    errors = [50 - 0.01 * tie.agreement(record) + rng.gauss(0, 1) for record in records]
    assert not any(tie.holds(record) for record in records)
    found = propose(records, errors, domains)
    assert (found[0].constraint.kind, found[0].p) == ("tie", pytest.approx(1 / 5001))
    assert found[0].rho < -0.5
    assert {p.constraint.label for p in found} == {"q*"}
    assert propose(records, [1.0] * 80, domains) == []


def test_proposals_of_noise_have_the_p_values_of_noise() -> None:
    rng = random.Random(0)
    domains = {f"q{i}": Integer(1, 9) for i in range(4)}
    low = 0
    for seed in range(60):
        records = [{n: rng.choice(d.values()) for n, d in domains.items()} for _ in range(40)]
        found = propose(records, [rng.random() for _ in records], domains, repeats=300, seed=seed)
        low += sum(p.p <= 0.1 for p in found)
    assert low <= 60 * 4 * 0.1 + 3 * (60 * 4 * 0.1 * 0.9) ** 0.5


def proposal(kind: str, label: str, p: float = 0.01) -> Proposal:
    return Proposal(Constraint(kind, label, tuple(f"{label}{i}" for i in (1, 2)), W), -0.5, p)


def test_ties_come_after_what_the_table_speaks_for() -> None:
    found = [
        proposal("increasing", "w", 0.01),
        proposal("within", "w", 0.3),
        proposal("tie", "g", 0.5),
        proposal("tie", "b", 0.99),
    ]
    assert worth_testing(found, 6) == [found[0], found[2]]
    assert worth_testing(found, 1) == [found[0]]


def test_of_constraints_on_the_same_questions_one_is_taken() -> None:
    """A better one before one that is equal, and of those a tie."""
    rng = np.random.default_rng(0)
    base = edf(rng.normal(50, 2, 100))
    cases = [
        ("increasing", "w", 45.0, "better", True),
        ("tie", "w", 50.0, "equal", False),
        ("within", "g", 50.0, "equal", False),
        ("tie", "g", 50.0, "equal", True),
        ("decreasing", "d", 53.0, "not shown", False),
    ]
    samples = [(proposal(kind, label), edf(rng.normal(mean, 2, 100))) for kind, label, mean, *_ in cases]
    tests = judge(base, samples, 1.5)
    assert [(t.verdict, t.taken) for t in tests] == [case[3:] for case in cases]
    assert judge(base, [], 1.5) == []


# -- AnyNet A, where widths and depths in order are better, and shared b and g make no difference -----------


def planted(answers: Mapping[str, Any]) -> float:
    full = {name: answers.get(name, answers.get(f"stage1.{name[-1]}")) for c in "dwbg" for name in each(c)}
    score = 45.0
    for letter, worth in (("w", 6), ("d", 5)):
        values = [full[name] for name in each(letter)]
        score -= worth * sum(a <= b for a, b in itertools.pairwise(values)) / 3
    return score


def trained(plan: Plan, reporter: Reporter) -> list[dict[str, Any]]:
    """What a training would leave, if errors were what is planted and noise of one point."""
    problem = plan.problem()
    rng = random.Random(str(plan.run))
    rows = []
    for trial in range(plan.trials or 0):
        choices = acceptable(problem, trial, problem.generator(trial, "random")).choices
        error = planted(choices) + rng.gauss(0, 1)
        rows.append({"choices": json.dumps(choices), "val_accuracy": 1 - error / 100})
    return rows


def test_the_paper_is_found_again_where_it_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducing, "train", trained)
    monkeypatch.chdir(tmp_path)
    options = Options("anynet_a", dataset="digits", executor="local", macs=(0, 1e9), gpus_per_trial=0)
    done = reducing.reduce(options, Wish(64, None), Path("out"), Reporter(quiet=True))
    verdicts = {str(t.proposal.constraint): (t.verdict, t.taken) for t in done.tests}
    for letter, verdict in {
        "w increasing": "better",
        "d increasing": "better",
        "b tied": "equal",
        "g tied": "equal",
    }.items():
        assert verdicts[f"stage*.{letter}"] == (verdict, True)
    assert {str(t.proposal.constraint) for t in done.tests if t.verdict == "better"} <= {
        "stage*.w increasing",
        "stage*.d increasing",
        "stage*.w tied",
        "stage*.d tied",
    }
    assert json.loads(Path("out/reduction.json").read_text())["networks"] == 64
    assert done.file is not None
    chooser = Random(0)
    find(f"{done.file}:reduced").bind(d=(1, 3), w=(8, 64)).draw(chooser)
    for letter in "wd":
        values = [chooser.record[name] for name in each(letter)]
        assert values == sorted(values)
    second = reducing.reduce(
        Options(f"{done.file}:reduced", dataset="digits", executor="local", macs=(0, 1e9), gpus_per_trial=0),
        Wish(64, None),
        Path("next"),
        Reporter(quiet=True),
    )
    assert second.errors.mean < done.errors.mean - 3
    assert not any(t.verdict == "better" for t in second.tests)


# -- A table, from the command line --------------------------------------------------------------------------

TOY = '''
from cells.ops import Conv, Flatten, GlobalPool, Linear
from cells.sketch import Sketch

def toy(choose, **arguments):
    """Three stages of a width and a group width."""
    s = Sketch((3, 8, 8), "Toy")
    x = s.input
    for i in (1, 2, 3):
        w = choose.integer(f"stage{i}.w", 8, 32, step=8)
        g = choose.pick(f"stage{i}.g", [1, 2, 4])
        x = s.chain(x, **{f"conv{i}": Conv(w, 1), f"group{i}": Conv(w, 3, groups=w // g)})
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)))
'''


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 1,728 networks of a toy: `planted.toml`, where falling widths are better, and `noise.toml`."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "toy.py").write_text(TOY)
    rng = random.Random(0)
    rows = []
    for w in itertools.product((8, 16, 24, 32), repeat=3):
        for g in itertools.product((1, 2, 4), repeat=3):
            answers = {f"stage{i + 1}.{c}": v[i] for i in range(3) for c, v in (("w", w), ("g", g))}
            better = 5 * sum(a >= b for a, b in itertools.pairwise(w))
            noise = rng.gauss(0, 2)
            rows.append(
                {
                    "choices": json.dumps(answers),
                    "planted": 50 + better + noise,
                    "noise": 50 + noise,
                }
            )
    pq.write_table(pa.Table.from_pylist(rows), folder / "toy.parquet")
    for name in ("planted", "noise"):
        (folder / f"{name}.toml").write_text(
            f'table = "toy.parquet"\nspace = "{folder}/toy.py:toy"\npercent = true\n'
            f'[columns]\nval_accuracy = "{name}"\n'
        )
    (folder / "unknown.toml").write_text(
        'table = "toy.parquet"\npercent = true\n[columns]\nval_accuracy = "noise"\n'
    )
    return folder


def run(*words: str) -> int:
    return guard(command.main, list(words))


def test_a_planted_truth_is_found_from_the_command_line(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--executor", f"table:{tables}/planted.toml", "--models", "40", "--run", f"{tmp_path}/out"]
    assert run(*words) == 0
    said = capsys.readouterr().out
    assert said.index("half of one by 51") < said.index("search 0") < said.index("40 networks a space")
    assert said.index("40 networks a space") < said.index("test      1")
    (line,) = (row for row in said.splitlines() if row.startswith("stage*.w decreasing"))
    assert line.rstrip().endswith("better, taken")
    found = json.loads((tmp_path / "out" / "reduction.json").read_text())
    assert next(t["constraint"] for t in found["tests"] if t["taken"]) == "stage*.w decreasing"
    base = pa.ipc.open_stream(tmp_path / "out" / "base" / "trials.arrows").read_all()
    (folder,) = (tmp_path / "out").glob("*w_decreasing")
    test = pa.ipc.open_stream(folder / "trials.arrows").read_all()
    drawn = [{row["choices"] for row in t.to_pylist() if row["status"] == "ok"} for t in (base, test)]
    assert len(drawn[1]) == 40
    assert not drawn[0] & drawn[1]
    chooser = Random(0)
    find(f"{tmp_path}/out/reduced.py:reduced").draw(chooser)
    assert chooser.record["stage1.w"] >= chooser.record["stage2.w"] >= chooser.record["stage3.w"]  # type: ignore[operator]
    assert run(*words, "--quiet") == 0  # goes on, with nothing left to do
    assert json.loads((tmp_path / "out" / "reduction.json").read_text()) == found


def test_where_there_is_nothing_nothing_is_called_better(
    tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(
            "--executor",
            f"table:{tables}/noise.toml",
            "--models",
            "40",
            "--quiet",
            "--run",
            f"{tmp_path}/out",
            "--margin",
            "0.1",
        )
        == 0
    )
    said = capsys.readouterr().out
    assert "better, taken" not in said
    assert "Equal within ±0.1 takes" in said
    assert not (tmp_path / "out" / "reduced.py").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--executor", "table:{}/unknown.toml"], "does not name the space"),
        (["--executor", "table:{}/planted.toml", "--models", "4"], "4 networks were trained"),
        (["--strategy", "tpe:startup=3"], "argument --strategy: a reduction only samples"),
        (["--margin", "0"], "argument --margin: '0'"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
        (["--space", "anynet_q", "--models", "9"], "anynet_q"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], reason: str, tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: Any = run(*(word.format(tables) for word in words), "--run", f"{tmp_path}/out", "--quiet")
    except SystemExit as end:
        code = end.code
    lines = capsys.readouterr().err.splitlines()
    assert (code, len(lines)) == (2, 1)
    assert reason in lines[0]
