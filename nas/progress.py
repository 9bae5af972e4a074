"""What a search shows while it runs and when it has ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from nas.results import by, ranking

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from nas.driver import Search
    from nas.planning import Plan

_HIDDEN = ("genome", "recipe", "versions")


def short(count: float) -> str:
    """4,964,016 as 4.96M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"


def console(*, stderr: bool = False) -> Console:
    """Where people read: as wide as the terminal, and wide enough for tables where there is none."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not made.is_terminal:
        made.width = 160
    return made


def columns(*titles: str, left: Sequence[str]) -> Table:
    """A table without rules; columns are right-aligned but for those named."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, justify="left" if title in left else "right", no_wrap=True)
    return table


class Reporter:
    """Live progress on a terminal, plain lines elsewhere, JSON lines, or nothing but the result."""

    def __init__(self, *, as_json: TextIO | None = None, quiet: bool = False) -> None:
        self.json = as_json
        self.quiet = quiet
        self.console = console(stderr=as_json is not None)
        self.live = self.console.is_terminal and not quiet and as_json is None
        self.progress: Any = None
        self.task: Any = None
        self.search: Search | None = None

    def line(self, text: str) -> None:
        """One line for people."""
        if not self.quiet:
            self.console.print(text, markup=False)

    def loading(self, what: str, done: int, total: int) -> None:
        """Progress of what is counted: images read, bytes fetched, epochs of a grid."""
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        if not self.live:
            return
        if self.progress is None:
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
            self.progress = Progress(*columns, console=self.console, transient=True)
            self.progress.start()
            self.task = self.progress.add_task(what, total=total or None)
        self.progress.update(self.task, completed=done, description=what)
        if done == total:
            self.stop()

    def start(self, search: Search) -> None:
        """From now on the search is shown."""
        self.search = search
        if not self.live:
            return
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        class Shown(Progress):
            """Looks at the search whenever it is drawn."""

            def get_renderables(self) -> Iterable[RenderableType]:
                for task in self.tasks:
                    task.completed, task.description = status(search)
                yield from super().get_renderables()

        columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}"))
        self.progress = Shown(*columns, console=self.console, transient=True, refresh_per_second=4)
        self.progress.add_task("", total=1.0)
        self.progress.start()

    def row(self, row: Mapping[str, Any]) -> None:
        """A row was written."""
        if self.json is not None:
            shown = {k: v for k, v in row.items() if k not in _HIDDEN and v is not None}
            shown["choices"], shown["note"] = json.loads(row["choices"]), json.loads(row["note"] or "{}")
            self.json.write(json.dumps(shown, default=str) + "\n")
            self.json.flush()
        elif not self.live and not self.quiet and row["status"] not in ("invalid", "duplicate"):
            assert self.search is not None
            if row["status"] == "ok":
                macs = f", {short(row['macs'])} MACs" if row["macs"] is not None else ""
                said = f"{row['val_accuracy']:.2%}{macs}"
            else:
                said = f"{row['status']}: {row['error']}"
            self.line(f"{row['stage']} {row['trial']} ({by(row)}): {said} | {status(self.search)[1]}")
        elif self.live and row["status"] == "failed":
            self.line(f"trial {row['trial']} failed: {row['error']}")

    def stop(self) -> None:
        """Ends whatever is live."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None


def status(search: Search) -> tuple[float, str]:
    """(share of the budget used, one line)."""
    plan, elapsed = search.plan, search.elapsed
    done = search.dispatched
    shares = [done / plan.trials] if plan.trials else []
    if plan.timeout:
        shares.append(elapsed / plan.timeout)
    total = f"/{plan.trials}" if plan.trials else ""
    parts = [f"{done}{total} trials"]
    if not search.running and search.later is None and not done:
        parts.append("starting the workers")
    if search.later is not None:
        stages = Counter(row["stage"] for row in search.rows)
        parts += [f"rungs: {stages['rung']} trainings"] if stages["rung"] else []
        parts += [f"confirming: {stages['confirm']} trainings"] if not search.stages else []
    ranked = ranking(search.rows)
    if ranked:
        parts.append(f"best {ranked[0]['val_accuracy']:.2%} (trial {ranked[0]['trial']})")
    rows = search.rows[search.resumed :]
    fresh = sum(r["stage"] == "search" and r["status"] in ("ok", "pruned") for r in rows)
    since = search.clock() - search.began
    if fresh and search.later is None and not plan.simulated:
        parts.append(f"{60 * fresh / since:.1f} trials/min")
    share = min(1.0, max(shares, default=0.0))
    left = None
    if plan.timeout:
        left = plan.timeout - elapsed
    elif plan.trials and fresh:
        left = (plan.trials - done) * since / fresh
    if left is not None:
        parts.append(f"{clock(left)} left" if left > 0 else "finishing")
    return share, " · ".join(parts)


def header(plan: Plan) -> list[str]:
    """What is about to run, line by line."""
    name, place = plan.place
    lines = []
    if plan.table is not None:
        lines.append(f"table     {place}, {len(plan.table):,} rows; times are the table's")
    if name == "digits":
        lines += [
            "DIGITS: scikit-learn's 1,797 real 8x8 digits, shown as 3x32x32, because CIFAR-10 is not at hand."
            if plan.fallback
            else "DIGITS: scikit-learn's 1,797 real 8x8 digits, shown as 3x32x32.",
            "  Differences between good networks are noise on them, and the run is short: a look at the",
            "  engine, not at architectures. For real images: --data-dir FOLDER (with CIFAR-10 in it),",
            "  or --dataset FOLDER.",
        ]
    extent = "x".join(map(str, plan.shape))
    if plan.table is None:
        lines.append(
            f"data      {name}, {extent}, {plan.classes} classes ({place or 'bundled with scikit-learn'})"
        )
    window = ", ".join(f"{short(lo)}-{short(hi)} {n}" for n, (lo, hi) in plan.window.limits.items())
    lines.append(f"space     {plan.space.name}, preset {plan.preset}" + (f", {window}" if window else ""))
    count = plan.workers.count
    gpu = f", {plan.workers.gpus:g} GPU" if plan.workers.gpus else ""
    threads = f"{plan.workers.threads} thread" + ("s" if plan.workers.threads > 1 else "")
    each = "(simulated)" if plan.simulated else f"({plan.executor}), {threads}{gpu} each"
    lines.append(f"workers   {count} {each}; strategy {plan.strategy}, seed {plan.seed}")
    if plan.pool is not None:
        first = f"the best {plan.pool.first} go first" if plan.pool.first > 1 else "the best goes first"
        lines.append(f"pool      {plan.pool.size} random networks, ranked by {plan.pool.proxy}; {first}")
    if plan.rungs is not None:
        lines.append(f"rungs     {plan.rungs.describe(plan.goals)}")
    lines.append("goal      " + ", ".join(map(str, plan.goals)))
    if plan.table is None:
        lines.append(f"recipe    {plan.recipe.describe()}")
    budget = [f"{plan.trials} trials"] if plan.trials else []
    budget += [f"{clock(plan.timeout)} minutes"] if plan.timeout else []
    lines.append(
        f"budget    {', '.join(budget)}, confirming included"
        if plan.confirm
        else f"budget    {', '.join(budget)}"
    )
    named = list(plan.points)
    more = f" and {len(named) - 8} more" if len(named) > 8 else ""
    seeds = (", ".join(named[:8]) or "none") + more
    lines.append(f"seeds     {seeds}" + left_out(plan))
    lines.append(f"run       {plan.run}")
    return lines


def left_out(plan: Plan) -> str:
    """Which published points are no seed points."""
    found = plan.left_out
    if not found:
        return ""
    from cells.infer import infer

    costs = [f"{n} ({short(infer(g).macs)} MACs)" for n, g, _ in found if g is not None]
    return f"; outside space or window: {', '.join(costs[:2])}" + (
        f" and {len(found) - 2} more" if len(found) > 2 else ""
    )
