"""How a trial is trained: a frozen configuration, resolved once per run so that rewards compare."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Precision = Literal["fp32", "bf16", "fp16"]
Schedule = Literal["cosine", "one-cycle", "step", "plateau"]
Init = Literal["zero-gamma", "default", "he", "xavier", "gaussian"]
Optimiser = Literal["sgd", "adamw", "rmsprop"]

SCHEDULES: tuple[Schedule, ...] = ("cosine", "one-cycle", "step", "plateau")
INITS: tuple[Init, ...] = ("zero-gamma", "default", "he", "xavier", "gaussian")


@dataclass(frozen=True)
class Recipe:
    """A training configuration.

    Attributes:
        name: what the recipe is called in tables.
        dataset: name of the data.
        train_images: images of the training part used (None: all of it).
        val_images: images held out of the training set to validate on.
        epochs: passes over the training images.
        steps: training steps in all, the last epoch cut short if need be (None: those of `epochs`).
        batch: images in one step.
        optimiser: `sgd` (with `momentum`), `adamw` (betas 0.9 and 0.999), `rmsprop` (TensorFlow's decay of
            0.9 and epsilon of 0.001, with `momentum`).
        lr: peak learning rate.
        nesterov: Nesterov's momentum, for SGD.
        weight_decay: of the tensors that `decay` names.
        decay: `weights`: of convolutions and linear layers only; `all`: norms and biases, too.
        clip: largest norm of all gradients together (0: any).
        schedule: behind a warm-up, `cosine` from lr to 0; `one-cycle` rises linearly to lr over the first
            three tenths instead and has no other warm-up; `step` multiplies by `gamma` at each of
            `milestones`; `plateau` does so when the validation accuracy has not risen for `patience` epochs.
        milestones: shares of all steps.
        warmup: share of all steps in which the learning rate rises linearly, or, with `warmup_rate`, stays
            at that share of lr.
        init: of convolutions and linear layers. `default` and `zero-gamma`: He-normal over fan-out, linear
            layers N(0, 0.01); `zero-gamma` besides starts the last norm of every residual branch at 0, so
            that brief training does not merely prefer shallow nets. `he`: He-normal over fan-in (He et al.
            2015, arXiv:1502.01852). `xavier`: uniform (Glorot & Bengio 2010). `gaussian`: N(0, 0.01), with
            biases of 1 where Krizhevsky et al. 2012 (section 5) have them. Biases are 0 otherwise.
        side: of the images in pixels, to which they are resized (0: as they are).
        normalise: `channel`: each channel less its mean, by its standard deviation; `pixel`: each pixel less
            its mean over the training images, in units of 0-255.
        crop: random crops from images padded by so many pixels (0: none).
        pad: what is padded: the image `reflect`ed at its border, or `zero`, which is the mean.
        flip: random horizontal flips.
        area: smallest share of the image that a random crop of aspect 3/4 to 4/3, resized, shows (1: none).
        rotate, shear: largest angles in degrees. translate: largest shift as a share of the side.
        cutout: side in pixels of a square set to the mean (DeVries & Taylor 2017, arXiv:1708.04552).
        pca: standard deviation of the colour noise along the principal components of the colours, in units
            of their spread (Krizhevsky et al. 2012, section 4.1).
        mixup, cutmix: alpha of the Beta distribution that mixes pairs (Zhang et al. 2017, arXiv:1710.09412;
            Yun et al. 2019, arXiv:1905.04899); 0: none; with both, one of them at random in each step.
        dropout: before the classifier, besides the network's own.
        drop_path: share of the paths dropped, rising linearly from 0 over the training (Zoph et al. 2017,
            arXiv:1707.07012; for residual branches stochastic depth, arXiv:1603.09382).
        aux: weight of each auxiliary classifier's loss.
        ema: decay per step of the moving average of the weights that is validated and kept (0: none); in step
            n at most (1 + n) / (10 + n).
        lr_factors: (selector, factor) pairs; see `nas.transfer.factors`. Factor 0 freezes.
        precision: of the forward pass (autocast).
        channels_last: memory format.
        split: seed of the fixed split of the training set into a training and a validation part.
    """

    name: str = "brief"
    dataset: str = "cifar10"
    train_images: int | None = None
    val_images: int = 5000
    epochs: int = 1
    steps: int | None = None
    batch: int = 128
    optimiser: Optimiser = "sgd"
    lr: float = 0.4
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    decay: Literal["weights", "all"] = "weights"
    clip: float = 0.0
    label_smoothing: float = 0.0
    schedule: Schedule = "cosine"
    milestones: tuple[float, ...] = (0.5, 0.75)
    gamma: float = 0.1
    patience: int = 5
    warmup: float = 0.1
    warmup_rate: float | None = None
    init: Init = "zero-gamma"
    side: int = 0
    normalise: Literal["channel", "pixel"] = "channel"
    crop: int = 4
    pad: Literal["reflect", "zero"] = "reflect"
    flip: bool = True
    area: float = 1.0
    rotate: float = 0.0
    shear: float = 0.0
    translate: float = 0.0
    cutout: int = 0
    pca: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    dropout: float = 0.0
    drop_path: float = 0.0
    aux: float = 0.3
    ema: float = 0.0
    lr_factors: tuple[tuple[str, float], ...] = ()
    precision: Precision = "fp32"
    channels_last: bool = False
    split: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        data = dataclasses.asdict(self)
        return json.loads(json.dumps(data))  # type: ignore[no-any-return] # lists where there were tuples

    @lru_cache(maxsize=64)  # noqa: B019 # recipes are small values, and every row of a run has one
    def dumps(self) -> str:
        """One line of JSON, equal for equal recipes."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @staticmethod
    def from_json(data: dict[str, Any]) -> Recipe:
        """The recipe of `to_json`'s data, fields that are missing at their defaults.

        Raises:
            TypeError: for unknown fields.
        """
        lists = {
            "milestones": tuple(data.get("milestones", Recipe.milestones)),
            "lr_factors": tuple((s, f) for s, f in data.get("lr_factors", ())),
        }
        return Recipe(**{**data, **lists})

    def describe(self) -> str:
        """One line for people."""
        images = "all training images" if self.train_images is None else f"{self.train_images:,} images"
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        if self.steps is not None:
            epochs = f"{self.steps:,} steps"
        layout = ", channels-last" if self.channels_last else ""
        return (
            f"{self.name}: {epochs} of {images}, batch {self.batch}, lr {self.lr:g}, {self.schedule}, "
            f"init {self.init}, {self.precision}{layout}; "
            + (f"validated on {self.val_images:,}" if self.val_images else "not validated")
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
