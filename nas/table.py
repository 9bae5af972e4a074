"""`python -m nas.table`: write a run's table as Parquet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.cli import guard, parser

EXAMPLES = """\
  python -m nas.table runs/first --to trials.parquet
  python -m nas.table runs/first --to asks.parquet --asks
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = parser("table", EXAMPLES)
    p.add_argument("run", metavar="RUN", help="a run directory")
    p.add_argument("--to", required=True, metavar="FILE.parquet", help="what to write")
    p.add_argument(
        "--asks", action="store_true", help="every ask, with why it was settled, instead of every trial"
    )
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    p = arguments()
    given = p.parse_args(argv)
    target = Path(given.to)
    if target.suffix != ".parquet":
        p.error(f"argument --to: {given.to} must end in .parquet")
    if not target.parent.is_dir():
        p.error(f"argument --to: there is no folder {target.parent}")

    import pyarrow.parquet as pq

    from nas.store import Run

    run = Run(given.run)
    table = run.asks() if given.asks else run.table()
    pq.write_table(table, target)
    print(f"wrote {target} ({table.num_rows} rows, {table.num_columns} columns)")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
