"""Blocks of the ShuffleNets, whose channels change places between groups or branches."""

from __future__ import annotations

from cells.ops import RELU, Add, AvgPool, BatchNorm, ChannelShuffle, Chunk, Concat, Conv, Depthwise
from cells.sketch import Sketch, Value


def shuffle_unit(
    s: Sketch, x: Value, name: str, c: int, *, g: int, g_first: int | None = None, stride: int = 1
) -> Value:
    """ShuffleNet's unit: grouped 1x1, channel shuffle, depthwise 3x3, grouped 1x1 on a quarter of the width.

    Source: Zhang et al. 2017 (arXiv:1707.01083), figure 2 (b) and, with stride 2, (c): the pooled input then
    joins by concatenation instead of addition.

    Args:
        c: output channels.
        g: groups.
        g_first: groups of the first 1x1 where they are others.
    """
    g_first = g if g_first is None else g_first
    with s.block(name, "ShuffleUnit" if stride == 1 else "ShuffleDownsample"):
        y = s.chain(x, conv1=Conv(c // 4, 1, groups=g_first), bn1=BatchNorm(), relu1=RELU)
        if g > 1:
            y = s.add("shuffle", ChannelShuffle(g), y)
        y = s.chain(
            y,
            depthwise=Depthwise(3, stride=stride),
            depthwise_bn=BatchNorm(),
            conv2=Conv(c if stride == 1 else c - x.shape[0], 1, groups=g),
            bn2=BatchNorm(),
        )
        if stride == 1:
            y = s.add("add", Add(), x, y)
        else:
            pooled = s.add("pool", AvgPool(3, stride, padding=1, count_include_pad=True), x)
            y = s.add("concat", Concat(), pooled, y)
        return s.add("relu2", RELU, y)


def _shuffle_branch(s: Sketch, x: Value, w: int, c: int, stride: int) -> Value:
    return s.chain(
        x,
        conv1=Conv(w, 1),
        bn1=BatchNorm(),
        relu1=RELU,
        depthwise=Depthwise(3, stride=stride),
        depthwise_bn=BatchNorm(),
        conv2=Conv(c, 1),
        bn2=BatchNorm(),
        relu2=RELU,
    )


def shuffle_v2(s: Sketch, x: Value, name: str, c: int) -> Value:
    """ShuffleNet v2's unit: half of the channels pass by, the others go through three convolutions.

    Source: Ma et al. 2018 (arXiv:1807.11164), figure 3 (c). c is the number of channels, in and out.
    """
    with s.block(name, "ShuffleUnit"):
        y = _shuffle_branch(s, s.add("right", Chunk(1, 2), x), c // 2, c // 2, 1)
        y = s.add("concat", Concat(), s.add("left", Chunk(0, 2), x), y)
        return s.add("shuffle", ChannelShuffle(2), y)


def shuffle_v2_downsample(s: Sketch, x: Value, name: str, c: int, *, left: int) -> Value:
    """ShuffleNet v2's unit for spatial downsampling: both branches see all channels (figure 3 (d)).

    Args:
        c: output channels.
        left: how many of them come from the branch with two convolutions.
    """
    with s.block(name, "ShuffleDownsample"):
        near = s.chain(
            x,
            left_depthwise=Depthwise(3, stride=2),
            left_depthwise_bn=BatchNorm(),
            left_conv=Conv(left, 1),
            left_bn=BatchNorm(),
            left_relu=RELU,
        )
        y = _shuffle_branch(s, x, c // 2, c - left, 2)
        return s.add("shuffle", ChannelShuffle(2), s.add("concat", Concat(), near, y))
