"""`python -m experiments.proxy_fidelity`: how far a brief training ranks networks as a long one does.

Random networks of AnyNet A and RegNet, together, are trained by a long recipe with two seeds, and by brief
ones: that of a search, one, two and five epochs, and variants that cost as much as one epoch: other numbers
of images, smaller images, other learning rates, another initialisation. After half of the networks the
variants are halved: those whose ranking is furthest from the long one's drop out.

The table says for each recipe Kendall's tau-b with the long ranking (with 95% intervals over networks, by the
bootstrap), how many of the long recipe's best tenth are in its own, and what it costs; beside them parameters
and multiply-adds, which need no training, and the long recipe's own second seed, which is the ceiling.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from experiments import flags
from experiments.proxy_fidelity.compare import compare, is_long
from experiments.proxy_fidelity.report import figure, text
from experiments.proxy_fidelity.run import MOST, gather, train_all
from nas.cli import command, duration, guard, positive

NAME = "proxy_fidelity"
FILE = "trainings.parquet"

EXAMPLES = """\
  python -m experiments.proxy_fidelity --data-dir ../shared/data --budget 2h
  python -m experiments.proxy_fidelity --preset gpu --nets 96 --workers 4 --data-dir DIR
  python -m experiments.proxy_fidelity --report
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = command("experiments.proxy_fidelity", __doc__ or "", EXAMPLES)
    p.add_argument("--preset", choices=("laptop", "gpu"), default="laptop", help="of the networks' ranges")
    p.add_argument("--nets", type=positive, default=8, metavar="N", help="(default: %(default)s)")
    p.add_argument("--long", type=positive, default=30, metavar="N", help="epochs (default: %(default)s)")
    p.add_argument("--seeds", type=int, choices=(1, 2), default=2, help="of the long recipe (default: 2)")
    p.add_argument("--budget", type=duration, metavar="TIME", help="of all training, such as 2h")
    flags.training(p, NAME, executor=False)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    from nas.options import UsageError

    p = arguments()
    given = p.parse_args(argv)
    if given.nets > MOST:
        p.error(f"argument --nets: there are {MOST}")
    out = flags.out(given, NAME)
    if not given.report:
        train_all(given)
        out.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(gather(Path(given.run))), out / FILE, compression="zstd")
    if not (out / FILE).exists():
        raise UsageError(f"--report: there is no {out / FILE}: train the networks first")
    rows = pq.read_table(out / FILE).to_pylist()
    if not any(is_long(row["recipe"]) for row in rows):
        raise UsageError(f"{out / FILE} has no network that was trained by the long recipe")
    findings = compare(rows)
    lines = text(rows, findings)
    (out / "README.md").write_text("\n".join(lines))
    figure(findings, out / "tau.svg")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
