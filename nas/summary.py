"""What a finished search says for itself: the best, the baselines beside them, the next commands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cells.infer import infer
from nas.progress import Reporter, clock, columns, short
from nas.results import by, on_front, ranking, verdict

if TYPE_CHECKING:
    from nas.driver import Search
    from nas.planning import Plan


def result(search: Search, reporter: Reporter) -> None:
    """The table of the best, the baselines beside them, and what can be said of the winner."""
    plan = search.plan
    ranked = ranking(search.rows, plan.winner)
    if search.ended:
        reporter.console.print(f"The search ended: {search.ended}", markup=False)
    searched = [row for row in search.rows if row["stage"] == "search"]
    counts = Counter(row["status"] for row in searched)
    if not ranked:
        failed = next((r["error"] for r in search.rows if r["status"] == "failed"), None)
        reporter.console.print(
            "No trial finished" + (f"; the first failure: {failed}" if failed else ""), markup=False
        )
        return
    said = verdict(search.rows, plan.winner)
    means = said["means"]
    confirmed = f"confirmed ({len(plan.confirm_seeds)} seeds)" if means else "confirmed"
    titles = ("rank", "key", "by", "val acc", confirmed, "params", "MACs", "latency")
    table = columns(*titles, left=("rank", "key", "by"))
    shown = list(enumerate(ranked[: max(5, plan.confirm)], start=1))
    extra = [
        next(((i, r) for i, r in enumerate(ranked, start=1) if by(r) == who), None)
        for who in ("random", "seed")
    ]
    sized = [(row["params"] or 0, -i, row) for i, row in enumerate(ranked, start=1)]
    largest = max(sized, key=lambda found: found[:2])
    extra.append((-largest[1], largest[2]))
    shown += [e for i, e in enumerate(extra) if e is not None and e not in [*shown, *extra[:i]]]
    for rank, row in shown:
        who = json.loads(row["note"] or "{}").get("seed_point") or by(row)
        table.add_row(
            f"{rank}{' *' if row['key'] == said['winner']['key'] else ''}",
            row["key"][:8],
            f"{who}, largest" if row is largest[2] and row["params"] else who,
            f"{row['val_accuracy']:.2%}",
            _mean(means.get(row["key"])),
            "" if row["params"] is None else short(row["params"]),
            "" if row["macs"] is None else short(row["macs"]),
            _latency(row),
        )
    reference = next(((n, g) for n, g, _ in plan.left_out if g is not None), None)
    if reference is not None:
        costs = infer(reference[1])
        table.add_row(
            "",
            reference[1].key[:8],
            reference[0],
            "untrained",
            "",
            short(costs.params),
            short(costs.macs),
            "",
        )
    reporter.console.print(table)
    stopped = f"{counts['pruned']} pruned, " if search.rule is not None else ""
    rejected = sum(ask["settled"] == "rejected" for ask in search.asks.rows)
    reporter.console.print(
        f"{counts['ok']} trained, {stopped}{counts['failed']} failed, {counts['duplicate']} duplicates, "
        f"{counts['invalid']} invalid, {rejected} outside the window, in {clock(search.elapsed)} minutes",
        markup=False,
    )
    for line in [*conclusion(said), *tested(plan, said)]:
        reporter.console.print(line, markup=False)
    if len(plan.goals) > 1:
        show_front(search, reporter)


def show_front(search: Search, reporter: Reporter) -> None:
    """What no other network beats in all goals."""
    goals = search.plan.goals
    rows, volume = on_front(search.rows, goals)
    names = [name for goal in goals for name in goal.columns]
    reporter.console.print(
        f"Front of {', '.join(map(str, goals))}: {len(rows)} networks, hypervolume {volume:.3f} of 1",
        markup=False,
    )
    table = columns("key", "by", *names, left=("key", "by"))
    for row in rows:
        cells = [short(row[name]) if isinstance(row[name], int) else f"{row[name]:.4g}" for name in names]
        table.add_row(row["key"][:8], by(row), *cells)
    reporter.console.print(table)


def _latency(row: Mapping[str, Any]) -> str:
    """Marked where something else was running beside it."""
    if row["latency_ms"] is None:
        return ""
    return f"{'' if row['latency_quiet'] else '~'}{row['latency_ms']:.2f} ms"


def _mean(found: tuple[float, float, int] | None) -> str:
    return "" if found is None else f"{found[0]:.2%}" + (f" ± {100 * found[1]:.2f}" if found[2] > 1 else "")


def conclusion(said: Mapping[str, Any]) -> list[str]:
    """What the run supports, in sentences."""
    if said["means"] and by(said["winner"]) == "random":
        return [
            "The best network (*) is a random draw: nothing the strategy proposed is confirmed as better."
        ]
    if "difference" not in said:
        return []
    x, y, margin = (100 * said[name] for name in ("difference", "error", "margin"))
    told = "more" if x > margin else "not more"
    return [
        f"The best (*) beats random's best by {x:.2f} ± {y:.2f} points (confirmed means, standard error): "
        f"{told} than the {margin:.2f} that picking the best of {len(said['means'])} may give by chance."
    ]


def tested(plan: Plan, said: Mapping[str, Any]) -> list[str]:
    """What the winner's test accuracy is, where a table knows it."""
    winner = said["winner"]
    found = None if plan.table is None else plan.table.test_accuracy(json.loads(winner["choices"]))
    return [] if found is None else [f"Test accuracy of the best (*), by the table: {found:.2%}."]


def next_steps(search: Search) -> list[str]:
    """Commands to type next."""
    run = search.plan.run
    if search.plan.table is not None and not search.plan.table.known:
        return []
    return [
        "Next:",
        f"  python -m nas.show {run}                       the best network, block by block",
        f"  python -m nas.export {run} --to net.py         it as plain PyTorch",
        f"  python -m nas.table {run} --to trials.parquet  every trial, for pandas, polars or DuckDB",
    ]


def last_json(search: Search) -> dict[str, Any]:
    """The last object of `--json`."""
    said = verdict(search.rows, search.plan.winner)
    if not said:
        return {"best": None, "run": str(search.plan.run), "trials": search.dispatched}
    keep = (
        "key",
        "trial",
        "val_accuracy",
        "reward",
        "params",
        "macs",
        "flops",
        "latency_ms",
        "latency_quiet",
        "weights",
    )

    def brief(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if row is None:
            return None
        mean = said["means"].get(row["key"])
        found = {k: row[k] for k in keep} | {"by": by(row), "choices": json.loads(row["choices"])}
        if mean is not None:
            found["confirmed"] = {"mean": mean[0], "sd": None if mean[2] < 2 else mean[1], "seeds": mean[2]}
        return found

    seed = next((r for r in ranking(search.rows) if by(r) == "seed"), None)
    several = {}
    if len(search.plan.goals) > 1:
        rows, volume = on_front(search.rows, search.plan.goals)
        several = {"front": [brief(row) for row in rows], "hypervolume": volume}
    return {
        "best": brief(said["winner"]),
        "random": brief(said["random"]),
        "seed_point": brief(seed),
        "difference": said.get("difference"),
        "standard_error": said.get("error"),
        "margin": said.get("margin"),
        "trials": search.dispatched,
        "run": str(search.plan.run),
        "seconds": search.elapsed,
        **several,
    }
