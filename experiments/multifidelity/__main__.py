"""`python -m experiments.multifidelity`: see the package."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.cli import command, guard, positive

EXAMPLES = """\
  python -m experiments.multifidelity --tables ../shared/benchdata
  python -m experiments.multifidelity --tables DIR --only random,evolution,tpe --seeds 10 --out somewhere
  python -m experiments.multifidelity --report
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = command(
        "experiments.multifidelity",
        "Searches NAS-Bench-301's surrogate with and without ASHA, counts what a front prunes "
        "wrongly, and asks whether learning curves should be extrapolated.",
        EXAMPLES,
    )
    p.add_argument("--tables", metavar="DIR", help="where the tables lie (default: $NAS_TABLES)")
    p.add_argument(
        "--only",
        default="random",
        metavar="NAMES",
        help="strategies without options, such as random,evolution,tpe (default: %(default)s)",
    )
    p.add_argument("--seeds", type=positive, default=100, metavar="N", help="of each (default: %(default)s)")
    p.add_argument(
        "--out",
        default="experiments/results/multifidelity",
        metavar="DIR",
        help="a run that is there is continued (default: %(default)s)",
    )
    p.add_argument("--report", action="store_true", help="run nothing, write the report again")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    given = arguments().parse_args(argv)
    if given.tables:
        os.environ["NAS_TABLES"] = str(Path(given.tables).resolve())
    out = Path(given.out)
    out.mkdir(parents=True, exist_ok=True)

    from experiments.multifidelity import curves, report, run
    from nas.options import UsageError

    if not given.report:
        from rich.progress import Progress

        with Progress() as progress:
            bar = progress.add_task("starting")
            for what, done, total in run.run_all(out, tuple(given.only.split(",")), given.seeds):
                progress.update(bar, description=what, completed=done, total=total)
        if not (out / "curves.parquet").is_file():
            curves.write(out, Path(os.environ.get("NAS_TABLES", ".")))
    rows = run.read(out / "searches.parquet", run.SEARCHES)
    if not rows:
        raise UsageError(f"--report: there are no results in {out}: run the searches first")
    words = [word for word in (sys.argv[1:] if argv is None else argv) if word != "--report"]
    command = shlex.join(["python", "-m", "experiments.multifidelity", *words])
    lines = [
        *report.heading(command),
        *report.searches(rows),
        *report.fronts(run.read(out / "pruned.parquet", run.PRUNED)),
        *report.extrapolation(run.read(out / "curves.parquet", curves.CURVES)),
    ]
    (out / "results.md").write_text("\n".join(lines))
    report.figure(rows, out / "regret.svg")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
