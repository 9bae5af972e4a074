"""`python -m experiments.regnet_reduction`: see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.cli import duration, guard, positive, window

EXAMPLES = """\
  python -m experiments.regnet_reduction --data-dir ../shared/data
  python -m experiments.regnet_reduction --preset laptop --models 8 --budget 30m
  python -m experiments.regnet_reduction --preset gpu --data-dir DIR
  python -m experiments.regnet_reduction --preset paper --dataset IMAGENET_FOLDER --address auto
  python -m experiments.regnet_reduction --report
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m experiments.regnet_reduction",
        description="Trains random networks of AnyNet A to E and RegNet briefly, and compares the spaces.",
        epilog=f"examples:\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--preset",
        choices=("laptop", "gpu", "paper"),
        default="laptop",
        help="ranges, window, recipe and numbers of models: for two cores and about two hours, for one GPU, "
        "or those of the paper (default: laptop)",
    )
    p.add_argument("--models", type=positive, metavar="N", help="of each space (default: by preset)")
    p.add_argument("--window", type=window, metavar="LO:HI", help="multiply-adds (default: by preset)")
    p.add_argument("--recipe", metavar="NAME", help="brief, epoch, ten or imagenet (default: by preset)")
    p.add_argument("--budget", type=duration, metavar="TIME", help="of all training, such as 30m")
    p.add_argument("--dataset", default="cifar10", metavar="NAME", help="(default: cifar10)")
    p.add_argument("--data-dir", metavar="DIR", help="where CIFAR-10 lies")
    p.add_argument("--workers", type=positive, metavar="N", help="(default: one per core)")
    p.add_argument("--address", metavar="ADDRESS", help="a Ray cluster (default: this machine)")
    p.add_argument(
        "--run",
        default="runs/regnet_reduction",
        metavar="DIR",
        help="run directories; what is there is continued (default: %(default)s)",
    )
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    given = arguments().parse_args(argv)
    from experiments.regnet_reduction import run
    from nas.progress import Reporter

    recipe = given.recipe or run.SETTINGS[given.preset].recipe
    run.run_all(
        run.parts(given.preset, given.models),
        Path(given.run),
        recipe,
        given.budget,
        Reporter(),
        macs=given.window,
        dataset=given.dataset,
        data_dir=given.data_dir,
        workers=given.workers,
        address=given.address,
    )
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
