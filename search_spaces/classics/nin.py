"""Network in network (Lin, Chen, Yan 2013, arXiv:1312.4400)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells.conv import PLAIN, Unit, run
from cells.genome import Genome
from cells.ops import AvgPool, BatchNorm, Conv, Dropout, Flatten, GlobalPool, MaxPool, Op, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic

Mlpconv = tuple[Conv, int, int]
"""A convolution and the filters of the two 1x1 behind it: a perceptron that slides over the map."""


def nin(
    *,
    input: Shape,
    classes: int,
    mlpconvs: Sequence[Mlpconv],
    last: tuple[Conv, int],
    between: Sequence[Sequence[Op]],
    unit: Unit = PLAIN,
) -> Genome:
    """Mlpconv layers, the last of which has a map for each class, and global average pooling.

    Args:
        last: the last mlpconv, but for its second 1x1, which has as many filters as there are classes.
        between: what follows each mlpconv but the last.
    """
    s = Sketch(input, "NIN")
    x = s.input
    stages = [*mlpconvs, (*last, classes)]
    for i, (conv, n1, n2) in enumerate(stages):
        rest = between[i] if i < len(between) else ()
        x = run(s, x, f"mlpconvs.{i}", unit, conv, Conv(n1), Conv(n2), *rest)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten()))


_HALF = MaxPool(3, 2, ceil=True)

imagenet = partial(
    nin,
    mlpconvs=[(Conv(96, 11, 4, 0), 96, 96), (Conv(256, 5), 256, 256), (Conv(384, 3), 384, 384)],
    last=(Conv(1024, 3), 1024),
    between=[[_HALF], [_HALF], [_HALF, Dropout()]],
)
cifar = partial(
    nin,
    mlpconvs=[(Conv(192, 5), 160, 96), (Conv(192, 5), 192, 192)],
    last=(Conv(192, 3), 192),
    between=[[_HALF, Dropout()], [AvgPool(3, 2, ceil=True), Dropout()]],
)

_WHAT = "1x1 convolutions between the others, and global average pooling for fully connected layers"
_BN = Unit(norm=BatchNorm())
_ERROR = "CIFAR-10 test error 10.41% without data augmentation, 8.81% with it (the paper, table 1)."

classic(
    "nin",
    imagenet,
    f"NIN (Lin et al. 2013) for ImageNet, as in Caffe's model zoo: {_WHAT}.",
    aliases=("NIN", "nin_imagenet", "NIN ImageNet @224", "NIN ImageNet @227"),
)
classic(
    "nin_bn", partial(imagenet, unit=_BN), f"NIN (Lin et al. 2013) for ImageNet with batch norm: {_WHAT}."
)
classic(
    "nin_cifar10",
    cifar,
    f"NIN (Lin et al. 2013) for CIFAR: {_WHAT}.\n\n{_ERROR}",
    input=(3, 32, 32),
    classes=10,
)
classic(
    "nin_cifar10_bn",
    partial(cifar, unit=_BN),
    f"NIN (Lin et al. 2013) for CIFAR with batch norm: {_WHAT}.",
    input=(3, 32, 32),
    classes=10,
)
