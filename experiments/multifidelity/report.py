"""Tables and the figure of what cut trainings save, from the committed rows alone."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.drawing import save
from experiments.multifidelity.run import BUDGET, EXTRAPOLATED, FRONTS, SHARE, TOP, WORKERS
from nas.asha import ENDED

Rows = Sequence[Mapping[str, Any]]

POINTS = 300
"""Of the time axis."""

PAIRS = 27
"""With fewer pairs, a comparison is of three or four networks with one or two trainings each."""


def heading(commands: Sequence[str]) -> list[str]:
    """What this is, and how it is made again."""
    return [
        "# Trainings that are cut short",
        "",
        f"{', then '.join(f'`{command}`' for command in commands)} ran the searches.",
        "A run goes on with what is there; `--report` only writes this report and `regret.svg` again, of the",
        "Parquet files beside them. Learning curves and times are those that the surrogate of NAS-Bench-301",
        "expects of DARTS cells over 98 epochs. The curves have no noise: on real ones all of this may save",
        "less.",
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
        "high as the final mean without it, of random search and of the same strategy. Extrapolated: at",
        "rungs before a third of the epochs ASHA compares where curves end if they rise by log(epoch).",
        "",
        "| strategy | scheduler | seeds | seconds | trials | pruned | regret | random's | its own |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for (strategy, scheduler), last in ends.items():
        regrets = [100 * (ceiling - r["accuracy"]) for r in last]
        means = course(found[strategy, scheduler], last[0]["seconds"])
        targets = [goal.get("random"), goal.get(strategy) if scheduler != "none" else None]
        reached = [share(means, target) for target in targets]
        trials, pruned = (statistics.mean(r[name] for r in last) for name in ("trials", "pruned"))
        ran = f"{len(last)} | {last[0]['seconds']:,.0f} | {trials:.0f} | {pruned:.0f}"
        lines.append(f"| {strategy} | {scheduler} | {ran} | {mean(regrets)} | {' | '.join(reached)} |")
    return [*lines, "", *_extrapolated(ends)]


def _extrapolated(ends: Mapping[tuple[str, str], Rows]) -> list[str]:
    """What it adds that ASHA compares extrapolated curves, within seeds."""
    lines = []
    for (strategy, scheduler), last in ends.items():
        if scheduler == EXTRAPOLATED and (strategy, "asha") in ends:
            other = {r["seed"]: r["accuracy"] for r in ends[strategy, "asha"]}
            gains = [100 * (r["accuracy"] - other[r["seed"]]) for r in last if r["seed"] in other]
            apart = f"{mean(gains, '+')} points ({len(gains)} seeds)"
            lines += [f"Extrapolated beside last values, {strategy}: {apart} of validation accuracy.", ""]
    return lines


def error(values: Sequence[float]) -> float:
    """The standard error of the mean; nan for that of one value."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def mean(values: Sequence[float], sign: str = "") -> str:
    """The mean and its standard error."""
    return f"{statistics.mean(values):{sign}.3f} ± {error(values):.3f}"


def ordinal(share: int) -> str:
    """A third, a fourth ..."""
    return {2: "half", 3: "third"}.get(share, f"{share}th")


def curves(rows: Rows) -> dict[tuple[str, str], dict[int, list[Mapping[str, Any]]]]:
    """(strategy, scheduler) -> seed -> its rows in time."""
    found: dict[tuple[str, str], dict[int, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda r: (r["seconds"], r["trials"])):
        found[row["strategy"], row["scheduler"]][row["seed"]].append(row)
    order = {name: i for i, name in enumerate(dict.fromkeys(r["strategy"] for r in rows))}
    return dict(
        sorted(found.items(), key=lambda entry: (order[entry[0][0]], entry[0][1] != "none", entry[0][1]))
    )


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
    lines = [
        "## Several goals: what a front prunes",
        "",
        f"Accuracy and multiply-adds, {FRONTS} trials a search. Pruning begins when {ENDED} trials have",
        "ended. From then on a trial is wanted if, trained to its end, none of those that had ended by then",
        "would have been as good in both goals; if it was pruned all the same, that was wrong. Many a wanted",
        "trial is beaten later: the final front is that of all trials, had all been trained to their ends.",
        "",
        "| strategy | seeds | trials | pruned | wrong, of the pruned | wrong, of the wanted "
        "| final front that was pruned | epochs trained |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for strategy, part in grouped(rows, "strategy").items():
        trials, pruned, wrong, wanted, front, lost = (
            sum(r[name] for r in part) for name in ("trials", "pruned", "wrong", "wanted", "front", "lost")
        )
        rates = " | ".join(
            f"{some / max(1, of):.1%} ({some:,} of {of:,})"
            for some, of in ((pruned, trials), (wrong, pruned), (wrong, wanted), (lost, front))
        )
        epochs = statistics.mean(r["epochs"] for r in part)
        lines.append(f"| {strategy} | {len(part)} | {trials:,} | {rates} | {epochs:.1%} |")
    return [*lines, ""]


def grouped(rows: Rows, name: str) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by what a column says, in the order in which it first says it."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found


def told(rows: Rows) -> list[str]:
    """What the value of a pruned trial is worth."""
    if not rows:
        return []
    methods = {name: sorted(part, key=_search) for name, part in grouped(rows, "method").items()}
    first = next(iter(methods))
    lines = [
        "## What a pruned trial's value is worth",
        "",
        f"Strategies are told the accuracy at the last rung that a trial reached ({first}). Of searches with",
        f"ASHA ({', '.join(grouped(rows, 'strategy'))}; {len(methods[first])} seeds): Spearman's correlation",
        "of what could be told with accuracies at full length, and the mean share of trials that have less",
        f"at full length than each of the {TOP} told highest; mean and standard error over seeds. A gain is",
        "that from the rung to the end, the mean of the trials that were trained to theirs: so far, which a",
        "search knows, or in the whole search, which it does not. Differences are within a seed.",
        "",
        f"| told | correlation | beside {first} | share below the highest | beside {first} |",
        "|---|---:|---:|---:|---:|",
    ]
    apart: dict[str, list[str]] = {"better": [], "worse": []}
    for method, part in methods.items():
        cells = []
        for name, what in (("rho", "correlation"), ("top", "share")):
            gains = [r[name] - other[name] for r, other in zip(part, methods[first], strict=True)]
            cells += [mean([r[name] for r in part]), "" if method == first else mean(gains, "+")]
            if abs(statistics.mean(gains)) > 2 * error(gains):
                apart["better" if sum(gains) > 0 else "worse"].append(f"{method} ({what})")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    said = "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in apart.items())
    return [*lines, "", f"By more than two standard errors beside {first}, {said}.", ""]


def _search(row: Mapping[str, Any]) -> tuple[str, int]:
    return row["strategy"], row["seed"]


def extrapolation(rows: Rows) -> list[str]:
    """What extrapolated curves tell beside last values."""
    if not rows:
        return []
    methods = list(grouped(rows, "method"))
    table: dict[tuple[str, int, int, int], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for r in rows:
        table[r["source"], r["epochs"], r["epoch"], r["pairs"]][r["method"]] = r
    lines = [
        "## Are learning curves worth extrapolating?",
        "",
        "The share of pairs of networks that are put in the order in which they end, and after the comma the",
        "mean absolute error in points, by the last value and by least-squares fits of c - a·x^-b (power",
        "law) and c - a·exp(-bx) (exponential) to all epochs so far; with one exponent, b is that which fits",
        "all curves of a set best. The surrogate's cells are random ones. NATS-Bench's curves are measured,",
        "of few networks with few seeds each: a pair there is little evidence. Ours are those of",
        "`proxy_fidelity`. Two trainings of one network are no pair.",
        "",
        f"| curves | pairs | after epoch | {' | '.join(methods)} |",
        f"|---|---:|---:|{'---:|' * len(methods)}",
    ]
    for (source, epochs, epoch, pairs), found in table.items():
        cells = " | ".join(f"{found[m]['right']:.3f}, {found[m]['error']:.1f}" for m in methods)
        lines.append(f"| {source} | {pairs:,} | {epoch} of {epochs} | {cells} |")
    return [*lines, "", *verdict(list(table.values()), *methods)]


def verdict(comparisons: Sequence[Mapping[str, Mapping[str, Any]]], last: str, *methods: str) -> list[str]:
    """In how many comparisons each method ranks better and worse than the last value, and what follows."""
    many = [found for found in comparisons if found[last]["pairs"] >= PAIRS]
    early = [found for found in many if 3 * found[last]["epoch"] < found[last]["epochs"]]
    late = [found for found in many if 3 * found[last]["epoch"] >= found[last]["epochs"]]
    before, after = "before a third of the epochs", "after a third of the epochs or more"
    parts = {
        "all": comparisons,
        f"at least {PAIRS} pairs": many,
        f"of these, {before}": early,
        f"of these, {after}": late,
    }
    lines = [
        f"Of comparisons with the {last}, those in which a method ranks better, and worse:",
        "",
        f"| comparisons | number | {' | '.join(methods)} |",
        f"|---|---:|{'---:|' * len(methods)}",
    ]
    for name, part in parts.items():
        counts = " | ".join("{}, {}".format(*counted(part, last, m)) for m in methods)
        lines.append(f"| {name} | {len(part)} | {counts} |")
    said = []
    for when, part in ((before, early), (after, late)):
        ahead = [m for m in methods if (count := counted(part, last, m))[0] > count[1]]
        said.append(f"{when}: {'; '.join(ahead) or 'none'}.")
    return [
        *lines,
        "",
        f"Verdict: which method ranks better than the {last} more often than worse, of the comparisons with",
        f"at least {PAIRS} pairs that are",
        "",
        *(f"- {line}" for line in said),
        "",
        "Comparisons of one set of curves are not independent. The rungs of a search compare last values.",
        "",
    ]


def counted(
    comparisons: Sequence[Mapping[str, Mapping[str, Any]]], last: str, method: str
) -> tuple[int, int]:
    """In how many comparisons a method ranks better than the last value, and worse."""
    apart = [found[method]["right"] - found[last]["right"] for found in comparisons]
    return sum(a > 0 for a in apart), sum(a < 0 for a in apart)


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
        styles = {"none": "--", "asha": "-"}
        colour, style = f"C{names.index(strategy)}", styles.get(scheduler, ":")
        regrets = [[100 * (ceiling - a) for a in best] for _, best in points]
        means = [statistics.mean(r) for r in regrets]
        halves = [1.96 * statistics.stdev(r) / math.sqrt(len(r)) if len(r) > 1 else 0.0 for r in regrets]
        times = [t for t, _ in points]
        label = strategy if scheduler == "none" else f"{strategy}, {scheduler.replace('asha', 'ASHA')}"
        panel.plot(times, means, style, color=colour, lw=1.4, label=label)
        low, high = ([m + s * h for m, h in zip(means, halves, strict=True)] for s in (-1, 1))
        panel.fill_between(times, low, high, color=colour, alpha=0.15, lw=0)
    panel.set_xlabel(f"simulated seconds, {WORKERS} workers")
    panel.set_ylabel("regret, points of validation accuracy (mean, 95%)")
    panel.set_yscale("log")
    panel.legend(loc="upper right", frameon=False)
    figure.tight_layout()
    save(figure, file, "multifidelity")
