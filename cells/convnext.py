"""The ConvNeXt block, and the blocks on the way to it (Liu et al. 2022, arXiv:2201.03545)."""

from __future__ import annotations

from cells.ops import (
    RELU,
    Activation,
    Add,
    BatchNorm,
    Conv,
    Depthwise,
    GlobalResponseNorm,
    LayerNorm,
    LayerNorm2d,
    LayerScale,
    Linear,
    Op,
    Tokens,
    ToMap,
)
from cells.residual import bottleneck
from cells.sketch import Sketch, Value


def convnext_block(
    s: Sketch, x: Value, name: str, *, response_norm: bool = False, k: int = 7, ratio: int = 4
) -> Value:
    """Depthwise 7x7, layer norm, then 1x1 to four times the width, GELU and 1x1 back, as linear layers.

    Source: section 2.6 and figure 4; layer scale from 1e-6 on (table 5).

    Args:
        response_norm: V2's block: global response norm behind GELU, and no layer scale (Woo et al. 2023,
            arXiv:2301.00808, figure 5).
        k, ratio: other kernels and hidden widths than the paper's.
    """
    width = x.shape[0]
    with s.block(name, "Block"):
        y = s.chain(
            x,
            dwconv=Depthwise(k, bias=True),
            tokens=Tokens(),
            norm=LayerNorm(),
            pwconv1=Linear(ratio * width),
            act=Activation("gelu"),
        )
        if response_norm:
            y = s.chain(y, grn=GlobalResponseNorm(), pwconv2=Linear(width))
        else:
            y = s.chain(y, pwconv2=Linear(width), scale=LayerScale(1e-6))
        return s.add("add", Add(), x, s.add("map", ToMap(), y, x))


def downsample(s: Sketch, x: Value, name: str, width: int) -> Value:
    """Layer norm and a 2x2 convolution of stride 2: a downsampling layer of its own (section 2.6)."""
    with s.block(name, "Downsample"):
        return s.chain(x, norm=LayerNorm2d(), conv=Conv(width, 2, stride=2, padding=0, bias=True))


def resnext_block(s: Sketch, x: Value, name: str, *, stride: int = 1) -> Value:
    """Figure 3a: 1x1 down to a quarter of the width, depthwise 3x3, 1x1 back up."""
    return bottleneck(s, x, name, x.shape[0], w_b=x.shape[0] // 4, g=1, stride=stride)


def inverted_bottleneck(s: Sketch, x: Value, name: str) -> Value:
    """Figure 3b: 1x1 to four times the width, depthwise 3x3 there, 1x1 back down."""
    wide = 4 * x.shape[0]
    return _residual(s, x, name, "InvertedBottleneck", Conv(wide, 1), Depthwise(3), Conv(x.shape[0], 1))


def depthwise_first(s: Sketch, x: Value, name: str, kernel: int = 3) -> Value:
    """Figure 3c: the depthwise convolution moved up, in front of both 1x1 ones, on fewer channels."""
    wide = 4 * x.shape[0]
    return _residual(s, x, name, "DepthwiseFirst", Depthwise(kernel), Conv(wide, 1), Conv(x.shape[0], 1))


def _residual(s: Sketch, x: Value, name: str, kind: str, first: Op, second: Op, third: Op) -> Value:
    """Three convolutions with batch norm and ReLU, as in a ResNet, beside the identity."""
    with s.block(name, kind):
        y = s.chain(x, conv1=first, bn1=BatchNorm(), relu1=RELU)
        y = s.chain(y, conv2=second, bn2=BatchNorm(), relu2=RELU)
        y = s.chain(y, conv3=third, bn3=BatchNorm())
        return s.chain(s.add("add", Add(), x, y), relu3=RELU)
