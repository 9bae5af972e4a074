"""AlexNet (Krizhevsky, Sutskever, Hinton 2012) and ZFNet (Zeiler, Fergus 2013, arXiv:1311.2901)."""

from __future__ import annotations

from functools import partial

from cells.conv import PLAIN, Unit, fully_connected
from cells.genome import Genome
from cells.ops import LRN, RELU, BatchNorm, Conv, Dropout, Flatten, Linear, MaxPool, Op, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic

NEIGHBOURS = LRN(5, 5e-4, 0.75, 2.0)
"""Section 3.3: n = 5, alpha = 1e-4 (of a sum, where the op takes a mean), beta = 0.75, k = 2."""


OVERLAPPING = MaxPool(3, 2)
"""Section 3.4: windows of 3 at a distance of 2."""
FIRST = Conv(64, 11, 4, 2)
"""The first convolution of the one tower."""


def alexnet(*, input: Shape, classes: int, groups: int = 2) -> Genome:
    """The network of 2012: local response normalisation and overlapping pools.

    Args:
        groups: of conv 2, 4 and 5: the two towers of section 3.5, which meet in conv 3 only; 1: one tower.
    """
    s = Sketch(input, "AlexNet")
    x = PLAIN(s, s.input, "conv1", Conv(96, 11, 4, 0))
    x = s.chain(x, norm1=NEIGHBOURS, pool1=OVERLAPPING)
    x = PLAIN(s, x, "conv2", Conv(256, 5, groups=groups))
    x = s.chain(x, norm2=NEIGHBOURS, pool2=OVERLAPPING)
    x = PLAIN(s, x, "conv3", Conv(384, 3))
    x = PLAIN(s, x, "conv4", Conv(384, 3, groups=groups))
    x = PLAIN(s, x, "conv5", Conv(256, 3, groups=groups))
    x = s.chain(x, pool5=OVERLAPPING)
    return s.genome(fully_connected(s, x, "classifier", classes, 4096, 4096))


def one_tower(
    *,
    input: Shape,
    classes: int,
    unit: Unit = PLAIN,
    first: Conv = FIRST,
    pool: Op = OVERLAPPING,
    widths: tuple[int, ...] = (4096, 4096),
) -> Genome:
    """The network of "One weird trick for parallelizing CNNs" (Krizhevsky 2014, arXiv:1404.5997).

    No normalisation, 64-192-384-256-256 filters, and dropout before the fully connected layers, not after.
    """
    s = Sketch(input, "AlexNet")
    x = unit(s, s.input, "conv1", first)
    x = unit(s, s.add("pool1", pool, x), "conv2", Conv(192, 5))
    x = unit(s, s.add("pool2", pool, x), "conv3", Conv(384, 3))
    x = unit(s, x, "conv4", Conv(256, 3))
    x = unit(s, x, "conv5", Conv(256, 3))
    x = s.add("pool5", pool, x)
    with s.block("classifier", "Classifier"):
        x = s.chain(x, flatten=Flatten())
        for i, width in enumerate(widths, 1):
            x = s.chain(x, **{f"drop{i}": Dropout(), f"fc{i}": Linear(width), f"relu{i}": RELU})
        x = s.add(f"fc{len(widths) + 1}", Linear(classes), x)
    return s.genome(x)


def zfnet(*, input: Shape, classes: int, widths: tuple[int, int, int] = (384, 384, 256)) -> Genome:
    """Figure 3: AlexNet with 7x7 filters of stride 2 in front, so that no frequencies are lost.

    Args:
        widths: filters of conv 3, 4 and 5.
    """
    s = Sketch(input, "ZFNet")
    x = PLAIN(s, s.input, "conv1", Conv(96, 7, 2, 1))
    x = s.chain(x, pool1=MaxPool(3, 2, 1), norm1=NEIGHBOURS)
    x = PLAIN(s, x, "conv2", Conv(256, 5, 2, 0))
    x = s.chain(x, pool2=MaxPool(3, 2, 1), norm2=NEIGHBOURS)
    for number, width in enumerate(widths, 3):
        x = PLAIN(s, x, f"conv{number}", Conv(width, 3))
    x = s.chain(x, pool5=OVERLAPPING)
    return s.genome(fully_connected(s, x, "classifier", classes, 4096, 4096))


_WHAT = "ReLU, dropout and two GPUs made a deep network win ImageNet"

classic(
    "alexnet",
    one_tower,
    """AlexNet in one tower (Krizhevsky 2014): the network of 2012 without its split over two GPUs.

    ImageNet top-1 accuracy 56.5% (torchvision 0.28.0 alexnet, IMAGENET1K_V1).
    """,
    aliases=("alexnet_one_tower", "AlexNet (one-tower, torchvision)", "AlexNet (one-tower) @227"),
)
classic(
    "alexnet_bn",
    partial(one_tower, unit=Unit(norm=BatchNorm())),
    "AlexNet in one tower with batch norm (Ioffe & Szegedy 2015) in the place of the convolutions' biases.",
)
classic(
    "alexnet_two_tower",
    alexnet,
    f"""AlexNet (Krizhevsky et al. 2012), two towers with LRN: {_WHAT}.

    ImageNet top-5 error: validation 18.2% for one network, test 15.3% for seven (the paper, table 2).
    """,
    input=(3, 227, 227),
    aliases=("alexnet_paper", "bvlc_alexnet", "AlexNet (two-tower groups=2, 227)"),
)
classic(
    "alexnet_ungrouped",
    partial(alexnet, groups=1),
    f"AlexNet (Krizhevsky et al. 2012) without groups, as lectures count it: {_WHAT}.",
    input=(3, 227, 227),
    aliases=("alexnet_227", "AlexNet (ungrouped 227, CS231n slides)"),
)
classic(
    "alexnet_cifar10",
    partial(one_tower, first=Conv(64, 11, 4), pool=MaxPool(2, 2), widths=()),
    "AlexNet for 32x32 (W. Yang, bearpaw/pytorch-classification): smaller pools and a single linear layer.",
    input=(3, 32, 32),
    classes=10,
    aliases=("AlexNet CIFAR (bearpaw)",),
)
classic(
    "zfnet",
    zfnet,
    """ZFNet (Zeiler & Fergus 2013): pictures of what AlexNet's layers see led to finer first layers.

    ImageNet top-5 validation error 16.5% for one network (the paper, table 2).
    """,
    aliases=("ZFNet", "ZFNet (paper: 384/384/256)"),
)
classic(
    "zfnet_big",
    partial(zfnet, widths=(512, 1024, 512)),
    """ZFNet with 512, 1024 and 512 filters (Zeiler & Fergus 2013): the wider one, which lectures show.

    ImageNet top-5 validation error 16.0% for one network (the paper, table 2).
    """,
    aliases=("zfnet_b", "ZFNet-big (CS231n: 512/1024/512)"),
)
