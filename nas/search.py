"""`python -m nas.search`: search a space for the best network."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from nas.cli import (
    duration,
    guard,
    latency_window,
    milliseconds,
    natural,
    parser,
    positive,
    rising,
    seed,
    window,
)
from nas.options import EXECUTORS, REWARDS, SCHEDULERS, TABLE
from nas.recipe import INITS, SCHEDULES
from nas.results import WINNERS

if TYPE_CHECKING:
    from nas.planning import Plan
    from nas.progress import Reporter

EXAMPLES = """\
  python -m nas.search --space regnet
  python -m nas.search --space regnet --data-dir ../data --dataset cifar10 --run runs/first
  python -m nas.search --space anynet --strategy random --trials 50 --macs 4M:6M
  python -m nas.search --space my_spaces.py:my_space --timeout 30m
  python -m nas.search --space regnet --dry-run 10
  python -m nas.search --space regnet --strategy nsga2 --objective accuracy,macs
  python -m nas.search --space regnet --proxy synflow --pool 200
  python -m nas.search --space regnet --scheduler asha
  python -m nas.search --space regnet --strategy largest --trials 27 --rungs 1,3,9
  python -m nas.search --executor table:runs/first --strategy evolution:population=10 --trials 30
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = parser("search", EXAMPLES)
    g = p.add_argument_group("what is searched")
    g.add_argument(
        "--space",
        default="regnet",
        metavar="NAME",
        help="a search space, FILE.py:FUNCTION or around:NETWORK (default: regnet)",
    )
    g.add_argument(
        "--preset",
        metavar="NAME",
        help="ranges and window of the space: laptop, gpu, paper, none (default: by device)",
    )
    g.add_argument(
        "--macs",
        type=window,
        metavar="LO:HI",
        help="multiply-adds a network may cost, such as 3M:6M (':' for any)",
    )
    g.add_argument("--params", type=window, metavar="LO:HI", help="parameters it may have")
    g.add_argument("--activations", type=window, metavar="LO:HI", help="activations it may have")
    g.add_argument(
        "--latency", type=latency_window, metavar="LO:HI", help="measured latency it may have, such as 0:5ms"
    )
    g.add_argument(
        "--seed-points",
        default="auto",
        metavar="NAMES",
        help="published settings to start from: auto, none or names (default: auto)",
    )
    g = p.add_argument_group("how it is searched")
    g.add_argument(
        "--strategy",
        default="tpe",
        metavar="NAME",
        help="who proposes, perhaps with options: NAME:OPTION=VALUE,...; `list` lists them (default: tpe)",
    )
    g.add_argument(
        "--objective",
        default="accuracy",
        metavar="COLUMNS",
        help="what is maximised, such as accuracy, or accuracy,latency or accuracy,depth:min for a front",
    )
    g.add_argument(
        "--reward",
        choices=tuple(REWARDS),
        help="one number in place of accuracy: MnasNet's ACC x (LAT/T)^w, as a soft or a hard constraint",
    )
    g.add_argument("--target-latency", type=milliseconds, metavar="T", help="of --reward, such as 5ms")
    g.add_argument(
        "--no-dedup",
        dest="dedup",
        action="store_false",
        help="train a network again when it is proposed again, as published searches do",
    )
    g.add_argument(
        "--storage",
        metavar="URL",
        help="where Optuna's strategies put their study, such as sqlite:///study.db, for optuna-dashboard",
    )
    g.add_argument(
        "--proxy",
        metavar="NAME",
        help="a zero-cost proxy, such as synflow, that ranks a pool of random networks before anything is "
        "trained, for a fifth of --timeout at most; the best tenth of them go first; `list` lists proxies "
        "(default: none)",
    )
    g.add_argument("--pool", type=positive, metavar="N", help="networks of that pool (default: 200)")
    g.add_argument(
        "--scheduler",
        choices=SCHEDULERS,
        default=SCHEDULERS[0],
        help="asha: trainings are three times as long, and stopped at a rung where they fall behind: out of "
        "the best 1/eta there or, with several goals, out of reach of the front; the learning rate falls "
        "to 0 at full length only, so values at rungs are not final (default: none)",
    )
    g.add_argument(
        "--rungs",
        type=rising,
        metavar="EPOCHS",
        help="epochs at which asha stops trainings, the last their length, such as 1,3,9 (the default where "
        "a trial would have fewer, in epochs that are cut to a third). Without asha: all --trials, or the "
        "best tenth of a --pool, are trained for 1 epoch, the best 1/eta anew for 3, of those anew for 9",
    )
    g.add_argument("--eta", type=positive, metavar="N", help="one of so many goes on at a rung (default: 3)")
    g.add_argument(
        "--brackets",
        type=positive,
        metavar="N",
        help="of asha: some trials skip the first rungs (default: 1)",
    )
    g.add_argument(
        "--trials", type=positive, metavar="N", help="networks to train (default: as many as the time allows)"
    )
    g.add_argument(
        "--timeout",
        type=duration,
        metavar="TIME",
        help="such as 90s, 4m, 1h (default: 4m on CPU, 10m on GPU; none with --trials)",
    )
    g.add_argument(
        "--confirm",
        type=natural,
        default=3,
        metavar="K",
        help="train the best K, the best random and the seed point with new seeds; 0: do not (default: 3)",
    )
    g.add_argument(
        "--winner",
        choices=WINNERS,
        default=WINNERS[0],
        help="what ranks the trials: their score, or an estimate of it without noise (default: reward)",
    )
    g.add_argument("--seed", type=seed, default=0, metavar="S", help="of all that is drawn (default: 0)")
    g = p.add_argument_group("data and training")
    g.add_argument(
        "--dataset",
        default="auto",
        metavar="NAME",
        help="auto, cifar10, digits, a folder or a Parquet file (default: auto)",
    )
    g.add_argument(
        "--data-dir", metavar="DIR", help="where CIFAR-10 lies (default: $NAS_DATA_DIR or the user cache)"
    )
    g.add_argument(
        "--epochs",
        type=positive,
        metavar="N",
        help="of each trial; with --scheduler asha, into how many the longest is cut (default: by device)",
    )
    g.add_argument(
        "--train-images", type=positive, metavar="N", help="used for each trial (default: by device)"
    )
    g.add_argument(
        "--init",
        choices=INITS,
        help="initialisation: last norms of residual branches at 0 or 1 (default: zero-gamma)",
    )
    g.add_argument(
        "--schedule", choices=SCHEDULES, help="of the learning rate, behind a warm-up (default: cosine)"
    )
    g = p.add_argument_group("where it runs")
    g.add_argument(
        "--executor",
        type=executor,
        default="ray",
        metavar="WHO",
        help="ray: its workers; local: this process; table:FILE: nothing is trained, a finished run or "
        "a described table answers (default: ray)",
    )
    g.add_argument("--workers", type=positive, metavar="N", help="(default: one per core; on GPUs four each)")
    g.add_argument(
        "--gpus-per-trial", type=float, metavar="X", help="share of a GPU (default: 0.25; 0: use the CPU)"
    )
    g.add_argument("--address", metavar="ADDRESS", help="a Ray cluster, such as auto (default: this machine)")
    g.add_argument(
        "--trial-timeout",
        type=duration,
        default=600.0,
        metavar="TIME",
        help="a trial that takes longer has failed (default: 10m)",
    )
    g.add_argument(
        "--run",
        metavar="DIR",
        help="run directory; a run that is there is continued (default: a new one in runs/)",
    )
    g.add_argument(
        "--keep",
        type=natural,
        default=5,
        metavar="N",
        help="best trials whose weights are kept, beside the best random one and seed point (default: 5)",
    )
    g = p.add_argument_group("what is shown")
    g.add_argument(
        "--dry-run",
        type=positive,
        metavar="N",
        help="print N proposals with costs and estimated time, and train nothing",
    )
    x = g.add_mutually_exclusive_group()
    x.add_argument("--quiet", action="store_true", help="only the result")
    x.add_argument(
        "--json", action="store_true", help="one JSON object for each trial, and last one with the best"
    )
    return p


def executor(text: str) -> str:
    """`ray`, `local` or `table:FILE`. Raises ArgumentTypeError."""
    if text not in EXECUTORS and not text.removeprefix(TABLE) != text:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(EXECUTORS)}, table:FILE")
    return text


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    p = arguments()
    given = p.parse_args(argv)
    if given.strategy == "list":
        return _list_strategies()
    if given.proxy == "list":
        return _list_proxies()
    if given.workers and given.executor == "local" and given.workers > 1:
        p.error("argument --workers: the local executor has one")
    if given.gpus_per_trial is not None and not given.gpus_per_trial >= 0:
        p.error("argument --gpus-per-trial: must not be negative")
    out = _keep_stdout() if given.json else None

    from nas.options import Options
    from nas.planning import plan
    from nas.progress import Reporter, header

    fields = {f.name for f in dataclasses.fields(Options)}
    options = Options(**{k: v for k, v in vars(given).items() if k in fields})
    reporter = Reporter(as_json=out, quiet=given.quiet)
    try:
        settled = plan(options, reporter.loading)
        for line in header(settled):
            reporter.line(line)
        if given.dry_run:
            return _dry_run(settled, given.dry_run, reporter)
        return _search(settled, reporter, argv)
    finally:
        reporter.stop()


def _list_strategies() -> int:
    """Prints every strategy with its options and their defaults."""
    from nas.strategies import STRATEGIES

    for name, entry in sorted(STRATEGIES.items()):
        print(f"{name}: {entry.summary}")
        options = ",".join(f"{option}={value}" for option, value in entry.options.items())
        if options:
            print(f"    {name}:{options}")
    return 0


def _list_proxies() -> int:
    """Prints every proxy."""
    from nas.proxies import PROXIES

    for name, entry in PROXIES.items():
        print(f"{name}: {entry.summary}")
    return 0


def _keep_stdout() -> TextIO:
    """Keeps descriptor 1 for JSON: whatever else is printed, by libraries too, goes to 2."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def _search(plan: Plan, reporter: Reporter, argv: Sequence[str] | None) -> int:
    import json

    from nas.launch import launch
    from nas.summary import last_json, next_steps, result

    try:
        search = launch(plan, reporter)
    except KeyboardInterrupt:
        words = list(sys.argv[1:] if argv is None else argv)
        if "--run" not in words:
            words += ["--run", str(plan.run)]
        reporter.console.print(
            f"Interrupted; every finished trial is in {plan.run}. To go on:\n"
            f"  python -m nas.search {shlex.join(words)}",
            markup=False,
        )
        return 130
    if reporter.json is not None:
        reporter.json.write(json.dumps(last_json(search)) + "\n")
        reporter.json.flush()
    else:
        result(search, reporter)
        if not reporter.quiet and any(row["status"] == "ok" for row in search.rows):
            for line in next_steps(search):
                reporter.console.print(line, markup=False)
    finished = any(row["status"] == "ok" for row in search.rows)
    return 0 if finished else 1


def _dry_run(plan: Plan, count: int, reporter: Reporter) -> int:
    from nas.pool import ranked
    from nas.preview import preview

    return preview(ranked(plan, reporter.loading), count, reporter)


if __name__ == "__main__":
    sys.exit(guard(main))
