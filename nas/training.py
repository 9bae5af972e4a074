"""What the user asks of a full training, and what that comes to: network, recipe, seeds, run directory."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from cells.genome import Genome
from cells.infer import infer
from cells.stem import small_stem
from nas import sources
from nas.options import UsageError
from nas.progress import short
from nas.recipe import Recipe, brief
from nas.recipes import paper, standard
from nas.targets import Target, resolve
from nas.transfer import LECTURE, cut, factors, head, with_classes

if TYPE_CHECKING:
    from nas.sources import Images, Progress


@dataclass(frozen=True)
class Wishes:
    """The options of `nas.train`, as given; None means a default.

    Attributes:
        target: NAME, FILE.json, RUN or RUN:KEY.
        init: a file of weights, or `weights` for those that the search kept.
        freeze: selectors of `nas.transfer.factors`.
        lr_factor: (selector, factor) pairs.
        linear: fit a linear classifier on the frozen features of this part (`head`: what the head reads).
        new_head: do not take the weights of the head, although they would fit.
        settings: fields of the recipe by name, as text.
    """

    target: str
    recipe: str = "standard"
    dataset: str = "auto"
    data_dir: str | None = None
    epochs: int | None = None
    train_images: int | None = None
    val_images: int | None = None
    seeds: tuple[int, ...] = (0,)
    init: str | None = None
    freeze: tuple[str, ...] = ()
    lr_factor: tuple[tuple[str, float], ...] = ()
    linear: str | None = None
    new_head: bool = False
    stem: str = "published"
    settings: tuple[tuple[str, str], ...] = ()
    run: str | None = None
    cpu: bool = False


@dataclass(frozen=True)
class TrainPlan:
    """Everything a full training needs, settled.

    Attributes:
        name: of the network; space: that it comes from.
        init: file of the weights to start from.
        linear: whether only a linear classifier in place of the last layer is fitted.
        new_head: whether the head starts anew although its weights fit; so it does for other data.
        place: of the data, where the test images are read in the end; images: the training images.
        lines: what the user should know, a line each.
    """

    run: Path
    name: str
    space: str
    genome: Genome
    recipe: Recipe
    seeds: tuple[int, ...]
    init: Path | None
    linear: bool
    new_head: bool
    gpu: bool
    place: tuple[str, Path | None]
    lines: tuple[str, ...]
    images: Images = field(repr=False)

    def config(self) -> dict[str, Any]:
        """What makes a run this run and no other, as JSON; seeds may be added to it."""
        return {
            "network": self.genome.key,
            "recipe": self.recipe.to_json(),
            "init": None if self.init is None else _digest(self.init.read_bytes()),
            "linear": self.linear,
            "new_head": self.new_head,
        }

    def header(self) -> list[str]:
        """What is about to run, line by line."""
        name, place = self.place
        costs = infer(self.genome)
        extent = "x".join(map(str, self.genome.input))
        how = f"recipe    {self.recipe.describe()}"
        if self.linear:
            how = f"recipe    a linear classifier in place of {head(self.genome)}, on frozen features"
        return [
            f"network   {self.name}, {short(costs.params)} parameters, {short(costs.macs)} multiply-adds",
            f"data      {name}, {extent}, {costs.output[0]} classes ({place or 'bundled with scikit-learn'})",
            how,
            *self.lines,
            f"run       {self.run}",
        ]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def plan(wishes: Wishes, progress: Progress = sources.silent) -> TrainPlan:
    """Settles the options.

    Raises:
        UsageError, DataError, TargetError, TransferError, RecipeError: a wish that cannot be met; the message
            names the cause.
    """
    import torch

    from nas.fit import resolve_precision

    place = sources.locate(wishes.dataset, wishes.data_dir, progress)
    images = sources.load(place, "train", progress)
    target, lines = _target(wishes, images)
    genome = target.genome
    gpu = torch.cuda.is_available() and not wishes.cpu
    precision = resolve_precision(torch.device("cuda" if gpu else "cpu"))
    count = len(images.labels)
    if wishes.recipe == "standard":
        recipe = standard(place[0], count, gpu=gpu, precision=precision)
    elif wishes.recipe == "paper":
        names = [target.name] + ([target.row["space"]] if target.row else [])
        recipe, entry = paper(names, place[0], precision=precision)
        lines.append(f"source    {entry.source}" + (f"; not done: {entry.missing}" if entry.missing else ""))
    else:
        recipe = brief(place[0], count, gpu=gpu, precision=precision, channels_last=True)
    recipe = _changed(recipe, wishes, count)
    init = _weights(wishes, target)
    if wishes.linear is not None:
        if init is None:
            raise UsageError("--linear needs trained weights: name them with --init")
        if wishes.linear != "head":
            genome = cut(genome, wishes.linear, len(images.classes))
        if genome.nodes[-1].op.name != "linear":
            raise UsageError(f"--linear: {target.name} does not end in a linear layer; name a part of it")
        recipe = dataclasses.replace(recipe, name="linear", epochs=0, steps=None, lr_factors=())
    factors(genome, recipe.lr_factors)  # raises for a part that is not there
    made = TrainPlan(
        run=Path(),
        name=target.name,
        space=target.row["space"] if target.row else target.name,
        genome=genome,
        recipe=recipe,
        seeds=wishes.seeds,
        init=init,
        linear=wishes.linear is not None,
        new_head=wishes.new_head or (wishes.init == "weights" and _dataset(target) != place[0]),
        gpu=gpu,
        place=place,
        lines=tuple(lines),
        images=images,
    )
    return dataclasses.replace(made, run=Path(wishes.run) if wishes.run else _default_run(made))


def _dataset(target: Target) -> str | None:
    """The data that a result was trained on."""
    return None if target.row is None else str(json.loads(target.row["recipe"])["dataset"])


def _default_run(plan: TrainPlan) -> Path:
    """The same directory for the same training, so that the same command goes on with it."""
    label = re.sub(r"[^A-Za-z0-9_.]+", "-", plan.name).strip("-.")
    return (
        Path("runs") / f"train-{label}-{plan.recipe.name}-{_digest(json.dumps(plan.config()).encode())[:8]}"
    )


def _is_name(text: str) -> bool:
    """Whether a target is a network's name and no file or run."""
    file = Path(text).suffix in (".json", ".yaml", ".yml") or Path(text).is_file()
    return not file and not Path(text.partition(":")[0]).is_dir()


def _target(wishes: Wishes, images: Images) -> tuple[Target, list[str]]:
    """The network for these images, and what was changed."""
    lines: list[str] = []
    classes = len(images.classes)
    if _is_name(wishes.target):
        target = resolve(wishes.target, images.shape, classes)
    else:
        target = resolve(wishes.target)
    if wishes.stem == "small":
        target = dataclasses.replace(target, genome=small_stem(target.genome))
    genome = target.genome
    if genome.input != images.shape:
        needs, has = ("x".join(map(str, shape)) for shape in (genome.input, images.shape))
        raise UsageError(f"{target.name} takes images of {needs}; those of --dataset {images.name} are {has}")
    told = genome.facts[genome.output].shape
    if told != (classes,):
        target = dataclasses.replace(target, genome=with_classes(genome, classes))
        lines.append(f"head      {head(genome)} for {told[0]} classes is replaced by one for {classes}")
    return target, lines


def _weights(wishes: Wishes, target: Target) -> Path | None:
    """The file that --init names."""
    if wishes.init is None:
        return None
    if wishes.init == "weights":
        if target.row is None:
            raise UsageError(f"--init weights: {wishes.target} is no result of a run; name a file")
        if target.weights is None:
            raise UsageError(f"--init weights: no weights were kept of {target.name} (nas.search --keep)")
        file = target.weights
    else:
        file = Path(wishes.init)
    if not file.is_file():
        raise UsageError(f"--init: there is no file {file}")
    return file


def _changed(recipe: Recipe, wishes: Wishes, images: int) -> Recipe:
    """The recipe with what the user changes."""
    changes: dict[str, Any] = {name: _value(name, text) for name, text in wishes.settings}
    for name in ("epochs", "train_images", "val_images"):
        if getattr(wishes, name) is not None:
            changes[name] = getattr(wishes, name)
    if "epochs" in changes:
        changes.setdefault("steps", None)
    changes.setdefault("val_images", min(recipe.val_images, images // 10))
    pairs = (*wishes.lr_factor, *((selector, 0.0) for selector in wishes.freeze))
    if pairs:
        changes["lr_factors"] = pairs
    changed = dataclasses.replace(recipe, **changes)
    if changed.schedule == "plateau" and not changed.val_images:
        raise UsageError("the schedule plateau needs --val-images to look at")
    if changed.val_images >= images:
        raise UsageError(f"--val-images {changed.val_images}: there are {images} training images")
    return changed


_TEXTS = {"lr_factors", "name", "dataset"}


def _value(name: str, text: str) -> Any:
    """The value of a recipe's field from text. Raises `UsageError`."""
    kinds = typing.get_type_hints(Recipe)
    known = [n for n in kinds if n not in _TEXTS]
    if name not in known:
        raise UsageError(f"--set {name}: a recipe has {', '.join(known)}")
    kind = kinds[name]
    if typing.get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        raise UsageError(f"--set {name}={text}: must be one of {', '.join(get_args(kind))}")
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if typing.get_origin(kind) is tuple:
            return tuple(float(part) for part in text.split(","))
        number = float(text)
        if float not in (kind, *get_args(kind)):
            if not number.is_integer():
                raise ValueError
            number = int(number)
    except (ValueError, KeyError) as error:
        wanted = {bool: "true or false", float: "a number"}.get(kind, "a number (milestones: with commas)")
        raise UsageError(f"--set {name}={text}: must be {wanted}") from error
    if number < 0 or (number == 0 and name in ("epochs", "steps", "batch", "lr", "patience")):
        raise UsageError(f"--set {name}={text}: is too small")
    return number


def pairs_of(text: str) -> tuple[tuple[str, float], ...]:
    """(selector, factor) pairs of `stem=0,stage1=0.01,head=0.1`, or of the preset `lecture`.

    Raises:
        UsageError: it is something else.
    """
    if text == "lecture":
        return LECTURE
    found = []
    for part in text.split(","):
        selector, equals, factor = part.strip().rpartition("=")
        try:
            value = float(factor)
        except ValueError:
            value = -1.0
        if not equals or not selector or not 0 <= value < float("inf"):
            raise UsageError(f"--lr-factor {part}: must be PATH=FACTOR, such as stem=0,head=0.1, or lecture")
        found.append((selector, value))
    return tuple(found)


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """The test accuracies of several seeds in one line."""
    import statistics

    found = [row["test_accuracy"] for row in rows]
    listed = ", ".join(f"{a:.2%}" for a in found)
    if len(found) == 1:
        return f"test accuracy {listed}"
    return f"test accuracy {statistics.mean(found):.2%} ± {100 * statistics.stdev(found):.2f} ({listed})"
