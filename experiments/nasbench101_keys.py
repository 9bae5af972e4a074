"""`python -m experiments.nasbench101_keys`: how many networks the 423,624 cells of NAS-Bench-101 are.

The key of every cell in the table, with equal parameter-free nodes merged and without: 419,052 and 423,624.
Takes three minutes on one core.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from cells import identity
from nas.cli import command, guard
from search_spaces import SPACES, Replay
from search_spaces.choose import Scalar
from search_spaces.formats import read_nasbench101
from search_spaces.nasbench101 import THREE

EXAMPLES = """\
  python -m experiments.nasbench101_keys ../shared/benchdata/nasbench101.parquet
"""


def answers_of(vertices: int, bits: int, operations: str) -> dict[str, Scalar]:
    """The answers that draw a row of the table.

    Args:
        bits: bit k is the k-th pair i < j, the upper triangle row by row.
        operations: of the vertices between input and output, a digit each.
    """
    matrix = [[0] * vertices for _ in range(vertices)]
    for k, (i, j) in enumerate(combinations(range(vertices), 2)):
        matrix[i][j] = bits >> k & 1
    return read_nasbench101(matrix, ["input", *(THREE[int(op)] for op in operations), "output"])


def main(argv: Sequence[str] | None = None) -> int:
    """Counts, prints, and writes a table of one row."""
    p = command("experiments.nasbench101_keys", __doc__ or "", EXAMPLES)
    p.add_argument("file", type=Path, help="nasbench101.parquet")
    p.add_argument(
        "--out",
        type=Path,
        default=Path("experiments/results/nasbench101_keys"),
        metavar="DIR",
        help="where the table goes (default: %(default)s)",
    )
    given = p.parse_args(argv)
    if not given.file.is_file():
        p.error(f"argument file: there is no {given.file}")

    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    names = ["num_vertices", "adjacency_upper_bits", "interior_ops"]
    columns = [column.to_pylist() for column in pq.read_table(given.file, columns=names).columns]
    # 60 channels are shared evenly by up to five vertices, so that none is told by its width.
    space = SPACES["nasbench101"].bind(n=(1,), f=60, input=(3, 8, 8))
    keys: dict[bool, set[str]] = {True: set(), False: set()}
    for cell in zip(*columns, strict=True):
        genome = space.draw(Replay(answers_of(*cell)))
        for merge, found in keys.items():
            found.add(identity.key(genome, merge=merge))
    row = {"cells": len(columns[0]), "merged": len(keys[True]), "unmerged": len(keys[False])}
    given.out.mkdir(parents=True, exist_ok=True)
    pyarrow.csv.write_csv(pa.Table.from_pylist([row]), given.out / "nasbench101_keys.csv")
    print(", ".join(f"{name} {count:,}" for name, count in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
