"""`python -m experiments.proxy_fidelity`: how far a brief training ranks networks as a long one does.

Random networks of AnyNet A and RegNet, together, are trained by a long recipe with two seeds, and by brief
ones: that of a search, one, two and five epochs, and variants that cost as much as one epoch: other numbers
of images, smaller images, other learning rates, another initialisation. After half of the networks the
variants are halved: those whose ranking is furthest from the long one's drop out.

The table says for each recipe Kendall's tau-b with the long ranking (with 95% intervals over networks, by the
bootstrap), how many of the long recipe's best tenth are in its own, and what it costs; beside them parameters
and multiply-adds, which need no training, and the long recipe's own second seed, which is the ceiling.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from experiments import flags
from experiments.drawing import save
from nas.cli import command, duration, guard, positive

if TYPE_CHECKING:
    from nas.planning import Plan

NAME = "proxy_fidelity"
FILE = "trainings.parquet"
MOST = 128
"""Networks that there are."""

EXAMPLES = """\
  python -m experiments.proxy_fidelity --data-dir ../shared/data --budget 2h
  python -m experiments.proxy_fidelity --preset gpu --nets 96 --workers 4 --data-dir DIR
  python -m experiments.proxy_fidelity --report
"""


EPOCH: dict[str, Any] = {"epochs": 1, "train_images": None}
"""One epoch of all images."""


@dataclass(frozen=True)
class Variant:
    """A recipe that is compared with the long one.

    Attributes:
        changes: fields of a search's recipe, made one epoch of all images.
        kept: it stays when variants are halved.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    kept: bool = False
    seed: int = 0


def variants(images: int, side: int, lr: float, batch: int) -> list[Variant]:
    """All of them.

    Args:
        images: to train on; side: of them, in pixels; lr, batch: of the recipe of one epoch.
    """
    per_epoch = images // batch
    small = 3 * side // 4
    return [
        Variant("1 epoch", kept=True),
        Variant("2 epochs", {"epochs": 2}, kept=True),
        Variant("5 epochs", {"epochs": 5}, kept=True),
        Variant("3 epochs of a third", {"epochs": 3, "train_images": images // 3}),
        Variant("9 epochs of a ninth", {"epochs": 9, "train_images": images // 9}),
        Variant(f"{small} pixels", {"side": small, "steps": round(per_epoch * (side / small) ** 2)}),
        Variant(f"lr {lr / 4:g}", {"lr": lr / 4}),
        Variant(f"lr {2 * lr:g}", {"lr": 2 * lr}),
        Variant("default initialisation", {"init": "default"}),
    ]


def longs(epochs: int, seeds: int) -> list[Variant]:
    """The long recipe with each seed."""
    return [Variant(f"long, seed {seed}", {"epochs": epochs}, seed=seed) for seed in range(seeds)]


def _is_long(recipe: str) -> bool:
    return recipe.startswith("long")


# -- Training ------------------------------------------------------------------------------------------------


def base(given: argparse.Namespace) -> Plan:
    """The plan of a search, on as many networks of A and RegNet as are asked for."""
    from experiments.regnet_reduction import ladder
    from nas.options import Options
    from nas.planning import plan
    from nas.strategies import Proposal

    assert ladder.PRESETS
    made = plan(
        Options(
            space="ladder",
            preset=f"{given.preset}-pair",
            strategy="random:stratify=space",
            trials=given.nets,
            seed_points="none",
            keep=0,
            confirm=0,
            dataset=given.dataset,
            data_dir=given.data_dir,
            workers=given.workers,
            run=str(Path(given.run) / "base"),
        )
    )
    strategy = made.searcher(made.problem())
    nets = [strategy.ask(trial) for trial in range(MOST)]  # always all, so that a run can get more of them
    points = {f"{i}": net.choices for i, net in enumerate(nets) if isinstance(net, Proposal)}
    return dataclasses.replace(made, points=points, latency=None, trial_timeout=math.inf)


def train(plan: Plan, folder: Path, variant: Variant, count: int, deadline: float) -> None:
    """Trains the first networks by a variant, in this process, from where it was left.

    Args:
        deadline: of the clock, in seconds since the epoch, after which no training begins.
    """
    from experiments.regnet_reduction.run import elapsed
    from nas.launch import launch
    from nas.progress import Reporter

    left = deadline - time.time()
    if left <= 0:
        return
    run = folder / variant.name.replace(" ", "-").replace(",", "")
    reporter = Reporter()
    reporter.live = False  # other processes write beside this one
    reporter.line(f"{variant.name}: {count} networks")
    launch(
        dataclasses.replace(
            plan,
            run=run,
            recipe=dataclasses.replace(plan.recipe, name=variant.name, **(EPOCH | variant.changes)),
            trials=count,
            seed=variant.seed,
            timeout=elapsed(run) + left if left < math.inf else None,
            executor="local",
            workers=dataclasses.replace(plan.workers, count=1),
        ),
        reporter,
    )


def train_all(given: argparse.Namespace) -> None:
    """Trains by two stages, the second with all networks and half of the variants that may drop out.

    Each worker takes a whole recipe, the long ones last, so that they end together and with equally many
    networks where the budget ends before them.
    """
    from experiments.regnet_reduction.run import elapsed
    from nas import sources

    plan, folder = base(given), Path(given.run)
    brief, images = plan.recipe, sources.count(plan.place) - plan.recipe.val_images
    alive = [
        Variant("a search's", {"epochs": brief.epochs, "train_images": brief.train_images}, kept=True),
        *variants(images, plan.shape[1], brief.lr, brief.batch),
    ]
    spent = sum(elapsed(run) for run in folder.glob("*")) / plan.workers.count
    deadline = time.time() + given.budget - spent if given.budget else math.inf
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(plan.workers.count, mp_context=spawn) as pool:
        for size in dict.fromkeys((math.ceil(given.nets / 2), given.nets)):
            todo = [*alive, *longs(given.long, given.seeds)]
            waiting = [pool.submit(train, plan, folder, variant, size, deadline) for variant in todo]
            try:
                for future in as_completed(waiting):
                    future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)  # or the first error would be told after the last training
                raise
            stage = [row for row in gather(folder) if row["trial"] < size]  # a run that goes on has more
            alive = halved(alive, compare(stage, repeats=0))


def halved(alive: Sequence[Variant], findings: Sequence[Finding]) -> list[Variant]:
    """The variants without those whose ranking is furthest from the long one's: half of what may drop out."""
    taus = {finding.name: finding.tau for finding in findings}
    free = [variant for variant in alive if not variant.kept and variant.name in taus]
    free.sort(key=lambda variant: -taus[variant.name])
    dropped = {variant.name for variant in free[math.ceil(len(free) / 2) :]}
    return [variant for variant in alive if variant.name not in dropped]


# -- The table -----------------------------------------------------------------------------------------------


def gather(folder: Path) -> list[dict[str, Any]]:
    """One row for each training that lies in a folder."""
    from nas.store import Run

    taken = (
        *("trial", "key", "genome", "choices", "params", "macs", "depth", "curve", "val_accuracy"),
        *("train_seconds", "seed", "device", "versions"),
    )
    return [
        {
            "recipe": json.loads(row["recipe"])["name"],
            "design_space": json.loads(row["choices"])["space"],
            "settings": row["recipe"],
            **{name: row[name] for name in taken},
        }
        for file in sorted(folder.glob("*/trials.arrows"))
        for row in Run(file.parent).table().to_pylist()
        if row["status"] == "ok"
    ]


@dataclass(frozen=True)
class Finding:
    """How well a recipe ranks networks.

    Attributes:
        nets: that it and the long recipe have trained.
        tau: Kendall's tau-b with the long recipe, the mean over its seeds; low, high: its 95% interval.
        recall: share of the long recipe's best tenth that is in its best tenth.
        seconds: of training steps, for one network in the mean.
    """

    name: str
    nets: int
    tau: float
    low: float
    high: float
    recall: float
    seconds: float


def compare(rows: Sequence[Mapping[str, Any]], repeats: int = 2000) -> list[Finding]:
    """The recipes beside the long one, its own second seed, and costs that need no training."""
    by_recipe: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        by_recipe.setdefault(row["recipe"], {})[row["key"]] = row
    seeds = [by_recipe[name] for name in by_recipe if _is_long(name)]
    if not seeds:
        return []
    truths = [{key: float(row["val_accuracy"]) for key, row in seed.items()} for seed in seeds]
    scores: dict[str, dict[str, float]] = {
        name: {key: row["val_accuracy"] for key, row in found.items()}
        for name, found in by_recipe.items()
        if not _is_long(name)
    }
    for cost in ("params", "macs"):
        scores[cost] = {key: row[cost] for key, row in seeds[0].items()}
    findings = [
        _finding(name, found, truths, _mean_seconds(by_recipe.get(name, {})), repeats)
        for name, found in scores.items()
    ]
    if len(seeds) > 1:
        one, other = truths
        findings.append(
            _finding("long, one seed beside another", other, [one], _mean_seconds(seeds[1]), repeats)
        )
    return [finding for finding in findings if finding.nets >= FEW]


FEW = 4
"""Networks below which nothing is ranked."""


def _mean_seconds(found: Mapping[str, Mapping[str, Any]]) -> float:
    return float(np.mean([row["train_seconds"] for row in found.values()])) if found else 0.0


def _finding(
    name: str,
    scores: Mapping[str, float],
    truths: Sequence[Mapping[str, float]],
    seconds: float,
    repeats: int,
) -> Finding:
    keys = sorted(set(scores).intersection(*truths))
    if len(keys) < FEW:
        return Finding(name, len(keys), math.nan, math.nan, math.nan, math.nan, seconds)
    x, *ys = (np.array([some[key] for key in keys]) for some in (scores, *truths))

    def tau(chosen: Any) -> float:
        taus = [stats.kendalltau(x[chosen], y[chosen]).statistic for y in ys]
        return float(np.mean(np.nan_to_num(taus)))  # equal scores rank nothing

    rng = np.random.default_rng(0)
    taus = [tau(rng.integers(len(keys), size=len(keys))) for _ in range(repeats)]
    low, high = np.quantile(taus, [0.025, 0.975]) if taus else (math.nan, math.nan)
    tenth = math.ceil(len(keys) / 10)
    mine, *best = (set(np.argsort(-values, kind="stable")[:tenth].tolist()) for values in (x, *ys))
    recall = float(np.mean([len(mine & theirs) / tenth for theirs in best]))
    return Finding(name, len(keys), tau(slice(None)), float(low), float(high), recall, seconds)


def deviations(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Standard deviations of long accuracies: over seeds of one network, and of networks' means."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if _is_long(row["recipe"]):
            found.setdefault(row["key"], []).append(row["val_accuracy"])
    pairs = [accuracies for accuracies in found.values() if len(accuracies) > 1]
    means = [statistics.mean(accuracies) for accuracies in found.values()]
    noise = math.sqrt(statistics.mean(map(statistics.variance, pairs))) if pairs else math.nan
    return noise, statistics.stdev(means) if len(means) > 1 else math.nan


# -- The report ----------------------------------------------------------------------------------------------


def text(rows: Sequence[Mapping[str, Any]], findings: Sequence[Finding]) -> list[str]:
    """The findings as Markdown."""
    longest = max(json.loads(row["settings"])["epochs"] for row in rows if _is_long(row["recipe"]))
    lines = [
        "# How far brief training can be trusted",
        "",
        f"`python -m experiments.proxy_fidelity` on {rows[0]['device']}: networks of AnyNet A and RegNet, "
        f"ranked beside {longest} epochs. Seconds are those of training steps for one network. Of few "
        "networks resamples vary too little: where no pair is out of order, none is in any of them.",
        "",
        "| recipe | networks | tau-b, 95% interval | best tenth found | seconds | tau per minute |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for f in sorted(findings, key=lambda f: -f.tau):
        rate = f"{60 * f.tau / f.seconds:.2f}" if f.seconds else ""
        lines.append(
            f"| {f.name} | {f.nets} | {f.tau:+.2f} ({f.low:+.2f} to {f.high:+.2f}) | {f.recall:.0%} "
            f"| {f.seconds:.0f} | {rate} |"
        )
    noise, spread = deviations(rows)
    if not math.isnan(noise):
        lines += [
            "",
            f"After {longest} epochs validation accuracies of networks have a standard deviation of "
            f"{100 * spread:.2f} points, two seeds of one network of {100 * noise:.2f}.",
        ]
    if not findings:
        lines.append(
            f"\nFewer than {FEW} networks are trained by the long recipe and another: nothing is ranked."
        )
    trained = [f for f in findings if f.seconds and not _is_long(f.name)]
    trained = [f for f in trained if f.nets == max(g.nets for g in trained)]
    if trained:
        best = max(trained, key=lambda f: f.tau / f.seconds)
        near = [f.name for f in trained if f is not best and f.high >= best.low]
        lines += [
            "",
            f"Best tau per second of those with {best.nets} networks: {best.name}. "
            + (f"Intervals of tau overlap with it: {', '.join(near)}." if near else ""),
            "",
            "![tau of each recipe](tau.svg)",
        ]
    return [*lines, ""]


def figure(findings: Sequence[Finding], file: Path) -> None:
    """Tau with intervals, cheapest recipe first; the ceiling as a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    picture, panel = plt.subplots(figsize=(7, 0.35 * len(findings) + 1.2))
    ranked = sorted(findings, key=lambda f: (f.seconds, f.tau))
    for place, f in enumerate(ranked):
        color = "grey" if _is_long(f.name) or not f.seconds else "C0"
        panel.plot([f.low, f.high], [place, place], "|-", color=color)
        panel.plot(f.tau, place, "o", color=color)
        if _is_long(f.name):
            panel.axvline(f.tau, ls="--", color="grey")
    names = [f"{f.name}, {f.seconds:.0f} s" if f.seconds else f"{f.name}, untrained" for f in ranked]
    panel.set_yticks(range(len(ranked)), [f"{n} ({f.nets})" for n, f in zip(names, ranked, strict=True)])
    panel.set_xlim(-1.05, 1.05)
    panel.set_xlabel("tau-b with the long ranking, 95% interval (networks in brackets)")
    panel.invert_yaxis()
    picture.tight_layout()
    save(picture, file, "proxy_fidelity")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = command("experiments.proxy_fidelity", __doc__ or "", EXAMPLES)
    p.add_argument("--preset", choices=("laptop", "gpu"), default="laptop", help="of the networks' ranges")
    p.add_argument("--nets", type=positive, default=8, metavar="N", help="(default: %(default)s)")
    p.add_argument("--long", type=positive, default=30, metavar="N", help="epochs (default: %(default)s)")
    p.add_argument("--seeds", type=int, choices=(1, 2), default=2, help="of the long recipe (default: 2)")
    p.add_argument("--budget", type=duration, metavar="TIME", help="of all training, such as 2h")
    flags.training(p, NAME, executor=False)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    from nas.options import UsageError

    p = arguments()
    given = p.parse_args(argv)
    if given.nets > MOST:
        p.error(f"argument --nets: there are {MOST}")
    out = flags.out(given, NAME)
    if not given.report:
        train_all(given)
        out.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(gather(Path(given.run))), out / FILE, compression="zstd")
    if not (out / FILE).exists():
        raise UsageError(f"--report: there is no {out / FILE}: train the networks first")
    rows = pq.read_table(out / FILE).to_pylist()
    if not any(_is_long(row["recipe"]) for row in rows):
        raise UsageError(f"{out / FILE} has no network that was trained by the long recipe")
    findings = compare(rows)
    lines = text(rows, findings)
    (out / "README.md").write_text("\n".join(lines))
    figure(findings, out / "tau.svg")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
