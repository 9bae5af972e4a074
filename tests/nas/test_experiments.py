"""The strategies' experiment goes on only with what it was begun with, and says what it was run by."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.strategies.__main__ import main
from experiments.strategies.entrants import Contest, Entrant
from experiments.strategies.report import to_target
from experiments.strategies.run import PARQUET, same_contests
from nas.options import UsageError

CONTEST, ENTRANT = Contest("cells", "table", Path("cells.toml"), 200.0), Entrant("evolution", "evolution")
ROWS = [
    {"benchmark": "cells", "dataset": "table", "budget": 200.0 * part / 15, "strategy": "evolution"}
    | {"options": "evolution"}
    for part in range(1, 16)
]


@pytest.mark.parametrize(
    ("contest", "entrant", "message"),
    [
        (Contest("cells", "table", Path("cells.toml"), 300.0), ENTRANT, "--budget 300: .* with 200"),
        (CONTEST, Entrant("evolution", "evolution:population=9"), "by evolution as evolution, now it is"),
    ],
)
def test_other_searches_are_not_mixed_with_those_that_are_there(
    contest: Contest, entrant: Entrant, message: str
) -> None:
    same_contests([CONTEST], [ENTRANT], ROWS, Path("out"))
    same_contests([contest], [entrant], [], Path("out"))
    with pytest.raises(UsageError, match=message):
        same_contests([contest], [entrant], ROWS, Path("out"))


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Four results of a space with two questions."""
    rows = [
        {"choices": f'{{"a": {a}, "b": {b}}}', "val": 0.5 + a / 10 + b / 20} for a in (0, 1) for b in (0, 1)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "cells.parquet")
    (tmp_path / "cells.toml").write_text("""
        table = "cells.parquet"
        columns = { val_accuracy = "val" }
    """)
    return tmp_path / "cells.toml"


def heading(out: Path) -> str:
    """The paragraph on what made the report."""
    return (out / "results.md").read_text().split("\n\n")[1]


def test_a_report_names_the_commands_that_ran_the_searches(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--benchmark", str(cells), "--budget", "3", "--jobs", "1", "--seeds", "1", "--out", str(out)]
    first, second = ([*words, "--only", name] for name in ("random", "evolution"))
    commands = [" ".join(["`python -m experiments.strategies", *more]) + "`" for more in (first, second)]
    assert main(first) == 0
    assert heading(out).startswith(f"{commands[0]} made these tables")
    assert main(second) == 0
    assert main([*first, "--jobs", "1"]) == 0  # nothing is left to run
    assert main(["--report", "--out", str(out)]) == 0
    assert heading(out).startswith(f"{commands[0]} and {commands[1]} made these tables")
    table = pq.read_table(out / PARQUET)
    assert set(table["strategy"].to_pylist()) == {"random", "evolution"}
    pq.write_table(table.replace_schema_metadata(None), out / PARQUET)
    assert main(["--report", "--out", str(out)]) == 0
    assert heading(out).startswith(
        "`python -m experiments.strategies --tables ../shared/benchdata` made these"
    )


def regrets(strategy: str, *searches: Sequence[float]) -> list[dict[str, Any]]:
    """Rows of searches whose regrets are known after 20, 40, ... evaluations of NAS-Bench-101."""
    return [
        {"benchmark": "nasbench101", "dataset": "cifar10", "winner": "reward", "strategy": strategy}
        | {"seed": seed, "budget": 20.0 * (i + 1), "regret": regret}
        for seed, course in enumerate(searches)
        for i, regret in enumerate(course)
    ]


def test_evaluations_to_a_target_have_the_interval_of_the_searches() -> None:
    """Of two searches a sample has the first, both or the second; here evolution is always the same."""
    rows = regrets("evolution", (5.0, 3.0, 2.0, 1.0), (5.0, 3.0, 2.0, 1.0))
    rows += regrets("quick", (3.0, 2.0, 0.0, 0.0), (5.0, 1.0, 1.0, 1.0))
    rows += regrets("doubtful", (9.0, 2.0, 2.0, 2.0), (9.0, 3.0, 0.0, 0.0))
    rows += regrets("poor", (9.0, 9.0, 9.0, 8.0), (9.0, 7.0, 6.0, 5.0))
    rows += regrets("largest", (1.0, 1.0, 1.0, 0.5))
    lines = to_target(rows)
    assert [line for line in lines if line.startswith("| ")][1:] == [
        "| quick | 0.500 | 50 (40 to 50) | 0.62 |",
        "| largest | 0.500 | at most 20 | 0.25 |",
        "| evolution | 1.000 | 80 | 1.00 |",
        "| doubtful | 1.000 | 60 (53 to never) | 0.75 |",
        "| poor | 6.500 | never |  |",
    ]
    assert "The baseline is `largest`: the most parameters first." in lines
    assert to_target(rows) == lines
    assert to_target([row for row in rows if row["strategy"] != "evolution"]) == []


def test_the_interval_of_a_target_has_the_searches_of_evolution_in_it() -> None:
    rows = regrets("evolution", (9.0, 9.0, 2.0), (9.0, 9.0, 4.0)) + regrets("steady", (6.0, 4.0, 2.0))
    (line,) = (line for line in to_target(rows) if line.startswith("| steady"))
    assert line == "| steady | 2.000 | 50 (40 to 60) | 0.83 |"
