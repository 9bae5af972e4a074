"""SqueezeNet (Iandola et al. 2016, arXiv:1602.07360)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells.genome import Genome
from cells.mobile import fire
from cells.ops import RELU, Conv, Dropout, Flatten, GlobalPool, MaxPool, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic

# s1x1 and e1x1 = e3x3 of fire2 to fire9 (table 1).
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))


def squeezenet(
    conv1: Conv, pools: Sequence[int], *, input: Shape = (3, 224, 224), classes: int = 1000
) -> Genome:
    """A convolution, eight fire modules, a 1x1 to the classes and global pooling.

    Args:
        pools: the fire modules in front of which the feature map is halved, counted as in the paper.
    """
    s = Sketch(input, "SqueezeNet")
    x = s.chain(s.input, conv1=conv1, relu1=RELU, pool1=MaxPool(3, 2, ceil=True))
    for i, (s1x1, e) in enumerate(FIRES, 2):
        if i in pools:
            x = s.add(f"pool{i - 1}", MaxPool(3, 2, ceil=True), x)
        x = fire(s, x, f"fire{i}", s1x1, e, e)
    with s.block("head", "Head"):
        x = s.chain(x, dropout=Dropout(0.5), conv10=Conv(classes, 1, bias=True), relu=RELU)
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten())
    return s.genome(x)


classic(
    "squeezenet1_0",
    partial(squeezenet, Conv(96, 7, stride=2, padding=0, bias=True), (5, 9)),
    """SqueezeNet 1.0 (Iandola et al. 2016): fire modules, AlexNet's accuracy with 2% of its weights.

    ImageNet top-1 57.5% (paper, table 2).
    """,
    aliases=("SqueezeNet 1.0", "squeezenet_v1_0"),
)
classic(
    "squeezenet1_1",
    partial(squeezenet, Conv(64, 3, stride=2, padding=0, bias=True), (4, 6)),
    """SqueezeNet 1.1 (Iandola et al. 2016, their repository): a 3x3 stem, earlier pooling, 2.4 times cheaper.

    ImageNet accuracy as that of 1.0 (the repository's README).
    """,
    aliases=("SqueezeNet 1.1", "squeezenet_v1_1"),
)
