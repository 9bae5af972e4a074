"""`python -m experiments.transfer`: a network found on five classes, brought to five others with few images.

Searches on CIFAR-10's first five classes, trains the winner there, and transfers it to the other five classes
with 50 images of each, in five ways:

- from scratch, and from scratch for three times as long;
- a linear classifier on frozen features, of the last and of an earlier stage;
- nearest neighbours among the features of the last stage;
- fine-tuning, with the learning rates of the lectures.

Every training is a run directory below --run, so that an interrupted experiment goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import multiprocessing
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nas
from nas import sources
from nas.cli import command, cores, duration, guard, positive
from nas.sources import Images
from nas.store import Run

if TYPE_CHECKING:
    from nas.training import TrainPlan, Wishes

EXAMPLES = """\
  python -m experiments.transfer --data-dir ../shared/data
  python -m experiments.transfer --data-dir ../shared/data --search 30 --seeds 2 --out somewhere
"""


def arguments() -> argparse.ArgumentParser:
    p = command("experiments.transfer", __doc__ or "", EXAMPLES)
    p.add_argument("--data-dir", metavar="DIR", help="where CIFAR-10 lies")
    p.add_argument("--search", type=duration, default=150.0, metavar="TIME", help="(default: 150 s)")
    p.add_argument(
        "--epochs", type=positive, default=12, metavar="N", help="on the first five classes (default: 12)"
    )
    p.add_argument(
        "--few-epochs", type=positive, default=60, metavar="N", help="on the few images (default: 60)"
    )
    p.add_argument("--per-class", type=positive, default=50, metavar="N", help="images of each (default: 50)")
    p.add_argument("--seeds", type=positive, default=5, metavar="N", help="samples of images (default: 5)")
    p.add_argument("--stage", default="stage3", metavar="PART", help="the earlier stage (default: stage3)")
    p.add_argument(
        "--run",
        type=Path,
        default=Path("runs/transfer"),
        metavar="DIR",
        help="run directories; what is there is continued (default: %(default)s)",
    )
    p.add_argument(
        "--out",
        type=Path,
        default=Path("experiments/results/transfer"),
        metavar="DIR",
        help="where table and text go (default: %(default)s)",
    )
    return p


def of_classes(images: Images, classes: Sequence[int]) -> Images:
    """The images of these classes, which become 0, 1, ..."""
    import numpy as np

    chosen = np.flatnonzero(np.isin(images.labels, classes))
    labels = np.searchsorted(np.asarray(classes), images.labels[chosen])
    names = tuple(images.classes[c] for c in classes)
    return Images(images.name, images.pixels[chosen], labels.astype(np.int64), names, images.source)


def sampled(images: Images, per_class: int, seed: int) -> Images:
    """So many random images of each class."""
    import numpy as np

    rng = np.random.default_rng(seed)
    parts = [
        rng.permutation(np.flatnonzero(images.labels == c))[:per_class] for c in range(len(images.classes))
    ]
    chosen = np.sort(np.concatenate(parts))
    return dataclasses.replace(images, pixels=images.pixels[chosen], labels=images.labels[chosen])


def write_parquet(images: Images, file: Path) -> None:
    """Images as PNG beside the names of their classes, as `--dataset` reads them."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    contents = []
    for pixels in images.pixels:
        buffer = io.BytesIO()
        Image.fromarray(pixels.transpose(1, 2, 0)).save(buffer, "png", compress_level=1)
        contents.append(buffer.getvalue())
    # The number before the name keeps the order of the classes.
    labels = [f"{label}-{images.classes[label]}" for label in images.labels]
    pq.write_table(pa.table({"img": contents, "label": labels}), file)


def prepare(given: argparse.Namespace) -> None:
    """Writes two data sets of five classes each."""
    folders = (source_of(given), target_of(given))
    if all((folder / "test.parquet").exists() for folder in folders):
        return
    place = sources.locate("cifar10", given.data_dir)
    for part in ("train", "test"):
        images = sources.load(place, part)
        for folder, classes in zip(folders, (range(5), range(5, 10)), strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            write_parquet(of_classes(images, classes), folder / f"{part}.parquet")


NEIGHBOURS = "nearest neighbours, last stage"
WAYS = (
    "from scratch",
    "from scratch, three times as long",
    "linear classifier, earlier stage",
    "linear classifier, last stage",
    NEIGHBOURS,
    "fine-tuned",
)


def wishes(way: str, given: argparse.Namespace, network: str, weights: Path) -> Wishes:
    """What `nas.train` is asked for."""
    from nas.training import Wishes
    from nas.transfer import LECTURE

    init = str(weights)
    changes: dict[str, dict[str, Any]] = {
        "from scratch": {"epochs": given.few_epochs},
        "from scratch, three times as long": {"epochs": 3 * given.few_epochs},
        "linear classifier, earlier stage": {"init": init, "linear": given.stage},
        "linear classifier, last stage": {"init": init, "linear": "head"},
        NEIGHBOURS: {"init": init, "linear": "head"},
        "fine-tuned": {"epochs": given.few_epochs, "init": init, "lr_factor": LECTURE},
    }
    few = (("batch", "32"), ("lr", "0.1"))
    return Wishes(network, dataset=str(target_of(given)), val_images=0, settings=few, **changes[way])


def source_of(given: argparse.Namespace) -> Path:
    return Path(given.run / "first-five")


def target_of(given: argparse.Namespace) -> Path:
    return Path(given.run / "other-five")


def go(way: str, seed: int, given: argparse.Namespace, network: str, weights: Path) -> dict[str, Any]:
    """Goes one way with one sample of images; returns a row."""
    from nas.final import train
    from nas.training import plan
    from nas.watching import Watcher

    began = time.monotonic()
    settled = plan(wishes(way, given, network, weights))
    few = sampled(settled.images, given.per_class, seed)
    if way == NEIGHBOURS:
        accuracy = neighbours(settled, few, seed)
    else:
        label = way.replace(", ", "-").replace(" ", "-")
        run = given.run / label / str(seed)
        settled = dataclasses.replace(settled, run=run, images=few, seeds=(seed,))
        accuracy = train(settled, Watcher(1, quiet=True))[0]["test_accuracy"]
    return {"way": way, "seed": seed, "test_accuracy": accuracy, "seconds": time.monotonic() - began}


def neighbours(plan: TrainPlan, few: Images, seed: int) -> float:
    """Accuracy on the test images of the nearest of the few images, by the angle between features."""
    import torch
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KNeighborsClassifier

    from nas.data import split
    from nas.final import normalised_as, prepared
    from nas.linear import features
    from nas.transfer import head

    module, _ = prepared(plan, seed)
    test = sources.load(plan.place, "test")
    data = normalised_as(plan.init, split(few, plan.recipe, torch.device("cpu")))
    layer = head(plan.genome)
    x, known = (
        features(module, layer, pixels, data, plan.recipe)
        for pixels in (torch.from_numpy(test.pixels), data.x)
    )
    search = GridSearchCV(KNeighborsClassifier(metric="cosine"), {"n_neighbors": (1, 3, 5, 10, 20)}, cv=5)
    search.fit(known, data.y.numpy())
    return float(search.score(x, test.labels))


def train_source(given: argparse.Namespace, network: str) -> dict[str, Any]:
    """Trains the winner on the first five classes; returns the row."""
    from nas.final import train
    from nas.training import Wishes, plan
    from nas.watching import Watcher

    settled = plan(Wishes(network, dataset=str(source_of(given)), epochs=given.epochs))
    return train(dataclasses.replace(settled, run=given.run / "trained"), Watcher(1))[0]


def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def machine() -> str:
    """What it ran on."""
    import torch

    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(": ")[2] if names else model
    return f"{cores()} cores of {model}, torch {torch.__version__}"


def report(command: str, seeds: int, rows: list[dict[str, Any]], facts: dict[str, str]) -> str:
    """The table as Markdown."""
    lines = [
        "# Transfer to five other classes",
        "",
        f"`{command}`",
        "",
        *(f"- {name}: {text}" for name, text in facts.items()),
        "",
        f"| way | test accuracy, mean of {seeds} | sd | least | most |",
        "| --- | --- | --- | --- | --- |",
    ]
    ways = dict.fromkeys(row["way"] for row in rows)
    means = {w: statistics.mean(r["test_accuracy"] for r in rows if r["way"] == w) for w in ways}
    for way in sorted(ways, key=lambda w: means[w]):
        found = [row["test_accuracy"] for row in rows if row["way"] == way]
        sd = f"{100 * statistics.stdev(found):.2f}" if len(found) > 1 else ""
        lines.append(f"| {way} | {means[way]:.2%} | {sd} | {min(found):.2%} | {max(found):.2%} |")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments().parse_args(argv)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    import pyarrow as pa
    import pyarrow.csv

    prepare(given)
    say(f"data in {given.run}")
    folder = given.run / "search"
    if not (given.run / "searched").exists():
        nas.run("regnet", dataset=str(source_of(given)), timeout=given.search, confirm=0, run=str(folder))
        (given.run / "searched").touch()
    run = Run(folder)
    best, trials = run.best(), len(run.rows())
    network = f"{folder}:{best['key']}"
    say(f"searched: {trials} networks, best {best['key'][:8]} at {best['val_accuracy']:.2%}")
    weights = given.run / "trained" / "weights" / "seed0.safetensors"
    ways = list(WAYS)
    rows: list[dict[str, Any]] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), mp_context=spawn, initializer=one_thread) as pool:
        trained = pool.submit(train_source, given, network)
        waiting: list[Future[dict[str, Any]]] = []

        def submit(names: Sequence[str]) -> None:
            for name in names:
                waiting.extend(
                    pool.submit(go, name, seed, given, network, weights) for seed in range(given.seeds)
                )

        submit(ways[:2])  # which need no weights
        row = trained.result()
        say(f"trained on the first five classes: {row['test_accuracy']:.2%} of their test images")
        submit(ways[2:])
        for future in waiting:
            rows.append(future.result())
            last = rows[-1]
            say(f"{last['way']}, seed {last['seed']}: {last['test_accuracy']:.2%}")
    minutes = (time.monotonic() - began) / 60
    used = os.times()
    processor = (used.user + used.system + used.children_user + used.children_system) / 60
    winner = f"best {best['key'][:8]}, {best['params']:,} parameters, {best['macs']:,} multiply-adds"
    facts = {
        "machine": f"{machine()}; {minutes:.1f} minutes in all; processor time of "
        f"all but the search's workers: {processor:.1f} minutes",
        "searched": "airplane, automobile, bird, cat and deer, "
        f"{given.search:.0f} s: {trials} RegNets, {winner}",
        "trained": f"{given.epochs} epochs of these five, {row['test_accuracy']:.2%} of their test images",
        "transferred": f"to dog, frog, horse, ship and truck: {given.per_class} images of each, drawn anew "
        f"for each seed; {given.few_epochs} epochs; the earlier stage is {given.stage}; tested on all 5,000 "
        "test images of these classes",
    }
    given.out.mkdir(parents=True, exist_ok=True)
    pyarrow.csv.write_csv(pa.Table.from_pylist(rows), given.out / "transfer.csv")
    words = ["python", "-m", "experiments.transfer", *(sys.argv[1:] if argv is None else argv)]
    text = report(shlex.join(words), given.seeds, rows, facts)
    (given.out / "README.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
