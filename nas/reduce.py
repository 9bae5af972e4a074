"""`python -m nas.reduce`: find constraints under which a space is better, or smaller and as good."""

from __future__ import annotations

import argparse
import dataclasses
import math
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from nas.cli import duration, guard, parser, positive

EXAMPLES = """\
  python -m nas.reduce --space anynet_a --budget 2h --data-dir ../data --dataset cifar10
  python -m nas.reduce --space anynet_a --models 48 --executor local --run runs/reduced
  python -m nas.reduce --space runs/reduced/reduced.py:reduced --budget 2h
  python -m nas.reduce --executor table:runs/random --models 100
"""

SHARED = (
    "space preset macs params activations latency seed dataset data_dir epochs train_images init schedule "
    "executor workers gpus_per_trial address trial_timeout run quiet"
).split()
"""What flags of `nas.search` mean here, too."""


def arguments() -> argparse.ArgumentParser:
    """The command line, but for the flags that are those of `nas.search`."""
    p = parser("reduce", EXAMPLES)
    p.usage = (
        "%(prog)s [--space NAME] [--budget TIME | --models N] [--margin X] [--tests K] [flags of nas.search]"
    )
    p.epilog = (
        "flags of nas.search that hold here, too (python -m nas.search --help explains them):\n  "
        + "\n  ".join(
            " ".join("--" + name.replace("_", "-") for name in SHARED[i : i + 7])
            for i in range(0, len(SHARED), 7)
        )
        + f"\n\n{p.epilog}"
    )
    p.add_argument(
        "--budget",
        type=duration,
        metavar="TIME",
        help="of all training: half for a sample of the space, half for those that test proposals "
        "(default: 1h; none with --models or a table)",
    )
    p.add_argument(
        "--models", type=positive, metavar="N", help="networks of each sample (default: 100 of a table)"
    )
    p.add_argument(
        "--margin",
        type=margin,
        default=1.5,
        metavar="X",
        help="points of error within which a smaller space counts as equal (default: 1.5)",
    )
    p.add_argument(
        "--tests", type=positive, default=8, metavar="K", help="proposals tested at most (default: 8)"
    )
    return p


def margin(text: str) -> float:
    """A number of points above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of points above 0")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    from nas import search

    p = arguments()
    given, rest = p.parse_known_args(argv)
    other = search.arguments()
    other.prog = p.prog
    shared = other.parse_args(rest)
    for name, value in vars(shared).items():
        if name not in SHARED and value != other.get_default(name):
            p.error(
                f"argument --{name.replace('_', '-')}: a reduction only samples: see --models and --budget"
            )
    if shared.workers and shared.executor == "local" and shared.workers > 1:
        p.error("argument --workers: the local executor has one")

    from nas.options import Options
    from nas.progress import Reporter
    from nas.reducing import Wish, reduce, show

    fields = {f.name for f in dataclasses.fields(Options)}
    options = Options(**{k: v for k, v in vars(shared).items() if k in fields})
    if given.models is None and given.budget is None:
        given.models, given.budget = (100, None) if options.table else (None, 3600.0)
    folder = Path(shared.run or f"runs/reduce-{datetime.now():%Y%m%d-%H%M%S}")
    reporter = Reporter(quiet=shared.quiet)
    try:
        done = reduce(options, Wish(given.models, given.budget, given.margin, given.tests), folder, reporter)
    except KeyboardInterrupt:
        words = list(sys.argv[1:] if argv is None else argv)
        words += [] if shared.run else ["--run", str(folder)]
        reporter.console.print(
            f"Interrupted; every finished trial is in {folder}. To go on:\n"
            f"  python -m nas.reduce {shlex.join(words)}",
            markup=False,
        )
        return 130
    finally:
        reporter.stop()
    show(done, reporter)
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
