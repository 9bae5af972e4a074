"""Tables and the figure of what cut trainings save, from the committed rows alone."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.drawing import save
from experiments.multifidelity.run import BUDGET, FRONTS, SHARE, WORKERS
from nas.asha import ENDED

Rows = Sequence[Mapping[str, Any]]

POINTS = 300
"""Of the time axis."""


def heading(command: str) -> list[str]:
    """What this is, and how it is made again."""
    return [
        "# Trainings that are cut short",
        "",
        f"`{command}` made these tables and `regret.svg`",
        "from the Parquet files beside them. It goes on with what is there; `--report` writes the report",
        "alone. Learning curves and times are those that the surrogate of NAS-Bench-301 expects of DARTS",
        "cells over 98 epochs. The curves have no noise: on real ones all of this may save less.",
        "",
    ]


def searches(rows: Rows) -> list[str]:
    """Final values, and when a cut search has found what an uncut one finds."""
    found = curves(rows)
    ceiling = max(r["accuracy"] for r in rows)
    ends = {name: [end(search) for search in part.values()] for name, part in found.items()}
    goal = {s: statistics.mean(r["accuracy"] for r in e) for (s, cut), e in ends.items() if cut == "none"}
    lines = [
        "## Searches",
        "",
        f"{WORKERS} simulated workers; {BUDGET:,.0f} seconds without a scheduler, a {ordinal(SHARE)} of that",
        "with ASHA (rungs 1, 4, 11, 33, 98; reduction factor 3; one bracket). Regret: points of validation",
        f"accuracy below the best of all these searches, {100 * ceiling:.3f}%; mean and standard error over",
        "seeds. Last columns: the share of the uncut budget after which the mean of a search with ASHA is as",
        "high as the final mean without it, of random search and of the same strategy.",
        "",
        "| strategy | scheduler | seeds | seconds | trials | pruned | regret | random's | its own |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (strategy, scheduler), last in ends.items():
        regrets = [100 * (ceiling - r["accuracy"]) for r in last]
        error = statistics.stdev(regrets) / math.sqrt(len(regrets)) if len(regrets) > 1 else math.nan
        means = course(found[strategy, scheduler], last[0]["seconds"])
        targets = [goal.get("random"), goal.get(strategy) if scheduler != "none" else None]
        reached = [share(means, target) for target in targets]
        trials, pruned = (statistics.mean(r[name] for r in last) for name in ("trials", "pruned"))
        ran = f"{len(last)} | {last[0]['seconds']:,.0f} | {trials:.0f} | {pruned:.0f}"
        regret = f"{statistics.mean(regrets):.3f} ± {error:.3f}"
        lines.append(f"| {strategy} | {scheduler} | {ran} | {regret} | {' | '.join(reached)} |")
    return [*lines, ""]


def ordinal(share: int) -> str:
    """A third, a fourth ..."""
    return {2: "half", 3: "third"}.get(share, f"{share}th")


def curves(rows: Rows) -> dict[tuple[str, str], dict[int, list[Mapping[str, Any]]]]:
    """(strategy, scheduler) -> seed -> its rows in time."""
    found: dict[tuple[str, str], dict[int, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda r: (r["seconds"], r["trials"])):
        found[row["strategy"], row["scheduler"]][row["seed"]].append(row)
    order = {name: i for i, name in enumerate(dict.fromkeys(r["strategy"] for r in rows))}
    return dict(sorted(found.items(), key=lambda entry: (order[entry[0][0]], entry[0][1] != "none")))


def end(search: Rows) -> Mapping[str, Any]:
    """The row of a search's end."""
    return search[-1]


def course(searches: Mapping[int, Rows], seconds: float) -> list[tuple[float, list[float]]]:
    """The best of each search at points in time; from when on each has one."""
    begin = max(search[0]["seconds"] for search in searches.values())
    times = [BUDGET * i / POINTS for i in range(POINTS + 1)]
    found = []
    for time in [t for t in times if begin <= t <= seconds * (1 + 1e-9)]:
        best = [max(r["accuracy"] for r in search if r["seconds"] <= time) for search in searches.values()]
        found.append((time, best))
    return found


def share(means: Sequence[tuple[float, list[float]]], target: float | None) -> str:
    """The part of the budget after which the mean reaches a value; `never` within its own budget."""
    if target is None:
        return ""
    reached = next((t for t, best in means if statistics.mean(best) >= target), None)
    return "never" if reached is None else f"{reached / BUDGET:.2f}"


def fronts(rows: Rows) -> list[str]:
    """What the front pruned, and what of it wrongly."""
    if not rows:
        return []
    trials, pruned, wrong = (sum(r[name] for r in rows) for name in ("trials", "pruned", "wrong"))
    epochs = statistics.mean(r["epochs"] for r in rows)
    return [
        "## Several goals: what a front prunes",
        "",
        f"Accuracy and multiply-adds, random search, {FRONTS} trials each, {len(rows)} seeds; the rule",
        f"begins when {ENDED} trials have ended. A trial was pruned wrongly if, trained to its end, none of",
        "those that had ended when it was pruned would have been as good in both goals.",
        "",
        "| trials | pruned | wrongly, of all | wrongly, of the pruned | epochs trained |",
        "|---:|---:|---:|---:|---:|",
        f"| {trials:,} | {pruned / trials:.1%} | {wrong / trials:.2%} | {wrong / max(1, pruned):.2%} "
        f"| {epochs:.1%} |",
        "",
    ]


def extrapolation(rows: Rows) -> list[str]:
    """What extrapolated curves tell beside last values."""
    if not rows:
        return []
    methods = list(dict.fromkeys(r["method"] for r in rows))
    table: dict[tuple[str, int, int, int], dict[str, float]] = defaultdict(dict)
    for r in rows:
        table[r["source"], r["epochs"], r["epoch"], r["pairs"]][r["method"]] = r["right"]
    better = {
        m: (
            sum(t[m] > t[methods[0]] for t in table.values()),
            sum(t[m] < t[methods[0]] for t in table.values()),
        )
        for m in methods[1:]
    }
    counts = "; ".join(f"{m}: better in {up}, worse in {down}" for m, (up, down) in better.items())
    lines = [
        "## Are learning curves worth extrapolating?",
        "",
        "The share of pairs of networks that are put in the order in which they end, by the last value and",
        "by least-squares fits of c - a·x^-b (power law) and c - a·exp(-bx) (exponential) to all epochs so",
        "far. The surrogate's cells are random ones. NATS-Bench's curves are measured, of three networks",
        "with one to three seeds each: a pair there is little evidence. Ours are those of `proxy_fidelity`;",
        "two trainings of one network are no pair.",
        "",
        f"| curves | pairs | after epoch | {' | '.join(methods)} |",
        f"|---|---:|---:|{'---:|' * len(methods)}",
    ]
    for (source, epochs, epoch, pairs), right in table.items():
        cells = " | ".join(f"{right[m]:.3f}" for m in methods)
        lines.append(f"| {source} | {pairs:,} | {epoch} of {epochs} | {cells} |")
    return [*lines, "", f"Of {len(table)} comparisons with the last value: {counts}.", "", *VERDICT, ""]


VERDICT = [
    "Verdict: no. After few epochs a power law may see what the last value does not, but at later rungs,",
    "where a wrong cut costs most, it ranks worse, most clearly on the smooth curves of the surrogate. So",
    "rungs compare last values, and nothing extrapolates.",
]


def figure(rows: Rows, file: Path) -> None:
    """Mean regret over simulated time; bands: 95% of the mean."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    found = curves(rows)
    ceiling = max(r["accuracy"] for r in rows)
    names = list(dict.fromkeys(strategy for strategy, _ in found))
    figure, panel = plt.subplots(figsize=(7, 4.5))
    for (strategy, scheduler), part in found.items():
        points = course(part, end(next(iter(part.values())))["seconds"])
        colour, style = f"C{names.index(strategy)}", "--" if scheduler == "none" else "-"
        regrets = [[100 * (ceiling - a) for a in best] for _, best in points]
        means = [statistics.mean(r) for r in regrets]
        halves = [1.96 * statistics.stdev(r) / math.sqrt(len(r)) if len(r) > 1 else 0.0 for r in regrets]
        times = [t for t, _ in points]
        label = strategy if scheduler == "none" else f"{strategy}, ASHA"
        panel.plot(times, means, style, color=colour, lw=1.4, label=label)
        low, high = ([m + s * h for m, h in zip(means, halves, strict=True)] for s in (-1, 1))
        panel.fill_between(times, low, high, color=colour, alpha=0.15, lw=0)
    panel.set_xlabel(f"simulated seconds, {WORKERS} workers")
    panel.set_ylabel("regret, points of validation accuracy (mean, 95%)")
    panel.set_yscale("log")
    panel.legend(loc="upper right", frameon=False)
    figure.tight_layout()
    save(figure, file, "multifidelity")
