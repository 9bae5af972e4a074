"""`python -m experiments.regnet_reduction`: see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import flags
from nas.cli import command, duration, guard, positive, window

EXAMPLES = """\
  python -m experiments.regnet_reduction --data-dir ../shared/data
  python -m experiments.regnet_reduction --preset laptop --models 8 --budget 30m
  python -m experiments.regnet_reduction --preset gpu --data-dir DIR
  python -m experiments.regnet_reduction --preset paper --dataset IMAGENET_FOLDER --address auto
  python -m experiments.regnet_reduction --report
"""

ROOT = Path(__file__).parents[2]
NAME = "regnet_reduction"


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = command(
        "experiments.regnet_reduction",
        "Trains random networks of AnyNet A to E and RegNet briefly, and compares the spaces.",
        EXAMPLES,
    )
    p.add_argument(
        "--preset",
        choices=("laptop", "gpu", "paper"),
        help="ranges, window, recipe and numbers of models: for two cores and three hours, for "
        "one GPU, or those of the paper, which needs ImageNet at 224 as --dataset (default: laptop)",
    )
    p.add_argument("--models", type=positive, metavar="N", help="of each space (default: by preset)")
    p.add_argument("--window", type=window, metavar="LO:HI", help="multiply-adds (default: by preset)")
    p.add_argument("--recipe", metavar="NAME", help="brief, epoch, ten or imagenet (default: by preset)")
    p.add_argument("--budget", type=duration, metavar="TIME", help="of all training, such as 30m")
    p.add_argument("--address", metavar="ADDRESS", help="a Ray cluster (default: this machine)")
    flags.training(p, NAME)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    p = arguments()
    given = p.parse_args(argv)
    from experiments.regnet_reduction import figures, models, report, run
    from nas.options import UsageError
    from nas.progress import Reporter

    out = flags.out(given, NAME)
    if given.report and given.preset:
        p.error("argument --preset: the table of --report says what it was")
    if not given.report:
        preset = given.preset or "laptop"
        recipe = given.recipe or run.SETTINGS[preset].recipe
        if recipe not in run.RECIPES:
            p.error(f"argument --recipe: {recipe!r} is none of {', '.join(run.RECIPES)}")
        parts, reporter = run.parts(preset, given.models), Reporter()
        known = report.power(parts[0].models, ROOT / flags.results(NAME) / models.FILE, preset, recipe)
        reporter.line(f"power     {known}")
        run.run_all(
            parts,
            Path(given.run),
            recipe,
            given.budget,
            reporter,
            macs=given.window,
            dataset=given.dataset,
            data_dir=given.data_dir,
            workers=given.workers,
            address=given.address,
            executor=given.executor,
        )
        out.mkdir(parents=True, exist_ok=True)
        models.write(models.gather(Path(given.run), [part.name for part in parts]), out / models.FILE)
    if not (out / models.FILE).exists():
        raise UsageError(f"--report: there is no {out / models.FILE}: train the models first")
    every = models.read(out / models.FILE)
    rows, failed = models.trained(every), [m for m in every if m["status"] != "ok"]
    if not rows:
        raise UsageError(f"{out / models.FILE} has no model that trained to the end")
    lines = ["# The ladder of design spaces: AnyNet A to E and RegNet", "", *report.text(rows, failed)]
    (out / "README.md").write_text("\n".join(lines))
    for name, figure in figures.FIGURES:
        figure(rows, report.when(rows), out / name)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
