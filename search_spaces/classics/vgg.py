"""VGG (Simonyan, Zisserman 2014, arXiv:1409.1556): configurations A-E of table 1."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells.conv import PLAIN, Unit, fully_connected, run
from cells.genome import Genome
from cells.ops import BatchNorm, Conv, MaxPool, Op, Shape
from cells.sketch import Sketch
from search_spaces.classics.alexnet import NEIGHBOURS
from search_spaces.registry import classic

WIDTHS = (64, 128, 256, 512, 512)
POOL = MaxPool(2, 2)


def vgg(
    *,
    input: Shape,
    classes: int,
    layers: Sequence[int],
    unit: Unit = PLAIN,
    kernel: int = 3,
    lrn: Sequence[Op] = (),
    fc: Sequence[int] = (4096, 4096),
) -> Genome:
    """Five stages of 3x3 convolutions, each closed by a max pool.

    Args:
        layers: convolutions per stage.
        kernel: extent of the third convolution of a stage; 1 in configuration C.
        lrn: what follows the first convolution: local response normalisation in A-LRN.
        fc: widths of the hidden fully connected layers.
    """
    s = Sketch(input, "VGG")
    x = s.input
    for i, (depth, width) in enumerate(zip(layers, WIDTHS, strict=True)):
        convs: list[Op] = [Conv(width, kernel if j == 2 else 3) for j in range(depth)]
        if i == 0:
            convs[1:1] = lrn
        x = run(s, x, f"stages.{i}", unit, *convs, POOL)
    return s.genome(fully_connected(s, x, "classifier", classes, *fc))


LAYERS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions per stage of configurations A, B, D and E by depth."""


def cnn_m(*, input: Shape, classes: int) -> Genome:
    """CNN-M of Chatfield et al. 2014 (arXiv:1405.3531), table 1: five convolutions, between ZFNet and VGG."""
    s = Sketch(input, "CNNM")
    x = PLAIN(s, s.input, "conv1", Conv(96, 7, 2, 0))
    x = s.chain(x, norm1=NEIGHBOURS, pool1=MaxPool(3, 2))
    x = PLAIN(s, x, "conv2", Conv(256, 5, 2, 1))
    x = s.chain(x, norm2=NEIGHBOURS, pool2=MaxPool(3, 2, ceil=True))
    for number in (3, 4, 5):
        x = PLAIN(s, x, f"conv{number}", Conv(512, 3))
    x = s.chain(x, pool5=MaxPool(3, 2))
    return s.genome(fully_connected(s, x, "classifier", classes, 4096, 4096))


_BN = Unit(norm=BatchNorm(), bias=True)
_LETTER = {11: "A", 13: "B", 16: "D", 19: "E"}
_ERROR = {11: 29.6, 13: 28.7, 16: 27.0, 19: 27.3}
_BN_ACCURACY = {11: 70.37, 13: 71.586, 16: 73.36, 19: 74.218}

for _depth, _layers in LAYERS.items():
    _letter = _LETTER[_depth]
    classic(
        f"vgg{_depth}",
        partial(vgg, layers=_layers),
        f"""VGG-{_depth} (Simonyan & Zisserman 2014), configuration {_letter}: only 3x3 filters, stacked deep.

        ImageNet top-1 error {_ERROR[_depth]}% at a single scale of 256 (the paper, table 3).
        """,
        aliases=(f"VGG-{_depth}", f"vgg_{_letter.lower()}"),
    )
    classic(
        f"vgg{_depth}_bn",
        partial(vgg, layers=_layers, unit=_BN),
        f"""VGG-{_depth} with batch norm (torchvision), which makes it trainable from scratch; biases stay.

        ImageNet top-1 accuracy {_BN_ACCURACY[_depth]}% (torchvision vgg{_depth}_bn, IMAGENET1K_V1).
        """,
        aliases=(f"VGG-{_depth}-BN",),
    )

classic(
    "vgg_a_lrn",
    partial(vgg, layers=LAYERS[11], lrn=(NEIGHBOURS,)),
    """VGG A-LRN (Simonyan & Zisserman 2014): A with local response normalisation, which did not help.

    ImageNet top-1 error 29.7% at a single scale of 256, against 29.6% without (the paper, table 3).
    """,
    aliases=("VGG-A-LRN",),
)
classic(
    "vgg_c",
    partial(vgg, layers=LAYERS[16], kernel=1),
    """VGG C (Simonyan & Zisserman 2014): 16 layers, three of them 1x1: more non-linearity, no more context.

    ImageNet top-1 error 28.1% at a single scale of 256, against 27.0% for D (the paper, table 3).
    """,
    aliases=("VGG-C", "vgg16_c", "VGG-C (1x1 convs)"),
)
classic(
    "vgg16_bn_cifar10",
    partial(vgg, layers=LAYERS[16], unit=_BN, fc=()),
    "VGG-16 with batch norm for 32x32 (W. Yang, bearpaw/pytorch-classification): a single linear layer.",
    input=(3, 32, 32),
    classes=10,
    aliases=("VGG-16-BN CIFAR (conv only + 1 fc)",),
)
classic(
    "vgg_m",
    cnn_m,
    "CNN-M (Chatfield et al. 2014): what details of design and augmentation do for a network like ZFNet.",
    input=(3, 221, 221),
    aliases=("VGG-M", "VGG-M @221"),
)
