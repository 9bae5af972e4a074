"""Starts a planned search, on a fresh run directory or on one that it continues."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.dispatch import Clock, run_local, run_table
from nas.driver import Search
from nas.objectives import ACCURACY
from nas.options import UsageError
from nas.planning import Plan
from nas.pool import ranked
from nas.recipe import Recipe
from nas.store import write_atomically

if TYPE_CHECKING:
    from nas.progress import Reporter


def launch(plan: Plan, reporter: Reporter) -> Search:
    """Runs the search to its end and returns it, closed.

    Raises:
        KeyboardInterrupt: the user stopped it; all rows so far are on the disk.
        UsageError: the run directory belongs to another search, or to a running one.
    """
    run = plan.run
    assert run is not None
    plan = _loaded(plan, reporter)
    run.mkdir(parents=True, exist_ok=True)
    with alone(run):
        same_run(run, plan.config())
        plan = ranked(plan, reporter.loading, remember=True)
        search = Search(plan, reporter.row, Clock() if plan.simulated else None)
        if plan.pool and plan.ranking:
            reporter.line(f"pool      {plan.ranking.describe(plan.pool)}")
            if not plan.simulated:
                search.before = max(search.before, plan.ranking.seconds)
        if search.resumed:
            reporter.line(f"resumed   {search.resumed} rows, {search.dispatched} of them trained")
        try:
            reporter.start(search)
            _train(search)
        finally:
            reporter.stop()
            search.close()
    return search


def simulate(plan: Plan) -> Search:
    """Runs a search of a table in memory: nothing is written, and nothing is shown."""
    assert plan.table is not None
    search = Search(ranked(plan), clock=Clock())
    run_table(search, plan.table, plan.workers.count)
    return search


def _loaded(plan: Plan, reporter: Reporter) -> Plan:
    """The plan with its images, where something is trained: they are loaded before anything is written."""
    if plan.simulated or plan.images is not None:
        return plan
    from nas import sources

    return replace(plan, images=sources.load(plan.place, "train", reporter.loading))


def _train(search: Search) -> None:
    """Has the tasks of a search run."""
    plan = search.plan
    if plan.table is not None:
        return run_table(search, plan.table, plan.workers.count)
    assert plan.images is not None
    if plan.executor == "local":
        return run_local(search, plan.images, plan.workers)
    from nas.cluster import run_ray

    return run_ray(search, plan.images, plan.workers)


_ONCE = {
    "goals": [str(ACCURACY)],
    "winner": "reward",
    "dedup": True,
    "executor": "training",
    "pool": None,
    "rungs": None,
}
"""What every run did before it could be chosen."""


def same_run(run: Path, config: Mapping[str, Any]) -> None:
    """Writes the configuration, or compares it with the one that is there. Raises `UsageError`."""
    file = run / "run.json"
    if not file.exists():
        if (run / "trials.arrows").exists():
            raise UsageError(f"--run {run} has results but no run.json: name another --run")
        write_atomically(file, (json.dumps(config, indent=2) + "\n").encode())
        return
    try:
        before = json.loads(file.read_text())
    except ValueError as error:
        raise UsageError(f"--run {run}: run.json cannot be read ({error})") from error
    if not isinstance(before, dict):
        raise UsageError(f"--run {run}: run.json is no configuration of a run")
    before = _ONCE | before
    for name, value in config.items():
        there = before.get(name)
        if name.endswith("recipe") and isinstance(there, dict):
            there = Recipe.from_json(there).to_json()  # it may be older than some fields
        if there != value:
            raise UsageError(
                f"--run {run} holds a run with another {name.replace('_', ' ')} "
                f"({_differ(there, value)}): repeat its options, or name another --run"
            )


def _differ(before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        name = next(n for n in [*before, *now] if before.get(n) != now.get(n))
        return f"{name}: {before.get(name)} there, {now.get(name)} here"
    return f"{before} there, {now} here"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One writer for each run directory. Raises `UsageError` when there is another."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"--run {folder}: another process is writing to it") from error
        yield
