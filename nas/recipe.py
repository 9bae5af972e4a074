"""How a trial is trained: a frozen configuration, resolved once per run so that rewards compare."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

Precision = Literal["fp32", "bf16", "fp16"]
Schedule = Literal["cosine", "one-cycle"]
Init = Literal["zero-gamma", "default"]

SCHEDULES: tuple[Schedule, ...] = ("cosine", "one-cycle")
INITS: tuple[Init, ...] = ("zero-gamma", "default")


@dataclass(frozen=True)
class Recipe:
    """A training configuration.

    Attributes:
        name: what the recipe is called in tables.
        dataset: name of the data.
        train_images: images of the training part used (None: all of it).
        val_images: images held out of the training set to validate on.
        epochs: passes over the training images.
        batch: images in one step.
        lr: peak learning rate of SGD with Nesterov momentum.
        weight_decay: on weights of convolutions and linear layers only, not on norms and biases.
        schedule: `cosine` from lr to 0 behind a linear warm-up; `one-cycle` rises linearly to lr over the
            first three tenths instead.
        warmup: share of all steps that cosine's warm-up takes.
        init: convolutions He-normal over fan-out, linear layers N(0, 0.01). `zero-gamma` besides starts
            the last norm of every residual branch at 0, so that brief training does not merely prefer
            shallow nets; `default` starts all norms at 1.
        crop: random crops from images padded by so many pixels (0: none).
        flip: random horizontal flips.
        precision: of the forward pass (autocast).
        channels_last: memory format.
        split: seed of the fixed split of the training set into a training and a validation part.
    """

    name: str = "brief"
    dataset: str = "cifar10"
    train_images: int | None = None
    val_images: int = 5000
    epochs: int = 1
    batch: int = 128
    lr: float = 0.4
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.0
    schedule: Schedule = "cosine"
    warmup: float = 0.1
    init: Init = "zero-gamma"
    crop: int = 4
    flip: bool = True
    precision: Precision = "fp32"
    channels_last: bool = False
    split: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)

    def dumps(self) -> str:
        """One line of JSON, equal for equal recipes."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @staticmethod
    def from_json(data: dict[str, Any]) -> Recipe:
        """The recipe of `to_json`'s data. Raises TypeError for unknown fields."""
        return Recipe(**data)

    def describe(self) -> str:
        """One line for people."""
        images = "all training images" if self.train_images is None else f"{self.train_images:,} images"
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        layout = ", channels-last" if self.channels_last else ""
        return (
            f"{self.name}: {epochs} of {images}, batch {self.batch}, lr {self.lr:g}, {self.schedule}, "
            f"init {self.init}, {self.precision}{layout}; validated on {self.val_images:,}"
        )


def brief(dataset: str, images: int, *, gpu: bool, precision: Precision, channels_last: bool) -> Recipe:
    """The recipe of a search: as much training as says something on this device within seconds.

    On CIFAR-10 a CPU trains one epoch of 15,000 images, a GPU three epochs of everything. Smaller data get
    up to eight epochs, smaller batches, and a fifth of them instead of a tenth to validate on.

    Args:
        images: in the training set, those to validate on included.
    """
    val = min(5000, images // (10 if images >= 10_000 else 5))
    seen = 135_000 if gpu else 15_000
    batch = 64 if images < 10_000 else 512 if gpu else 128
    return Recipe(
        dataset=dataset,
        train_images=None if gpu or images - val <= seen else seen,
        val_images=val,
        epochs=max(1, min(8, seen // max(1, images - val))),
        batch=batch,
        lr={64: 0.1, 128: 0.4, 512: 0.8}[batch],
        crop=2 if dataset == "digits" else 4,
        flip=dataset != "digits",
        precision=precision,
        channels_last=channels_last,
    )


def confirming(recipe: Recipe, *, gpu: bool) -> Recipe:
    """The recipe by which the best of a search are compared again: all training images; on a GPU 9 epochs."""
    epochs = 3 * recipe.epochs if gpu else recipe.epochs
    return dataclasses.replace(recipe, name="confirm", train_images=None, epochs=epochs)
