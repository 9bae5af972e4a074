"""MobileNets: v1 (Howard et al. 2017), v2 (Sandler et al. 2018) and v3 (Howard et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells.genome import Genome
from cells.mobile import HARDSIGMOID, HARDSWISH, depthwise_separable, rounded
from cells.ops import RELU, Activation, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch
from search_spaces.mobile import Row, features, network, scaled
from search_spaces.registry import classic

# Output channels and stride of the thirteen depthwise separable convolutions (v1, table 1).
V1 = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)

# "Fast downsampling": stride 32 after six layers (Qin et al. 2018, arXiv:1802.03750, table 1).
FD = (
    *((64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 4,
    *((1024, 1),),
)

# t, c, n, s (v2, table 2).
V2 = (
    Row(1, 16, 1, 1),
    Row(6, 24, 2, 2),
    Row(6, 32, 3, 2),
    Row(6, 64, 4, 2),
    Row(6, 96, 3, 1),
    Row(6, 160, 3, 2),
    Row(6, 320, 1, 1),
)

# v3, tables 1 and 2; the expanded widths are given there, here as multiples of the input's.
V3_LARGE = (
    Row(1, 16, 1, 1, act=RELU),
    Row(4, 24, 1, 2, act=RELU),
    Row(3, 24, 1, 1, act=RELU),
    Row(3, 40, 3, 2, 5, se=True, act=RELU),
    Row(6, 80, 1, 2),
    Row(2.5, 80, 1, 1),
    Row(2.3, 80, 2, 1),
    Row(6, 112, 2, 1, se=True),
    Row(6, 160, 3, 2, 5, se=True),
)
V3_SMALL = (
    Row(1, 16, 1, 2, se=True, act=RELU),
    Row(4.5, 24, 1, 2, act=RELU),
    Row(88 / 24, 24, 1, 1, act=RELU),
    Row(4, 40, 1, 2, 5, se=True),
    Row(6, 40, 2, 1, 5, se=True),
    Row(3, 48, 2, 1, 5, se=True),
    Row(6, 96, 3, 2, 5, se=True),
)


def mobilenet_v1(
    layers: tuple[tuple[int, int], ...], alpha: float, *, input: Shape = (3, 224, 224), classes: int = 1000
) -> Genome:
    """A 3x3 convolution and depthwise separable ones, all `alpha` times as wide as in the table."""
    s = Sketch(input, "MobileNet")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(int(32 * alpha), 3, stride=2), bn=BatchNorm(), relu=RELU)
    for i, (width, stride) in enumerate(layers):
        x = depthwise_separable(s, x, f"blocks.{i}", int(width * alpha), stride=stride)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


def mobilenet_v2(alpha: float, *, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
    """Table 2 `alpha` times as wide; the last convolution never narrower than 1280 (section 6.1)."""
    return network(
        "MobileNetV2",
        input,
        classes,
        scaled(V2, alpha),
        stem=rounded(32 * alpha),
        head=rounded(1280 * max(1, alpha)),
    )


def searched_network(
    kind: str,
    input: Shape,
    classes: int,
    rows: Sequence[Row],
    *,
    stem: int,
    head: int,
    hidden: int,
    act: Activation = HARDSWISH,
    convolutional: bool = True,
) -> Genome:
    """Stem, rows with hard gates, a head that pools before its last hidden layer (v3, figure 5).

    Args:
        head: channels of the head's convolution.
        hidden: width of its hidden layer.
        convolutional: the hidden layer is a 1x1 convolution, as in the paper's tables and in timm, not a
            linear layer, as in torchvision: one function, but only a convolution's outputs count as
            activations.
    """
    s = Sketch(input, kind)
    x = features(
        s,
        rows,
        stem=stem,
        act=act,
        gate=(RELU, HARDSIGMOID),
        squeeze=lambda c, t: rounded(rounded(t * c) / 4),
    )
    with s.block("head", "Head"):
        x = s.chain(x, conv=Conv(head, 1), bn=BatchNorm(), act=act, pool=GlobalPool())
        if convolutional:
            x = s.chain(x, hidden=Conv(hidden, 1, bias=True), hidden_act=act, flatten=Flatten())
        else:
            x = s.chain(x, flatten=Flatten(), hidden=Linear(hidden), hidden_act=act)
        x = s.chain(x, dropout=Dropout(0.2), fc=Linear(classes))
    return s.genome(x)


def mobilenet_v3(
    size: str,
    alpha: float = 1,
    *,
    minimal: bool = False,
    convolutional: bool = False,
    input: Shape = (3, 224, 224),
    classes: int = 1000,
) -> Genome:
    """The "large" or the "small" table `alpha` times as wide; the stem never narrower than 16.

    Args:
        minimal: no squeeze-and-excitation, no 5x5, no hard-swish ("minimalistic" in their code).
    """
    rows = scaled(V3_LARGE if size == "large" else V3_SMALL, alpha)
    if minimal:
        rows = [row._replace(k=3, se=False, act=RELU) for row in rows]
    return searched_network(
        "MobileNetV3",
        input,
        classes,
        rows,
        stem=rounded(16 * max(1, alpha)),
        head=6 * rows[-1].c,
        hidden=rounded((1280 if size == "large" else 1024) * max(1, alpha)),
        act=RELU if minimal else HARDSWISH,
        convolutional=convolutional,
    )


# ImageNet top-1: v1 paper, tables 6 and 7; v2 as in tensorflow/models; v3 paper, table 3, and their README.
for _alpha, _top1 in ((0.25, 50.6), (0.5, 63.7), (0.75, 68.4), (1.0, 70.6)):
    classic(
        f"mobilenetv1_{_alpha * 100:03.0f}",
        partial(mobilenet_v1, V1, _alpha),
        f"""MobileNetV1 {_alpha}x (Howard et al. 2017): depthwise separable convolutions, a width multiplier.

        ImageNet top-1 {_top1}% (arXiv:1704.04861, table 6).
        """,
        aliases=(f"MobileNetV1 {_alpha}x", f"mobilenet_v1_{_alpha}"),
    )
for _r, _top1 in ((128, 64.4), (160, 67.2), (192, 69.1)):
    classic(
        f"mobilenetv1_100_{_r}",
        partial(mobilenet_v1, V1, 1.0),
        f"""MobileNetV1 at {_r} pixels (Howard et al. 2017): the paper's resolution multiplier.

        ImageNet top-1 {_top1}% (arXiv:1704.04861, table 7).
        """,
        input=(3, _r, _r),
        aliases=(f"MobileNetV1 1.0x @{_r}",),
    )
for _alpha, _name in ((0.25, "wd4"), (0.5, "wd2"), (0.75, "w3d4"), (1.0, "w1")):
    classic(
        f"fdmobilenet_{_name}",
        partial(mobilenet_v1, FD, _alpha),
        f"FD-MobileNet {_alpha}x (Qin et al. 2018, arXiv:1802.03750): MobileNetV1 with early strides.",
        aliases=(f"FD-MobileNet {_alpha}x",),
    )
for _alpha, _top1 in ((0.35, 60.3), (0.5, 65.4), (0.75, 69.8), (1.0, 71.8), (1.3, 74.4), (1.4, 75.0)):
    classic(
        f"mobilenetv2_{_alpha * 100:03.0f}",
        partial(mobilenet_v2, _alpha),
        f"""MobileNetV2 {_alpha}x (Sandler et al. 2018): inverted residuals with linear bottlenecks.

        ImageNet top-1 {_top1}% (tensorflow/models, mobilenet_v2).
        """,
        aliases=(f"MobileNetV2 {_alpha}x", *(("mobilenet_v2", "MobileNetV2") if _alpha == 1 else ())),
    )
for _size, _alpha, _top1 in (
    ("large", 1.0, 75.2),
    ("large", 0.75, 73.3),
    ("small", 1.0, 67.4),
    ("small", 0.75, 65.4),
    ("small", 0.5, 57.9),
):
    _label = f"MobileNetV3-{_size.capitalize()}"
    classic(
        f"mobilenetv3_{_size}_{_alpha * 100:03.0f}",
        partial(mobilenet_v3, _size, _alpha, convolutional=_alpha != 1),
        f"""{_label} {_alpha}x (Howard et al. 2019): found by search, with hard-swish and a cheaper head.

        ImageNet top-1 {_top1}% ({"timm" if _alpha == 0.5 else "arXiv:1905.02244, table 3"}).
        """,
        aliases=(f"{_label} {_alpha}x", *((_label, f"mobilenet_v3_{_size}") if _alpha == 1 else ())),
    )
for _size, _top1 in (("large", 72.3), ("small", 61.9)):
    _label = f"MobileNetV3-{_size.capitalize()}"
    classic(
        f"tf_mobilenetv3_{_size}_minimal_100",
        partial(mobilenet_v3, _size, minimal=True, convolutional=True),
        f"""{_label} minimalistic (Howard et al. 2019, their repository): v3 of plain parts for any device.

        ImageNet top-1 {_top1}% (tensorflow/models, mobilenet_v3).
        """,
        aliases=(f"{_label} minimalistic",),
    )
