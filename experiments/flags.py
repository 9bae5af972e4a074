"""Flags of experiments that train networks: what on, by whom, and where runs and results lie."""

from __future__ import annotations

import argparse
from pathlib import Path

from nas.cli import positive


def training(p: argparse.ArgumentParser, name: str, executor: bool = True) -> None:
    """Adds data, workers and folders.

    Args:
        name: of the experiment.
        executor: whether it can be chosen.
    """
    p.add_argument("--dataset", default="cifar10", metavar="NAME", help="(default: %(default)s)")
    p.add_argument("--data-dir", metavar="DIR", help="where CIFAR-10 lies")
    p.add_argument("--workers", type=positive, metavar="N", help="(default: one per core)")
    if executor:
        p.add_argument("--executor", choices=("ray", "local"), default="ray", help="(default: %(default)s)")
    p.add_argument(
        "--run",
        default=f"runs/{name}",
        metavar="DIR",
        help="run directories; what is there is continued (default: %(default)s)",
    )
    p.add_argument(
        "--report",
        action="store_true",
        help="train nothing: write figures and text again from the table in --out",
    )
    p.add_argument(
        "--out",
        metavar="DIR",
        help=f"where table, figures and text go (default: that of --run; with --report {results(name)})",
    )


def results(name: str) -> str:
    """Where an experiment's committed results lie."""
    return f"experiments/results/{name}"


def out(given: argparse.Namespace, name: str) -> Path:
    """Where table, figures and text go."""
    return Path(given.out or (results(name) if given.report else given.run))
