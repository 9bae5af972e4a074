"""The strategies' experiment goes on only with what it was begun with."""

from pathlib import Path

import pytest

from experiments.strategies.entrants import Contest, Entrant
from experiments.strategies.run import same_contests
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
