"""`python -m experiments.strategies`: see the package."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.strategies import report
from experiments.strategies.entrants import CONTESTS, ENTRANTS, Contest, Entrant
from nas.cli import command, cores, duration, guard, positive

EXAMPLES = """\
  python -m experiments.strategies --tables ../shared/benchdata
  python -m experiments.strategies --tables DIR --only random,evolution --seeds 20 --out somewhere
  python -m experiments.strategies --benchmark mine.toml --budget 2h --seeds 50 --out mine
  python -m experiments.strategies --report --tables ../shared/benchdata
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = command(
        "experiments.strategies",
        "Runs every strategy on tabular benchmarks, many seeds each, beside published figures.",
        EXAMPLES,
    )
    p.add_argument("--tables", metavar="DIR", help="where the tables lie (default: $NAS_TABLES)")
    p.add_argument(
        "--benchmark",
        action="append",
        metavar="FILE",
        help="a described table (.toml) or a finished run, instead of the published ones; may be repeated",
    )
    p.add_argument(
        "--budget",
        type=duration,
        default=200.0,
        metavar="TIME",
        help="of --benchmark, by its times; evaluations where it has none (default: 200)",
    )
    p.add_argument("--only", metavar="NAMES", help="entrants or strategies, such as random,evolution")
    p.add_argument("--seeds", type=positive, metavar="N", help="at most so many each (default: 1 to 500)")
    p.add_argument("--jobs", type=positive, default=cores(), metavar="N", help="processes")
    p.add_argument(
        "--out",
        default="experiments/results/strategies",
        metavar="DIR",
        help="a run that is there is continued (default: %(default)s)",
    )
    p.add_argument("--report", action="store_true", help="run nothing, write the report again")
    return p


def _entrants(names: str | None) -> list[Entrant]:
    """Those that are named, also strategies that do not take part otherwise."""
    if names is None:
        return list(ENTRANTS)
    known = {entrant.name: entrant for entrant in ENTRANTS}
    return [known.get(name, Entrant(name, name)) for name in re.split(r",(?![a-z_]+=)", names)]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    given = arguments().parse_args(argv)
    if given.tables:
        os.environ["NAS_TABLES"] = str(Path(given.tables).resolve())
    out = Path(given.out)
    out.mkdir(parents=True, exist_ok=True)
    contests: list[Contest] = list(CONTESTS)
    if given.benchmark:
        contests = [Contest(name, "table", Path(name).resolve(), given.budget) for name in given.benchmark]

    from experiments.strategies.run import commands, gather, run_all, settle
    from nas.options import UsageError

    if not given.report:
        from rich.progress import Progress

        with Progress() as progress:
            bar = progress.add_task("starting")
            entrants = _entrants(given.only)
            for what, done, total in run_all(contests, entrants, out, given.jobs, given.seeds):
                progress.update(bar, description=what, completed=done, total=total)
    words = ["python", "-m", "experiments.strategies", *(sys.argv[1:] if argv is None else argv)]
    table = gather(out) if given.report else settle(out, shlex.join(words))
    rows = table.to_pylist()
    if not rows:
        raise UsageError(f"--report: there are no results in {out}: run the searches first")
    tables = Path(os.environ.get("NAS_TABLES", "."))
    made = " and ".join(f"`{ran}`" for ran in commands(table))
    lines = [
        "# Strategies on tabular benchmarks",
        "",
        f"{made} made these tables and `regret.svg`;",
        "the rows are in `strategies.parquet`.",
        "",
        *([] if given.benchmark else report.HOW),
        *report.reproduction(rows, tables),
        *report.standings(rows, tables),
        *report.to_target(rows),
    ]
    (out / "results.md").write_text("\n".join(lines))
    report.figure(rows, out / "regret.svg")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
