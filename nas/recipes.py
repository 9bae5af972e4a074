"""Recipes of full trainings: one for all networks, and those of the papers, as a table."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.recipe import Precision, Recipe


class RecipeError(LookupError):
    """No paper's recipe is known for a network; one line."""


@dataclass(frozen=True)
class Published:
    """How a paper trains a family of networks.

    Attributes:
        names: pattern of the networks' names, and of the spaces that they come from.
        source: paper and section, or the file of the published code.
        fields: those of the recipe.
        missing: what the paper does and the recipe does not, in words.
    """

    names: str
    source: str
    fields: Mapping[str, Any]
    missing: str = ""


def standard(dataset: str, images: int, *, gpu: bool, precision: Precision) -> Recipe:
    """One recipe for any network on small images: 100 epochs of SGD, cosine, mild distortions.

    Label smoothing, cutout and the moving average of the weights are what most recipes of 2018 and later
    have in common (He et al. 2018, arXiv:1812.01187); 1,000 images, or a twentieth, are held out to watch it.

    Args:
        images: in the training set, those held out included.
    """
    batch = 64 if images < 10_000 else 512 if gpu else 128
    return Recipe(
        name="standard",
        dataset=dataset,
        val_images=min(1000, images // 20),
        epochs=100,
        batch=batch,
        lr={64: 0.05, 128: 0.1, 512: 0.4}[batch],
        warmup=0.05,
        label_smoothing=0.1,
        crop=2 if dataset == "digits" else 4,
        flip=dataset != "digits",
        cutout=0 if dataset == "digits" else 8,
        ema=0.995,
        precision=precision,
        channels_last=True,
    )


def paper(names: Sequence[str], dataset: str, *, precision: Precision) -> tuple[Recipe, Published]:
    """The recipe of the first entry that one of the names fits, and the entry.

    All training images are used: the papers tune on a part of them and train on all, or do not say.
    Networks whose schedule waits for a plateau hold out a tenth.

    Raises:
        RecipeError: no entry fits.
    """
    for entry in PAPERS:
        if any(re.fullmatch(entry.names, name) for name in names):
            return _recipe(entry, dataset, precision), entry
    raise RecipeError(
        f"--recipe paper: none is known for {names[0]} (nas/recipes.py has the table): --recipe standard"
    )


def _recipe(entry: Published, dataset: str, precision: Precision) -> Recipe:
    base = Recipe(
        name="paper",
        dataset=dataset,
        val_images=0,
        nesterov=False,
        decay="all",
        warmup=0.0,
        init="default",
        pad="zero",
        precision=precision,
        channels_last=True,
    )
    return dataclasses.replace(base, **entry.fields)


def _every(epochs: float, total: int) -> tuple[float, ...]:
    """Milestones every so many epochs of a total, as shares."""
    return tuple(i * epochs / total for i in range(1, int(total / epochs) + 1) if i * epochs < total)


_HE = {
    "steps": 64_000,
    "batch": 128,
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "schedule": "step",
    "milestones": (0.5, 0.75),
    "gamma": 0.1,
    "init": "he",
    "normalise": "pixel",
    "crop": 4,
    "flip": True,
}
_IMAGENET = {"crop": 0, "area": 0.08, "flip": True}
_CROPS = "the test on a centre crop of a larger image: ours are shown whole"
_RESNET = {
    "epochs": 120,
    "batch": 256,
    "lr": 0.1,
    "weight_decay": 1e-4,
    "schedule": "plateau",
    "val_images": 5000,
    "init": "he",
    **_IMAGENET,
    "pca": 0.1,
}
_DENSE = {
    "lr": 0.1,
    "nesterov": True,
    "weight_decay": 1e-4,
    "schedule": "step",
    "init": "he",
}
_DARTS = {
    "epochs": 600,
    "batch": 96,
    "lr": 0.025,
    "weight_decay": 3e-4,
    "schedule": "cosine",
    "clip": 5.0,
    "cutout": 16,
    "aux": 0.4,
    "drop_path": 0.2,
}
_REGNET = {
    "epochs": 100,
    "nesterov": True,
    "weight_decay": 5e-5,
    "schedule": "cosine",
    "warmup": 0.05,
    **_IMAGENET,
    "pca": 0.1,
}

PAPERS: tuple[Published, ...] = (
    Published(
        r"(resnet|plain)(20|32|44|56|1202)(_b)?",
        "He et al. 2015 (arXiv:1512.03385), sections 3.4 and 4.2",
        _HE,
    ),
    Published(
        r"(resnet|plain)110(_b)?",
        "He et al. 2015 (arXiv:1512.03385), section 4.2: as the others, behind a warm-up",
        {**_HE, "warmup": 400 / 64_000, "warmup_rate": 0.1},
        "the warm-up ends after about 400 iterations, as the paper estimates, not at a training error of 80%",
    ),
    Published(
        r"preactresnet(20|56|110|164)(_cifar100)?",
        "He et al. 2016 (arXiv:1603.05027), appendix",
        {**_HE, "normalise": "channel", "warmup": 400 / 64_000, "warmup_rate": 0.1},
    ),
    Published(
        r"preactresnet1001(_cifar100)?",
        "KaimingHe/resnet-1k-layers, README: batch 64, 200 epochs",
        {
            **_HE,
            "normalise": "channel",
            "steps": None,
            "epochs": 200,
            "batch": 64,
            "warmup": 400 / 156_200,
            "warmup_rate": 0.1,
            "milestones": (0.41, 0.614),
        },
    ),
    Published(
        r"wide_resnet(16|22|28|40)_.*",
        "Zagoruyko & Komodakis 2016 (arXiv:1605.07146), section 3",
        {
            "epochs": 200,
            "batch": 128,
            "lr": 0.1,
            "nesterov": True,
            "weight_decay": 5e-4,
            "schedule": "step",
            "milestones": (0.3, 0.6, 0.8),
            "gamma": 0.2,
            "pad": "reflect",
        },
        "dropout inside blocks, which the paper tries as well",
    ),
    Published(
        r"resnext29_.*",
        "facebookresearch/ResNeXt, README; Xie et al. 2016 (arXiv:1611.05431), section 5.3",
        {
            "epochs": 300,
            "batch": 128,
            "lr": 0.1,
            "nesterov": True,
            "weight_decay": 5e-4,
            "schedule": "step",
            "milestones": (0.5, 0.75),
        },
    ),
    Published(
        r"densenet(40|100|190|250)_.*",
        "Huang et al. 2016 (arXiv:1608.06993), section 4.2",
        {**_DENSE, "epochs": 300, "batch": 64, "milestones": (0.5, 0.75)},
    ),
    Published(
        r"densenet(121|161|169|201|264)",
        "Huang et al. 2016 (arXiv:1608.06993), section 4.2",
        {**_DENSE, "epochs": 90, "batch": 256, "milestones": (30 / 90, 60 / 90), **_IMAGENET},
        _CROPS,
    ),
    Published(
        r"nasneta_cifar_.*|amoebanet[ad]_cifar_.*|nasnet|amoebanet|pnas",
        "tensorflow/models research/slim/nets/nasnet/nasnet.py, cifar_config; Zoph et al. 2017 "
        "(arXiv:1707.07012), appendix",
        {**_DARTS, "batch": 32, "weight_decay": 5e-4, "decay": "weights", "drop_path": 0.4},
        "paths of early cells are dropped less often there; cutout is of the paper's best results only",
    ),
    Published(
        r"(pdarts|pcdarts|pcdarts_image)_cifar",
        "yuhuixu1993/PC-DARTS train.py; chenxin061/pdarts (which has a batch of 128)",
        {**_DARTS, "drop_path": 0.3},
    ),
    Published(
        r"(darts|snas|gdas|setn|sgas|fairdarts|asap|mdenas|nsganet|drnas|xnas)_.*cifar|(darts|enas_micro)(_cifar)?",
        "quark0/darts cnn/train.py",
        _DARTS,
        "biases and norms decay as there; sub-families that retrain otherwise are not told apart",
    ),
    Published(
        r"(regnet[xy]_(002|004|006|008|016))",
        "Radosavovic et al. 2020 (arXiv:2003.13678), appendix; pycls MODEL_ZOO.md",
        {**_REGNET, "batch": 1024, "lr": 0.8},
        _CROPS,
    ),
    Published(
        r"regnet[xy]_(032|040|064|080|120)|regnetx_160",
        "Radosavovic et al. 2020 (arXiv:2003.13678), appendix; pycls MODEL_ZOO.md",
        {**_REGNET, "batch": 512, "lr": 0.4},
        _CROPS,
    ),
    Published(
        r"regnety_160|regnet[xy]_320",
        "Radosavovic et al. 2020 (arXiv:2003.13678), appendix; pycls MODEL_ZOO.md",
        {**_REGNET, "batch": 256, "lr": 0.2},
        _CROPS,
    ),
    Published(
        r"regnet(_c)?|anynet(_[bcde])?|resnet_like",
        "pycls configs/archive/cifar",
        {
            "epochs": 200,
            "batch": 128,
            "lr": 0.1,
            "nesterov": True,
            "weight_decay": 5e-4,
            "schedule": "cosine",
        },
    ),
    Published(
        r"resnet(18|34|50|101|152)(_v1)?|plain(18|34)",
        "He et al. 2015 (arXiv:1512.03385), section 3.4: 60 x 10^4 iterations of 256 images",
        _RESNET,
        f"crops by scale of the shorter side, 256 to 480: ours by area; {_CROPS}",
    ),
    Published(
        r"alexnet.*|zfnet.*",
        "Krizhevsky et al. 2012, sections 4 and 5",
        {
            "epochs": 90,
            "batch": 128,
            "lr": 0.01,
            "weight_decay": 5e-4,
            "schedule": "plateau",
            "val_images": 5000,
            "init": "gaussian",
            "normalise": "pixel",
            "pca": 0.1,
            "flip": True,
        },
        "crops of 224 from 256 pixels: ours shift by 4; the test on ten crops",
    ),
    Published(
        r"vgg.*",
        "Simonyan & Zisserman 2014 (arXiv:1409.1556), section 3.1",
        {
            "epochs": 74,
            "batch": 256,
            "lr": 0.01,
            "weight_decay": 5e-4,
            "schedule": "plateau",
            "val_images": 5000,
            "init": "xavier",
            "pca": 0.1,
            **_IMAGENET,
        },
        f"starting from shallower trained networks (the paper's note allows Xavier instead); {_CROPS}",
    ),
    Published(
        r"googlenet.*",
        "Szegedy et al. 2014 (arXiv:1409.4842), section 6; batch and decay: BVLC/caffe bvlc_googlenet",
        {
            "epochs": 60,
            "batch": 32,
            "lr": 0.01,
            "weight_decay": 2e-4,
            "schedule": "step",
            "milestones": _every(8, 60),
            "gamma": 0.96,
            "init": "xavier",
            "ema": 0.9999,
            **_IMAGENET,
        },
        f"photometric distortions; {_CROPS}",
    ),
    Published(
        r"mobilenetv2_.*",
        "pytorch/vision references/classification: 300 epochs, 0.045 x 0.98 per epoch",
        {
            "epochs": 300,
            "batch": 256,
            "lr": 0.045,
            "weight_decay": 4e-5,
            "schedule": "step",
            "milestones": _every(1, 300),
            "gamma": 0.98,
            **_IMAGENET,
        },
        _CROPS,
    ),
    Published(
        r"efficientnet_b\d",
        "Tan & Le 2019 (arXiv:1905.11946), section 5.2",
        {
            "epochs": 350,
            "batch": 4096,
            "optimiser": "rmsprop",
            "lr": 0.256,
            "weight_decay": 1e-5,
            "schedule": "step",
            "milestones": _every(2.4, 350),
            "gamma": 0.97,
            "warmup": 5 / 350,
            "label_smoothing": 0.1,
            "drop_path": 0.2,
            "ema": 0.9999,
            **_IMAGENET,
        },
        f"AutoAugment; drop-path rises over the training, not with depth; {_CROPS}",
    ),
    Published(
        r"convnext_.*",
        "Liu et al. 2022 (arXiv:2201.03545), appendix A.1",
        {
            "epochs": 300,
            "batch": 4096,
            "optimiser": "adamw",
            "lr": 4e-3,
            "weight_decay": 0.05,
            "decay": "weights",
            "schedule": "cosine",
            "warmup": 20 / 300,
            "label_smoothing": 0.1,
            "mixup": 0.8,
            "cutmix": 1.0,
            "drop_path": 0.1,
            "ema": 0.9999,
            **_IMAGENET,
        },
        f"RandAugment, random erasing; drop-path as for tiny, rising over the training; {_CROPS}",
    ),
)
"""The first entry whose pattern fits a name holds."""
