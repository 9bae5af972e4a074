"""`python -m experiments.searches`: what searches of real images find in the same time.

Each strategy searches with and without ASHA, from several seeds, for as much processor time (workers times
wall time) as every other. Inside that time its best network is trained anew, on all images and with two new
seeds: what is compared is that mean, not the accuracy for which it was chosen. (The best random network is
trained anew, too, as in every search, but is not compared: with it others than random search would have the
better of two.) Finished searches are kept, and one that was stopped goes on.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import flags
from experiments.drawing import save
from nas.cli import command, cores, duration, guard, positive

EXAMPLES = """\
  python -m experiments.searches --data-dir ../shared/data
  python -m experiments.searches --data-dir ../shared/data --only tpe --budget 4m --seeds 1 --run runs/brief
  python -m experiments.searches --report
"""

NAME = "searches"
FILE = "searches.parquet"
STRATEGIES = "random,tpe,evolution,bananas"
SCHEDULERS = ("none", "asha")

Row = Mapping[str, Any]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = command("experiments.searches", __doc__ or "", EXAMPLES)
    p.add_argument("--only", default=STRATEGIES, metavar="NAMES", help="strategies (default: %(default)s)")
    p.add_argument(
        "--budget",
        type=duration,
        default=1200.0,
        metavar="TIME",
        help="processor time of each search (default: 20m)",
    )
    p.add_argument("--seeds", type=positive, default=3, metavar="N", help="of each (default: %(default)s)")
    p.add_argument("--space", default="regnet", metavar="NAME", help="(default: %(default)s)")
    flags.training(p, NAME)
    return p


def search_all(given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Searches one seed after another, so that all have as many when it is stopped; yields a row of each."""
    from nas.api import run

    workers = given.workers or cores()
    for seed in range(given.seeds):
        for strategy in given.only.split(","):
            for scheduler in SCHEDULERS:
                folder = Path(given.run) / f"{strategy}-{scheduler}-{seed}"
                found = run(
                    given.space,
                    strategy=strategy,
                    scheduler=scheduler,
                    seed=seed,
                    dataset=given.dataset,
                    data_dir=given.data_dir,
                    timeout=given.budget / workers,
                    workers=workers,
                    executor=given.executor,
                    seed_points="none",
                    keep=0,
                    confirm=1,
                    run=str(folder),
                )
                settings = {"strategy": strategy, "scheduler": scheduler, "seed": seed}
                yield settings | summary(found.table().to_pylist(), given.budget, workers)


def summary(rows: Sequence[Row], budget: float, workers: int = 1) -> dict[str, Any]:
    """What one search comes to.

    Attributes of the result:
        spent: processor time until the last training ended, in seconds.
        accuracy: of the best network where it was chosen; confirmed: the mean of its later trainings.
        by_size: Spearman's rank correlation of the parameters of all that trained to the end with accuracy.
    """
    from scipy import stats

    from nas.results import by, confirmed, ranking

    ended = [r for r in rows if r["stage"] == "search" and r["status"] == "ok"]
    sizes, accuracies = [r["params"] for r in ended], [r["val_accuracy"] for r in ended]
    varied = len(set(sizes)) > 1 and len(set(accuracies)) > 1
    best = next(iter(ranking(rows)), None)
    mean, _, seeds = confirmed(rows).get(best["key"], (None, None, 0)) if best else (None, None, 0)
    return {
        "budget": budget,
        "spent": workers * max((row["elapsed"] for row in rows), default=0.0),
        "trained": len(ended),
        "pruned": sum(r["stage"] == "search" and r["status"] == "pruned" for r in rows),
        "failed": sum(r["status"] == "failed" for r in rows),
        "key": best and best["key"],
        "by": best and by(best),
        "params": best and best["params"],
        "macs": best and best["macs"],
        "accuracy": best and best["val_accuracy"],
        "confirmed": mean,
        "confirmed_seeds": seeds,
        "by_size": float(stats.spearmanr(sizes, accuracies).statistic) if varied else None,
        "device": rows[-1]["device"] if rows else None,
    }


def text(rows: Sequence[Row]) -> list[str]:
    """The findings as Markdown."""
    from scipy import stats

    budget = rows[0]["budget"]
    spent = [row["spent"] / 60 for row in rows]
    lines = [
        "# Searches of real images in the same time",
        "",
        f"`python -m experiments.searches` on {rows[0]['device']}:",
        f"{budget / 60:.0f} minutes of processor time for each search, confirming included, of which "
        f"{min(spent):.1f} to {max(spent):.1f} were used",
        "(a fifth is kept for confirming). Accuracies are of validation images, in percent; mean ± standard",
        "deviation over seeds. `confirmed`: the best network trained anew on all images, mean of two new",
        "seeds. Last column: beside random search without ASHA from the same seeds, with the 95% interval",
        "of the mean difference (Student's t).",
        "",
        "| strategy | scheduler | searches | trained | pruned | when chosen | confirmed | beside random |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    groups = grouped(rows)
    base = {r["seed"]: r["confirmed"] for r in groups.get(("random", "none"), ()) if r["confirmed"]}
    order = sorted(groups, key=lambda name: -statistics.mean(r["confirmed"] or 0.0 for r in groups[name]))
    for name in order:
        found = [r for r in groups[name] if r["confirmed"] is not None]
        trained, pruned = (statistics.mean(r[what] for r in groups[name]) for what in ("trained", "pruned"))
        apart = [r["confirmed"] - base[r["seed"]] for r in found if r["seed"] in base]
        beside = ""
        if name != ("random", "none") and len(apart) > 1:
            half = stats.t.ppf(0.975, len(apart) - 1) * statistics.stdev(apart) / math.sqrt(len(apart))
            beside = f"{100 * statistics.mean(apart):+.2f} ± {100 * half:.2f}"
        cells = [_spread([r[what] for r in found]) for what in ("accuracy", "confirmed")]
        lines.append(
            f"| {' | '.join(name)} | {len(groups[name])} | {trained:.0f} | {pruned:.0f} | "
            f"{' | '.join(cells)} | {beside} |"
        )
    sizes = [r["by_size"] for r in groups.get(("random", "none"), ()) if r["by_size"] is not None]
    if sizes:
        lines += [
            "",
            "The baseline that trains nothing: among the networks of random search the number of parameters",
            f"goes with accuracy at a rank correlation of {statistics.mean(sizes):+.2f}.",
        ]
    return [*lines, "", "![confirmed accuracies](confirmed.svg)", ""]


def grouped(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """(strategy, scheduler) -> its searches."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["strategy"], row["scheduler"]), []).append(row)
    return found


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.2f}{spread}"


def figure(rows: Sequence[Row], file: Path) -> None:
    """A point for each search, a bar for the mean."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    groups = grouped([r for r in rows if r["confirmed"] is not None])
    picture, panel = plt.subplots(figsize=(7, 0.45 * len(groups) + 1.4))
    for place, (name, found) in enumerate(reversed(groups.items())):
        accuracies = [100 * r["confirmed"] for r in found]
        panel.plot(accuracies, [place] * len(found), "o", alpha=0.6, color=f"C{SCHEDULERS.index(name[1])}")
        panel.plot([statistics.mean(accuracies)], [place], "|", ms=18, color="black")
    labels = [strategy if cut == "none" else f"{strategy}, {cut}" for strategy, cut in reversed(groups)]
    panel.set_yticks(range(len(groups)), labels)
    panel.set_xlabel("validation accuracy (%) of the best network, trained anew")
    picture.tight_layout()
    save(picture, file, "searches")


def kept(file: Path, budget: float) -> dict[tuple[int, str, str], Row]:
    """The searches of a table, which need not be there. Raises `UsageError` where they had another budget."""
    import pyarrow.parquet as pq

    from nas.options import UsageError

    rows = pq.read_table(file).to_pylist() if file.exists() else []
    for row in rows:
        if row["budget"] != budget:
            raise UsageError(
                f"--budget {budget:g}s: {file} has searches with {row['budget']:g}s: repeat it, "
                "or name another --run"
            )
    return {(row["seed"], row["strategy"], row["scheduler"]): row for row in rows}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from nas.options import UsageError

    given = arguments().parse_args(argv)
    out = flags.out(given, NAME)
    if not given.report:
        from rich.progress import Progress

        out.mkdir(parents=True, exist_ok=True)
        rows = kept(out / FILE, given.budget)
        count = given.seeds * len(given.only.split(",")) * len(SCHEDULERS)
        with Progress() as progress:
            bar = progress.add_task("searching", total=count)
            for row in search_all(given):
                rows[row["seed"], row["strategy"], row["scheduler"]] = row
                pq.write_table(pa.Table.from_pylist([*rows.values()]), out / FILE, compression="zstd")
                progress.update(bar, advance=1, description=f"{row['strategy']}, {row['scheduler']}")
    if not (out / FILE).exists():
        raise UsageError(f"--report: there is no {out / FILE}: search first")
    found = pq.read_table(out / FILE).to_pylist()
    (out / "README.md").write_text("\n".join(text(found)))
    figure(found, out / "confirmed.svg")
    print("\n".join(text(found)))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
