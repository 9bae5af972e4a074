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
        "wrongly, measures what a pruned trial's value is worth, and asks whether learning curves should be "
        "extrapolated.",
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

    from experiments.multifidelity import curves, report, run, tables
    from nas.options import UsageError

    if not given.report:
        from rich.progress import Progress

        words = sys.argv[1:] if argv is None else argv
        command = shlex.join([*tables.COMMAND.split(), *words])
        with Progress() as progress:
            bar = progress.add_task("starting")
            for what, done, total in tables.run_all(out, given.only.split(","), given.seeds, command):
                progress.update(bar, description=what, completed=done, total=total)
        for file in curves.write(out, Path(os.environ.get("NAS_TABLES", "."))):
            print(f"curves.parquet is without the curves of {file}, which is not there", file=sys.stderr)
    found = {
        name: tables.read(out / f"{name}.parquet", schema)
        for name, schema in (
            ("searches", run.SEARCHES),
            ("pruned", run.PRUNED),
            ("told", run.TOLD),
            ("curves", curves.CURVES),
        )
    }
    if not found["searches"]:
        raise UsageError(f"--report: there are no results in {out}: run the searches first")
    for name in (name for name, rows in found.items() if not rows):
        print(f"the report is without {name}.parquet, which is not there or too old", file=sys.stderr)
    lines = [
        *report.heading(tables.commands(out)),
        *report.searches(found["searches"]),
        *report.fronts(found["pruned"]),
        *report.told(found["told"]),
        *report.extrapolation(found["curves"]),
    ]
    (out / "results.md").write_text("\n".join(lines))
    report.figure(found["searches"], out / "regret.svg")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
