"""LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition").

New: convolutions with shared weights, subsampling and a classifier, trained as one by gradient descent.
MNIST test error of the paper: 0.95% (section III.B).
"""

from __future__ import annotations

from functools import partial

from cells.conv import Unit
from cells.genome import Genome
from cells.ops import (
    RBF,
    RELU,
    Activation,
    AvgPool,
    Concat,
    Conv,
    Depthwise,
    Flatten,
    Linear,
    MaxPool,
    Op,
    ScaledTanh,
    Select,
    Shape,
)
from cells.sketch import Sketch, Value
from search_spaces.registry import classic

TANH = Activation("tanh")
MEAN = AvgPool(2, 2)


def lenet5(
    *, input: Shape, classes: int, act: Op = TANH, pool: Op = MEAN, convolutional: bool = False
) -> Genome:
    """C1, S2, C3, S4, C5, F6 and the output as they are drawn today: C3 dense, S2 and S4 without weights.

    Args:
        convolutional: C5 as the 5x5 convolution that the paper calls it, not as a fully connected layer.
    """
    s, unit = Sketch(input, "LeNet5"), Unit(norm=None, bias=True, act=act)
    x = unit(s, s.input, "c1", Conv(6, 5, padding=0))
    x = s.add("s2", pool, x)
    x = unit(s, x, "c3", Conv(16, 5, padding=0))
    x = s.add("s4", pool, x)
    if convolutional:
        x = unit(s, x, "c5", Conv(120, 5, padding=0))
        x = s.chain(x, flatten=Flatten())
    else:
        x = s.chain(x, flatten=Flatten(), c5=Linear(120), act5=act)
    return s.genome(s.chain(x, f6=Linear(84), act6=act, output=Linear(classes)))


TABLE = (
    ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    ((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    ((0, 1, 2, 3, 4, 5),),
)
"""Table I: the maps of S2 that each of the 16 maps of C3 reads: three, four in a row, four apart, all."""


def _subsample(s: Sketch, x: Value, name: str) -> Value:
    """The mean of 2x2 units, times a trainable coefficient, plus a trainable bias, squashed."""
    with s.block(name, "Subsampling"):
        return s.chain(x, mean=MEAN, scale=Depthwise(bias=True), act=ScaledTanh())


def lenet5_1998(*, input: Shape, classes: int) -> Genome:
    """LeNet-5 of section II.B: seven layers, 60,000 trainable parameters, 340,908 connections."""
    s, unit = Sketch(input, "LeNet5"), Unit(norm=None, bias=True, act=ScaledTanh())
    x = unit(s, s.input, "c1", Conv(6, 5, padding=0))
    x = _subsample(s, x, "s2")
    with s.block("c3", "TableConv"):
        parts: list[Value] = []
        for number, maps in enumerate(TABLE, 1):
            read = tuple(channel for group in maps for channel in group)
            picked = s.add(f"pick{number}", Select(read), x) if len(maps) > 1 else x
            conv = Conv(len(maps), 5, padding=0, bias=True, groups=len(maps))
            parts.append(s.add(f"conv{number}", conv, picked))
        x = s.chain(s.add("concat", Concat(), *parts), act=ScaledTanh())
    x = _subsample(s, x, "s4")
    x = unit(s, x, "c5", Conv(120, 5, padding=0))
    x = s.chain(x, flatten=Flatten(), f6=Linear(84), act6=ScaledTanh(), output=RBF(classes))
    return s.genome(x)


def lenet_caffe(*, input: Shape, classes: int) -> Genome:
    """Caffe's MNIST example: 20 and 50 filters, max pools, 500 units and the network's only ReLU."""
    s = Sketch(input, "LeNet")
    x = s.chain(
        s.input,
        conv1=Conv(20, 5, padding=0, bias=True),
        pool1=MaxPool(2, 2),
        conv2=Conv(50, 5, padding=0, bias=True),
        pool2=MaxPool(2, 2),
        flatten=Flatten(),
        ip1=Linear(500),
        relu1=RELU,
        ip2=Linear(classes),
    )
    return s.genome(x)


_DIGITS = (1, 32, 32)
_WHAT = "shared weights, subsampling and classifier trained as one by gradient descent"
_ERROR = "MNIST test error 0.95% (LeCun et al. 1998, section III.B)."

classic(
    "lenet5",
    lenet5,
    f"LeNet-5 (LeCun et al. 1998) with a dense C3 and plain average pooling: {_WHAT}.\n\n{_ERROR}",
    input=_DIGITS,
    classes=10,
    aliases=("lenet", "lenet-5", "LeNet-5", "LeNet-5 (modern dense C3)"),
)
classic(
    "lenet5_c5conv",
    partial(lenet5, convolutional=True),
    f"LeNet-5 (LeCun et al. 1998), dense C3, C5 as a convolution: {_WHAT}.\n\n{_ERROR}",
    input=_DIGITS,
    classes=10,
    aliases=("LeNet-5 (C5 as conv)",),
)
classic(
    "lenet5_relu",
    partial(lenet5, act=RELU, pool=MaxPool(2, 2)),
    "LeNet-5 (LeCun et al. 1998) with ReLU and max pooling, as it is taught since AlexNet.",
    input=_DIGITS,
    classes=10,
)
classic(
    "lenet5_1998",
    lenet5_1998,
    f"LeNet-5 (LeCun et al. 1998) as published, C3 by table, trainable subsampling, RBF output: {_WHAT}."
    f"\n\n{_ERROR}",
    input=_DIGITS,
    classes=10,
    aliases=("lenet5_original",),
)
classic(
    "lenet_caffe",
    lenet_caffe,
    "LeNet of Caffe's MNIST example (Jia et al. 2014, bvlc/caffe): LeNet-5's order with max pooling.",
    input=(1, 28, 28),
    classes=10,
    aliases=("LeNet (Caffe MNIST)",),
)
