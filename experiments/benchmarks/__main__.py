"""`python -m experiments.benchmarks NAME`: prints ratios measured side by side, and writes a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks import genome, search, startup, strategies
from nas.cli import command, guard

EXAMPLES = """\
  python -m experiments.benchmarks genome
  python -m experiments.benchmarks search runs/first
  python -m experiments.benchmarks --out somewhere strategies --only random,evolution
"""

BENCHMARKS = {"genome": genome, "search": search, "startup": startup, "strategies": strategies}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one benchmark."""
    p = command(
        "experiments.benchmarks", "Prints ratios measured side by side, and writes a table.", EXAMPLES
    )
    p.add_argument(
        "--out",
        default="experiments/results/benchmarks",
        metavar="DIR",
        help="where tables go (default: %(default)s)",
    )
    names = p.add_subparsers(dest="name", required=True)
    for name, module in BENCHMARKS.items():
        module.arguments(names.add_parser(name, help=(module.__doc__ or "").strip().partition("\n")[0]))
    given = p.parse_args(argv)
    table = BENCHMARKS[given.name].measure(given)
    folder = Path(given.out)
    folder.mkdir(parents=True, exist_ok=True)

    import platform

    import pyarrow as pa
    import pyarrow.csv

    from nas.progress import columns, console

    shown = columns(*table[0], left=("what",))
    for row in table:
        shown.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()))
    console().print(shown)
    file = folder / f"{given.name}.csv"
    pyarrow.csv.write_csv(pa.Table.from_pylist(table), file)
    print(f"{platform.machine()}, Python {platform.python_version()}; wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
