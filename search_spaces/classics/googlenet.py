"""GoogLeNet (Szegedy et al. 2014, arXiv:1409.4842), BN-Inception (Ioffe & Szegedy 2015, arXiv:1502.03167)."""

from __future__ import annotations

from functools import partial

from cells.conv import PLAIN, Unit
from cells.genome import Genome
from cells.inception import LARGEST, bn_reduction, inception, inception_a, naive_inception
from cells.ops import (
    LRN,
    RELU,
    AdaptivePool,
    AvgPool,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Invalid,
    Linear,
    MaxPool,
    Op,
    Shape,
)
from cells.sketch import Sketch, Value
from search_spaces.registry import classic

HALF = MaxPool(3, 2, ceil=True)
AUX_POOL = AvgPool(5, 3)

MODULES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5 and pool proj of modules 3a-3b, 4a-4e and 5a-5b."""


def auxiliary(s: Sketch, x: Value, name: str, classes: int, unit: Unit, pool: Op) -> Value:
    """A classifier on the side that feeds gradient into the middle of the network (section 5)."""
    with s.block(name, "Auxiliary"):
        x = unit(s, s.add("pool", pool, x), "conv", Conv(128))
        return s.chain(
            x, flatten=Flatten(), fc1=Linear(1024), relu=RELU, drop=Dropout(0.7), fc2=Linear(classes)
        )


def _fits(op: Op, x: Value) -> bool:
    try:
        op.shape(x.shape)
    except Invalid:
        return False
    return True


def googlenet(
    *,
    input: Shape,
    classes: int,
    unit: Unit = PLAIN,
    lrn: bool = True,
    kernel: int = 5,
    last_pool: Op = HALF,
    aux_pool: Op = AUX_POOL,
    p: float = 0.4,
) -> Genome:
    """Table 1: a stem, nine inception modules, and auxiliary classifiers on 4a and 4d.

    Those are drawn where their pool fits: AvgPool(5, 3) from a map of 5x5 on, an input of about 80 pixels.

    Args:
        lrn: local response normalisation in the stem.
        kernel: extent of the modules' "5x5".
        last_pool: between modules 4e and 5a.
        aux_pool: in front of an auxiliary classifier.
        p: dropout in front of the classifier.
    """
    s = Sketch(input, "GoogLeNet")
    x = s.add("pool1", HALF, unit(s, s.input, "conv1", Conv(64, 7, 2)))
    if lrn:
        x = s.add("norm1", LRN(), x)
    x = unit(s, unit(s, x, "conv2", Conv(64)), "conv3", Conv(192, 3))
    if lrn:
        x = s.add("norm2", LRN(), x)
    aux: list[Value] = []
    for i, (modules, pool) in enumerate(zip(MODULES, (HALF, HALF, last_pool), strict=True), 3):
        x = s.add(f"pool{i - 1}", pool, x)
        for j, widths in enumerate(modules):
            x = inception(s, x, f"inception{i}.{j}", *widths, unit=unit, kernel=kernel)
            if i == 4 and j in (0, 3) and _fits(aux_pool, x):
                aux.append(auxiliary(s, x, f"aux{len(aux) + 1}", classes, unit, aux_pool))
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), drop=Dropout(p), fc=Linear(classes))
    return s.genome(x, aux=tuple(aux))


def bn_inception(*, input: Shape, classes: int, unit: Unit, proj_4c: int) -> Genome:
    """Figure 5: two 3x3 for each 5x5, batch norm, and strided modules for the pools between stages.

    Args:
        proj_4c: pool proj of modules 4c and 4d: 96 in the paper, 128 in what was released for Caffe.
    """
    s = Sketch(input, "BNInception")
    average = AvgPool(3, 1, 1, count_include_pad=True)
    x = s.add("pool1", HALF, unit(s, s.input, "conv1", Conv(64, 7, 2)))
    x = unit(s, unit(s, x, "conv2", Conv(64)), "conv3", Conv(192, 3))
    x = s.add("pool2", HALF, x)
    x = inception_a(s, x, "inception3.0", 64, 64, 64, 64, 96, 32, unit=unit, pool=average)
    x = inception_a(s, x, "inception3.1", 64, 64, 96, 64, 96, 64, unit=unit, pool=average)
    x = bn_reduction(s, x, "inception3.2", 128, 160, 64, 96, unit=unit)
    for j, widths in enumerate(
        (
            (224, 64, 96, 96, 128, 128),
            (192, 96, 128, 96, 128, 128),
            (160, 128, 160, 128, 160, proj_4c),
            (96, 128, 192, 160, 192, proj_4c),
        )
    ):
        x = inception_a(s, x, f"inception4.{j}", *widths, unit=unit, pool=average)
    x = bn_reduction(s, x, "inception4.4", 128, 192, 192, 256, unit=unit)
    x = inception_a(s, x, "inception5.0", 352, 192, 320, 160, 224, 128, unit=unit, pool=average)
    x = inception_a(s, x, "inception5.1", 352, 192, 320, 192, 224, 128, unit=unit, pool=LARGEST)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


def module(*, input: Shape, classes: int, naive: bool) -> Genome:
    """One inception module, without its reductions if `naive`; a classifier follows unless `classes` is 0."""
    s = Sketch(input, "InceptionModule")
    if naive:
        x = naive_inception(s, s.input, "inception", 128, 192, 96)
    else:
        x = inception(s, s.input, "inception", 128, 64, 192, 64, 96, 64)
    if classes:
        with s.block("head", "Head"):
            x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


_WHAT = "modules of several filter sizes side by side, 22 layers on 12 times fewer parameters than AlexNet"
_OPERATIONS = "256 maps of 28x28 in, multiply-adds as in the lectures: "

classic(
    "googlenet_paper",
    googlenet,
    f"""GoogLeNet (Szegedy et al. 2014) as published, 5x5 filters, LRN and no batch norm: {_WHAT}.

    ImageNet top-5 error 6.67% for an ensemble of seven (the paper, table 2); 31.3% top-1 and 11.1% top-5
    for one network (BVLC/caffe bvlc_googlenet).
    """,
    aliases=("bvlc_googlenet", "inception_v1", "GoogLeNet (paper/Caffe, no aux)"),
)
classic(
    "googlenet",
    partial(
        googlenet,
        unit=Unit(norm=BatchNorm(eps=0.001)),
        lrn=False,
        kernel=3,
        last_pool=MaxPool(2, 2, ceil=True),
        aux_pool=AdaptivePool(4),
        p=0.2,
    ),
    f"""GoogLeNet (Szegedy et al. 2014) as torchvision has it, batch norm and 3x3 for 5x5: {_WHAT}.

    ImageNet top-1 accuracy 69.8% (torchvision 0.28.0 googlenet, IMAGENET1K_V1).
    """,
    aliases=(
        "googlenet_bn",
        "GoogLeNet-BN (torchvision, no aux)",
        "GoogLeNet-BN (torchvision, aux heads in params)",
    ),
)
classic(
    "bn_inception",
    partial(bn_inception, unit=Unit(norm=BatchNorm(), bias=True), proj_4c=128),
    """BN-Inception (Ioffe & Szegedy 2015) as released for Caffe: batch norm, 14 times fewer steps.

    ImageNet top-1 error 25.2% for one network (the paper, figure 4).
    """,
    aliases=("bninception", "BN-Inception (Inception-v2)"),
)
classic(
    "bn_inception_paper",
    partial(bn_inception, unit=Unit(norm=BatchNorm()), proj_4c=96),
    """BN-Inception (Ioffe & Szegedy 2015) by its table: batch norm, 14 times fewer steps.

    ImageNet top-1 error 25.2% for one network (the paper, figure 4).
    """,
)
classic(
    "inception_module_naive",
    partial(module, naive=True),
    f"The naive inception module (Szegedy et al. 2014, figure 2a): {_OPERATIONS}854,196,224.",
    input=(256, 28, 28),
    classes=0,
    aliases=("naive_inception", "Inception module toy (naive, seed lecture)"),
)
classic(
    "inception_module",
    partial(module, naive=False),
    f"The inception module (Szegedy et al. 2014, figure 2b), reduced by 1x1: {_OPERATIONS}271,351,808.",
    input=(256, 28, 28),
    classes=0,
    aliases=("Inception module toy (bottleneck, seed lecture)",),
)
