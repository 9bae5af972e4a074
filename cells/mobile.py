"""Blocks of networks for small devices: fire, separable, inverted residual and ghost.

Batch norms have torch's constants, whatever those of the first implementation were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cells.ops import (
    RELU,
    SIGMOID,
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Chunk,
    Concat,
    Conv,
    Depthwise,
    MaxPool,
)
from cells.residual import squeeze_excite
from cells.sketch import Sketch, Value

RELU6 = Activation("relu6")
SILU = Activation("silu")
HARDSWISH = Activation("hardswish")
HARDSIGMOID = Activation("hardsigmoid")

Skip = Literal["identity", "pool", "none"]
"""What is added to a block's output where the shape stays: its input, that averaged over 3x3, or nothing."""

Gate = tuple[Activation, Activation]
"""The two activations of squeeze-and-excitation."""


def rounded(width: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, never below 90% of the width (Sandler et al. 2018, their code)."""
    nearest = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * width else nearest + divisor


def fire(s: Sketch, x: Value, name: str, s1x1: int, e1x1: int, e3x3: int) -> Value:
    """SqueezeNet's module: 1x1 filters squeeze, 1x1 and 3x3 filters side by side expand.

    Source: Iandola et al. 2016 (arXiv:1602.07360), section 3.2, figure 1.
    """
    with s.block(name, "Fire"):
        x = s.chain(x, squeeze=Conv(s1x1, 1, bias=True), relu=RELU)
        ones = s.chain(x, expand1x1=Conv(e1x1, 1, bias=True), relu1x1=RELU)
        threes = s.chain(x, expand3x3=Conv(e3x3, 3, bias=True), relu3x3=RELU)
        return s.add("concat", Concat(), ones, threes)


def depthwise_separable(s: Sketch, x: Value, name: str, w: int, *, stride: int = 1) -> Value:
    """A depthwise 3x3 and a 1x1, each with batch norm and ReLU.

    Source: Howard et al. 2017 (arXiv:1704.04861), figure 3.
    """
    with s.block(name, "DepthwiseSeparable"):
        return s.chain(
            x,
            depthwise=Depthwise(3, stride=stride),
            bn1=BatchNorm(),
            relu1=RELU,
            pointwise=Conv(w, 1),
            bn2=BatchNorm(),
            relu2=RELU,
        )


def separable_conv(s: Sketch, x: Value, name: str, w: int) -> Value:
    """Xception's separable convolution: nothing between depthwise and pointwise, one batch norm after both.

    Source: Chollet 2016 (arXiv:1610.02357), sections 3 and 4.7.
    """
    with s.block(name, "SeparableConv"):
        return s.chain(x, depthwise=Depthwise(3), pointwise=Conv(w, 1), bn=BatchNorm())


def xception_module(
    s: Sketch, x: Value, name: str, widths: Sequence[int], *, stride: int = 1, relu_first: bool = True
) -> Value:
    """Separable convolutions with a residual, a max pooling behind them where the stride is 2.

    Source: Chollet 2016 (arXiv:1610.02357), figure 5; the very first module has no ReLU in front.
    """
    projected = stride != 1 or x.shape[0] != widths[-1]
    with s.block(name, "ProjectionModule" if projected else "XceptionModule"):
        y = x
        for i, w in enumerate(widths, 1):
            if relu_first or i > 1:
                y = s.add(f"relu{i}", RELU, y)
            y = separable_conv(s, y, f"conv{i}", w)
        if stride != 1:
            y = s.add("pool", MaxPool(3, stride, padding=1), y)
        shortcut = (
            s.chain(x, proj=Conv(widths[-1], 1, stride=stride), proj_bn=BatchNorm()) if projected else x
        )
        return s.add("add", Add(), y, shortcut)


def aligned_module(s: Sketch, x: Value, name: str, widths: Sequence[int], *, stride: int = 1) -> Value:
    """DeepLab's form of Xception's module: the last convolution has the stride, depthwise ones a batch norm.

    Source: Chen et al. 2018 (arXiv:1802.02611), figure 4; Qi et al. 2017 (Aligned Xception).
    """
    projected = stride != 1 or x.shape[0] != widths[-1]
    with s.block(name, "ProjectionModule" if projected else "AlignedModule"):
        y = x
        for i, w in enumerate(widths, 1):
            with s.block(f"conv{i}", "ReluSeparableConv"):
                y = s.chain(
                    y,
                    relu=RELU,
                    depthwise=Depthwise(3, stride=stride if i == len(widths) else 1),
                    bn1=BatchNorm(),
                    pointwise=Conv(w, 1),
                    bn2=BatchNorm(),
                )
        shortcut = (
            s.chain(x, proj=Conv(widths[-1], 1, stride=stride), proj_bn=BatchNorm()) if projected else x
        )
        return s.add("add", Add(), y, shortcut)


def inverted_residual(
    s: Sketch,
    x: Value,
    name: str,
    c: int,
    *,
    t: float,
    k: int = 3,
    stride: int = 1,
    act: Activation = RELU6,
    se: int = 0,
    gate: Gate = (RELU, SIGMOID),
    skip: Skip = "identity",
) -> Value:
    """A 1x1 that expands t times, a depthwise kxk, a linear 1x1; a shortcut where the shape stays.

    Source: Sandler et al. 2018 (arXiv:1801.04381), figures 3 and 4. MnasNet (Tan et al. 2018,
    arXiv:1807.11626) calls it MBConv, or SepConv when t = 1, with squeeze-and-excitation before the
    last 1x1.

    Args:
        c: output channels.
        t: expansion factor; 1 means no expanding convolution.
        se: width of the squeeze-and-excitation, 0 for none.
    """
    shortcut = stride == 1 and x.shape[0] == c and skip != "none"
    with s.block(name, ("Separable" if t == 1 else "Inverted") + ("Residual" if shortcut else "Bottleneck")):
        y = x
        if t != 1:
            y = s.chain(y, expand=Conv(rounded(t * x.shape[0]), 1), expand_bn=BatchNorm(), expand_act=act)
        y = s.chain(y, depthwise=Depthwise(k, stride=stride), depthwise_bn=BatchNorm(), depthwise_act=act)
        if se:
            y = squeeze_excite(s, y, se, act=gate[0], gate=gate[1])
        y = s.chain(y, project=Conv(c, 1), project_bn=BatchNorm())
        return _skipped(s, x, y, skip) if shortcut else y


def mix_residual(
    s: Sketch,
    x: Value,
    name: str,
    c: int,
    *,
    t: float,
    kernels: Sequence[int],
    stride: int = 1,
    g_expand: int = 1,
    g_project: int = 1,
    act: Activation = RELU,
    se: int = 0,
) -> Value:
    """An inverted residual whose depthwise convolution has another kernel for each part of the channels.

    Source: Tan & Le 2019 (arXiv:1907.09595), figure 2.

    Args:
        c: output channels.
        t: expansion factor.
        g_expand: groups of the first 1x1.
        g_project: groups of the last 1x1.
        se: width of the squeeze-and-excitation, 0 for none.
    """
    shortcut = stride == 1 and x.shape[0] == c
    with s.block(name, "Mix" + ("Residual" if shortcut else "Bottleneck")):
        y = s.chain(x, expand=Conv(rounded(t * x.shape[0]), 1, groups=g_expand))
        y = s.chain(y, expand_bn=BatchNorm(), expand_act=act)
        if len(kernels) == 1:
            y = s.add("depthwise", Depthwise(kernels[0], stride=stride), y)
        else:
            with s.block("depthwise", "MixConv"):
                parts = [s.add(f"chunk{k}", Chunk(i, len(kernels)), y) for i, k in enumerate(kernels)]
                mixed = [
                    s.add(f"conv{k}x{k}", Depthwise(k, stride=stride), part)
                    for k, part in zip(kernels, parts, strict=True)
                ]
                y = s.add("concat", Concat(), *mixed)
        y = s.chain(y, depthwise_bn=BatchNorm(), depthwise_act=act)
        if se:
            y = squeeze_excite(s, y, se, act=act)
        y = s.chain(y, project=Conv(c, 1, groups=g_project), project_bn=BatchNorm())
        return s.add("add", Add(), y, x) if shortcut else y


def universal_inverted_bottleneck(
    s: Sketch, x: Value, name: str, c: int, *, t: float, start: int = 0, mid: int = 0, stride: int = 1
) -> Value:
    """An inverted residual with a depthwise convolution before the expansion, after it, at both or neither.

    Source: Qin et al. 2024 (arXiv:2404.10518), figure 4.

    Args:
        c: output channels.
        t: expansion factor.
        start: kernel of the depthwise convolution before the expansion, 0 for none.
        mid: kernel of the one after it, which then has the stride.
    """
    shortcut = stride == 1 and x.shape[0] == c
    kind = {(0, 0): "FeedForward", (1, 0): "ConvNext", (0, 1): "Inverted", (1, 1): "ExtraDepthwise"}
    with s.block(name, kind[start > 0, mid > 0] + ("Residual" if shortcut else "Bottleneck")):
        y = x
        if start:
            first = Depthwise(start, stride=1 if mid else stride)
            y = s.chain(y, start=first, start_bn=BatchNorm())
        y = s.chain(y, expand=Conv(rounded(t * x.shape[0]), 1), expand_bn=BatchNorm(), expand_act=RELU)
        if mid:
            y = s.chain(y, mid=Depthwise(mid, stride=stride), mid_bn=BatchNorm(), mid_act=RELU)
        y = s.chain(y, project=Conv(c, 1), project_bn=BatchNorm())
        return s.add("add", Add(), y, x) if shortcut else y


def fused_inverted_residual(
    s: Sketch,
    x: Value,
    name: str,
    c: int,
    *,
    t: float,
    k: int = 3,
    stride: int = 1,
    act: Activation = RELU6,
    se: int = 0,
    skip: Skip = "identity",
) -> Value:
    """An inverted residual whose first 1x1 and depthwise are one dense kxk; with t = 1 nothing follows it.

    Source: Gupta & Tan 2019 (EfficientNet-EdgeTPU); Tan & Le 2021 (arXiv:2104.00298), figure 2, Fused-MBConv.

    Args:
        se: width of a squeeze-and-excitation behind the kxk, 0 for none.
    """
    shortcut = stride == 1 and x.shape[0] == c and skip != "none"
    with s.block(name, ("Fused" if t != 1 else "Conv") + ("Residual" if shortcut else "Bottleneck")):
        w = c if t == 1 else rounded(t * x.shape[0])
        y = s.chain(x, conv=Conv(w, k, stride=stride), conv_bn=BatchNorm(), conv_act=act)
        if se:
            y = squeeze_excite(s, y, se)
        if t != 1:
            y = s.chain(y, project=Conv(c, 1), project_bn=BatchNorm())
        return _skipped(s, x, y, skip) if shortcut else y


def _skipped(s: Sketch, x: Value, y: Value, skip: Skip) -> Value:
    if skip == "pool":
        x = s.add("skip", AvgPool(3, 1, 1), x)
    return s.add("add", Add(), y, x)


def ghost_module(s: Sketch, x: Value, name: str, c: int, *, relu: bool) -> Value:
    """Half of the c channels by a 1x1, the other half by a depthwise 3x3 of the first: its "ghosts".

    Source: Han et al. 2019 (arXiv:1911.11907), section 3.1, figure 2 (b), with s = 2 and d = 3.
    """
    with s.block(name, "GhostModule" if relu else "LinearGhostModule"):
        y = s.chain(x, primary=Conv(c // 2, 1), primary_bn=BatchNorm())
        y = s.add("primary_relu", RELU, y) if relu else y
        z = s.chain(y, cheap=Depthwise(3), cheap_bn=BatchNorm())
        z = s.add("cheap_relu", RELU, z) if relu else z
        return s.add("concat", Concat(), y, z)


def ghost_bottleneck(
    s: Sketch, x: Value, name: str, c: int, *, w: int, k: int = 3, stride: int = 1, se: int = 0
) -> Value:
    """Two ghost modules with a residual, a depthwise kxk between them where the stride is 2.

    Source: Han et al. 2019 (arXiv:1911.11907), figure 3 and table 1.

    Args:
        c: output channels.
        w: channels between the modules ("#exp").
        se: width of the squeeze-and-excitation, 0 for none.
    """
    projected = stride != 1 or x.shape[0] != c
    with s.block(name, "ProjectionGhostBottleneck" if projected else "GhostBottleneck"):
        y = ghost_module(s, x, "ghost1", w, relu=True)
        if stride != 1:
            y = s.chain(y, depthwise=Depthwise(k, stride=stride), depthwise_bn=BatchNorm())
        if se:
            y = squeeze_excite(s, y, se, gate=HARDSIGMOID)
        y = ghost_module(s, y, "ghost2", c, relu=False)
        if projected:
            x = s.chain(
                x,
                proj_depthwise=Depthwise(k, stride=stride),
                proj_depthwise_bn=BatchNorm(),
                proj=Conv(c, 1),
                proj_bn=BatchNorm(),
            )
        return s.add("add", Add(), y, x)
