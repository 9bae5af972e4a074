"""The recipes that are compared, and their trainings: one run directory for each."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.proxy_fidelity.compare import Finding, compare

if TYPE_CHECKING:
    from nas.planning import Plan

MOST = 128
"""Networks that there are."""

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
