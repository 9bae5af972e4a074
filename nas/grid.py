"""Finds coefficients of compound scaling: brief trainings of one network, scaled to about twice its costs.

Tan & Le 2019 (arXiv:1905.11946), section 3.3: with phi = 1, a small grid search over alpha, beta and gamma
under alpha · beta² · gamma² = 2 finds the coefficients, which larger phi then share.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cells.genome import Genome
from cells.ops import Invalid, Shape
from cells.scale import scaled, taking, telling
from nas.launch import alone, same_run
from nas.progress import Reporter, columns, short
from nas.recipe import Recipe, brief
from nas.results import describe
from nas.scaling import hinted
from nas.store import TRIALS, Stream
from nas.targets import Target, TargetError, resolve

if TYPE_CHECKING:
    import torch

    from nas.sources import Images

Triple = tuple[float, float, float]
"""alpha, beta, gamma."""

UNSCALED: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Options:
    """What a grid is asked for.

    Attributes:
        fixed: coefficients that are given, by name; the others are searched.
        step: between values of a coefficient.
        tolerance: how far alpha · beta² · gamma² may be from 2.
        divisor: of widths.
    """

    target: str
    fixed: Mapping[str, float]
    run: Path
    step: float = 0.1
    tolerance: float = 0.1
    divisor: int = 8
    dataset: str = "auto"
    data_dir: str | None = None
    epochs: int | None = None
    train_images: int | None = None
    seed: int = 0


def product(triple: Triple) -> float:
    """alpha · beta² · gamma², by which multiply-adds grow where phi is 1."""
    return triple[0] * triple[1] ** 2 * triple[2] ** 2


def triples(step: float, tolerance: float, fixed: Mapping[str, float]) -> list[Triple]:
    """Coefficients of at least 1 whose product is about 2, by resolution. Raises `TargetError` for none."""
    axes = []
    for name, most in (("alpha", 2.0), ("beta", math.sqrt(2)), ("gamma", math.sqrt(2))):
        count = math.floor((most + tolerance - 1) / step + 1e-9)
        axes.append([fixed[name]] if name in fixed else [round(1 + i * step, 6) for i in range(count + 1)])
    found = [
        t
        for t in ((a, b, c) for a in axes[0] for b in axes[1] for c in axes[2])
        if abs(product(t) - 2) <= tolerance + 1e-9
    ]
    if not found:
        raise TargetError(
            "--grid: no alpha · beta² · gamma² is about 2: a smaller --step or more --tolerance?"
        )
    return sorted(found, key=lambda t: (t[2], t[0], t[1]))


def networks(base: Genome, grid: list[Triple], divisor: int = 8) -> dict[Triple, Genome]:
    """What the triples make of a network; of those that make the same one, the first of a product next to 2.

    Raises:
        Invalid: the network cannot be scaled in a dimension in which the grid would scale it.
    """
    drawn = {UNSCALED: base}
    known = {base.key: UNSCALED}
    for triple in sorted(grid, key=lambda t: abs(product(t) - 2)):
        try:
            alpha, beta, gamma = triple
            genome = scaled(base, depth=alpha, width=beta, resolution=gamma, divisor=divisor)
        except Invalid as error:
            raise hinted(error) from error
        if known.setdefault(genome.key, triple) == triple:
            drawn[triple] = genome
    return {t: drawn[t] for t in sorted(drawn, key=lambda t: (t[2], t[0], t[1]))}


def fresh(target: str) -> Path:
    """A run directory that is not there yet."""
    label = re.sub(r"[^A-Za-z0-9]+", "-", Path(target).name).strip("-")
    return Path("runs") / f"{label}-grid-{datetime.now():%Y%m%d-%H%M%S}"


def search(options: Options, reporter: Reporter) -> list[dict[str, Any]]:
    """Trains what the grid has, but for what the run directory holds already; returns all its rows.

    Raises:
        KeyboardInterrupt: stopped by the user; finished rows are on the disk.
        TargetError, Invalid, DataError, UsageError: why the grid cannot be searched.
    """
    import torch

    from nas import sources
    from nas.fit import resolve_precision

    grid = triples(options.step, options.tolerance, options.fixed)
    place = sources.locate(options.dataset, options.data_dir, reporter.loading)
    images = sources.load(place, "train", reporter.loading)
    target = fitting(options.target, images.shape, len(images.classes))
    found = networks(target.genome, grid, options.divisor)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = brief(
        place[0],
        len(images.labels),
        gpu=device.type == "cuda",
        precision=resolve_precision(device),
        channels_last=True,
    )
    recipe = dataclasses.replace(
        recipe,
        epochs=options.epochs or recipe.epochs,
        train_images=options.train_images or recipe.train_images,
    )
    config = {
        "space": f"scale:{target.name}",
        "genome": json.loads(target.genome.dumps()),
        "strategy": "grid",
        "seed": options.seed,
        "step": options.step,
        "tolerance": options.tolerance,
        "divisor": options.divisor,
        "fixed": dict(options.fixed),
        "recipe": recipe.to_json(),
    }
    options.run.mkdir(parents=True, exist_ok=True)
    with alone(options.run):
        same_run(options.run, config)
        stream = Stream(options.run / "trials.arrows", TRIALS)
        try:
            reporter.line(f"grid      {len(found) - 1} networks and the unscaled {target.name}")
            reporter.line(f"recipe    {recipe.describe()}")
            reporter.line(f"run       {options.run}")
            _train(options, target.name, found, images, recipe, stream, reporter, device)
            return stream.rows
        finally:
            reporter.stop()
            stream.close()


def fitting(text: str, input: Shape, classes: int) -> Target:
    """The target for images and classes: drawn for them where it has a name, else as it is but for its head.

    Raises:
        TargetError, Invalid: there is none, or it does not take the images.
    """
    target = resolve(text)
    if target.row is None and Path(text).suffix not in (".json", ".yaml", ".yml"):
        return resolve(text, input, classes)
    genome = telling(taking(target.genome, input), classes)
    return dataclasses.replace(target, genome=genome)


def _train(
    options: Options,
    name: str,
    found: Mapping[Triple, Genome],
    images: Images,
    recipe: Recipe,
    stream: Stream,
    reporter: Reporter,
    device: torch.device,
) -> None:
    """Appends a row for each network that has none, one resolution after another."""
    from nas.dispatch import Job
    from nas.trial import Worker

    done = {_triple(row) for row in stream.rows if row["status"] == "ok"}
    total, steps = len(found) * recipe.epochs, 0
    begin = time.monotonic()
    before = max([0.0, *(row["elapsed"] for row in stream.rows)])
    if done:
        reporter.line(f"resumed   {len(done)} of {len(found)} networks are trained")
    for extent, group in itertools.groupby(found, key=lambda t: found[t].input):
        worker: Worker | None = None
        for triple in group:
            if triple in done:
                steps += recipe.epochs
                continue
            if worker is None:
                worker = Worker(at_extent(images, extent), device=device)
            what = ", ".join(f"{n} {v:g}" for n, v in zip(("alpha", "beta", "gamma"), triple, strict=True))
            reporter.loading(f"training {what}", steps, total)
            job = Job(found[triple].dumps(), recipe.to_json(), options.seed, None)
            for outcome in worker.run(job):
                if "status" in outcome.row:
                    row = _row(options, name, triple, recipe, outcome.row, len(stream.rows))
                    row |= describe(found[triple]) | {"elapsed": before + time.monotonic() - begin}
                    _say(stream.append(row), what, reporter)
                else:
                    steps += 1
                    reporter.loading(f"training {what}", steps, total)


def _say(row: Mapping[str, Any], what: str, reporter: Reporter) -> None:
    if row["status"] != "ok":
        reporter.line(f"{what}: {row['status']}: {row['error']}")
    elif not reporter.live:
        reporter.line(f"{what}: {row['val_accuracy']:.2%}, {short(row['macs'])} MACs")


def _row(
    options: Options, name: str, triple: Triple, recipe: Recipe, outcome: Mapping[str, Any], trial: int
) -> dict[str, Any]:
    choices = dict(zip(("alpha", "beta", "gamma"), triple, strict=True))
    return {
        "run": options.run.name,
        "trial": trial,
        "asked_after": trial,
        "space": f"scale:{name}",
        "strategy": "grid",
        "choices": json.dumps(choices),
        "note": json.dumps({"by": "grid"}),
        "parents": [],
        "recipe": recipe.dumps(),
        "seed": options.seed,
        "stage": "search",
        "finished": datetime.now(UTC),
        **outcome,
        "reward": outcome.get("val_accuracy") if outcome["status"] == "ok" else None,
    }


def _triple(row: Mapping[str, Any]) -> Triple:
    choices = json.loads(row["choices"])
    return choices["alpha"], choices["beta"], choices["gamma"]


def at_extent(images: Images, input: Shape) -> Images:
    """The images, enlarged or reduced bilinearly to (C, H, W)."""
    if images.shape == input:
        return images
    import numpy as np
    from PIL import Image

    _, height, width = input
    pixels = np.empty((len(images.labels), *input), dtype=np.uint8)
    for i, image in enumerate(images.pixels):
        resized = Image.fromarray(image.transpose(1, 2, 0)).resize((width, height), Image.Resampling.BILINEAR)
        pixels[i] = np.asarray(resized).transpose(2, 0, 1)
    return dataclasses.replace(images, pixels=pixels)


def conclusion(rows: list[dict[str, Any]], target: str, divisor: int = 8) -> Iterator[str]:
    """What the grid supports, in sentences; nothing where no scaled network was trained."""
    ranked = ranking(rows)
    if not ranked:
        return
    best = ranked[0]
    alpha, beta, gamma = _triple(best)
    p, images = best["val_accuracy"], json.loads(best["recipe"])["val_images"]
    error = 100 * math.sqrt(p * (1 - p) / images)
    yield (
        f"The best of {len(ranked)}, each trained once: {p:.2%} ± {error:.2f} (standard error over "
        f"{images:,} validation images, without that of training)."
    )
    told = f"--alpha {alpha:g} --beta {beta:g} --gamma {gamma:g}"
    yield f"  python -m nas.scale {target} --phi 2 {told}" + (f" --divisor {divisor}" if divisor != 8 else "")


def ranking(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scaled networks, best first."""
    ok = [row for row in rows if row["status"] == "ok" and _triple(row) != UNSCALED]
    return sorted(ok, key=lambda row: (-row["val_accuracy"], row["trial"]))


def table(rows: list[dict[str, Any]]) -> Any:
    """The grid as a table, best first, the unscaled network last."""
    made = columns(
        *("alpha", "beta", "gamma", "product", "image", "params", "MACs", "x", "val acc"), left=("image",)
    )
    unscaled = [row for row in rows if row["status"] == "ok" and _triple(row) == UNSCALED]
    one = unscaled[0]["macs"] if unscaled else None
    for row in [*ranking(rows), *unscaled]:
        triple = _triple(row)
        made.add_row(
            *(f"{value:g}" for value in triple),
            f"{product(triple):.2f}",
            "x".join(map(str, Genome.loads(row["genome"]).input)),
            short(row["params"]),
            short(row["macs"]),
            f"{row['macs'] / one:.2f}" if one else "",
            f"{row['val_accuracy']:.2%}",
        )
    return made
