"""The operations of cells, and the styles: the sets of them that the published code bases define.

Two conventions of padding exist. TensorFlow's "SAME" makes the extent ceil(n / stride) and puts the odd zero
at the end, so that a strided window over an even extent is padded unevenly; the PyTorch code bases pad both
sides alike. Over odd extents the two agree.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TypeVar

from cells.cell import Operation, Style, factorized_reduce, match, relu_conv_bn
from cells.ops import RELU, AvgPool, BatchNorm, Conv, Depthwise, MaxPool, Pad
from cells.ops.base import Size, pair
from cells.sketch import Sketch, Value


def _uneven(x: Value, kernel: Size, stride: Size, same: bool) -> tuple[int, int, int, int] | None:
    """(left, right, top, bottom) of TensorFlow's "SAME" where the sides differ."""
    sides = []
    for n, k, step in zip(x.shape[1:], pair(kernel), pair(stride), strict=True):
        total = max((-(-n // step) - 1) * step + k - n, 0)
        sides.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = sides
    return (left, right, top, bottom) if same and (left, top) != (right, bottom) else None


_Spatial = TypeVar("_Spatial", Conv, Depthwise)


def _conv(s: Sketch, x: Value, name: str, op: _Spatial, same: bool) -> Value:
    """A convolution of odd kernel, with a pad in front where its sides are uneven."""
    sides = _uneven(x, op.window().extent, op.stride, same)
    if sides is None:
        return s.add(name, op, x)
    return s.chain(x, **{f"{name}_pad": Pad(sides), name: replace(op, padding=0)})


def _pool(x: Value, kind: type[MaxPool | AvgPool], kernel: int, stride: int, same: bool) -> MaxPool | AvgPool:
    """A pool; the last window hangs over the end where its sides are uneven."""
    sides = _uneven(x, kernel, stride, same)
    if sides is None:
        return kind(kernel, stride, (kernel - 1) // 2)
    left, _, top, _ = sides
    return kind(kernel, stride, (top, left), ceil=True)


def separable(
    s: Sketch, x: Value, name: str, c: int, stride: int, *, kernel: int, same: bool = False
) -> Value:
    """Twice ReLU, depthwise, 1x1, batch norm; the stride is in the first (Zoph et al. 2018, appendix A.4)."""
    with s.block(name, "PaddedSeparableConv" if _uneven(x, kernel, stride, same) else "SeparableConv"):
        x = s.add("relu1", RELU, x)
        x = _conv(s, x, "depthwise1", Depthwise(kernel, stride), same)
        x = s.chain(x, pointwise1=Conv(c, 1), bn1=BatchNorm(), relu2=RELU)
        return s.chain(x, depthwise2=Depthwise(kernel), pointwise2=Conv(c, 1), bn2=BatchNorm())


def dilated(s: Sketch, x: Value, name: str, c: int, stride: int, *, kernel: int, same: bool = False) -> Value:
    """ReLU, depthwise of dilation 2, 1x1, batch norm (DARTS, section 3.1)."""
    padded = _uneven(x, 2 * kernel - 1, stride, same)
    with s.block(name, "PaddedDilatedConv" if padded else "DilatedConv"):
        x = s.add("relu", RELU, x)
        x = _conv(s, x, "depthwise", Depthwise(kernel, stride, dilation=2), same)
        return s.chain(x, pointwise=Conv(c, 1), bn=BatchNorm())


def dense(
    s: Sketch, x: Value, name: str, c: int, stride: int, *, kernel: int = 3, dilation: int = 1
) -> Value:
    """ReLU, an ordinary convolution with TensorFlow's padding, batch norm (Zoph et al. 2018, section 3.1)."""
    op = Conv(c, kernel, stride, dilation=dilation)
    with s.block(name, "PaddedConv" if _uneven(x, op.window().extent, stride, True) else "ReLUConvBN"):
        x = s.add("relu", RELU, x)
        return s.add("bn", BatchNorm(), _conv(s, x, "conv", op, same=True))


def factored(s: Sketch, x: Value, name: str, c: int, stride: int, *, k: int, same: bool = False) -> Value:
    """ReLU, 1xk, kx1, batch norm (DARTS's conv_7x1_1x7)."""
    with s.block(name, "PaddedFactoredConv" if _uneven(x, k, stride, same) else "FactoredConv"):
        x = s.add("relu", RELU, x)
        x = _conv(s, x, "conv1", Conv(c, (1, k), (1, stride)), same)
        x = _conv(s, x, "conv2", Conv(c, (k, 1), (stride, 1)), same)
        return s.add("bn", BatchNorm(), x)


def squeezed(
    s: Sketch, x: Value, name: str, c: int, stride: int, *, k: int, factor: bool, same: bool = False
) -> Value:
    """A kxk, or with `factor` 1xk and kx1, between 1x1 convolutions to and from a quarter of the channels.

    AmoebaNet (Real et al. 2019, arXiv:1802.01548) as its TPU code has it.
    """
    width = max(c // 4, 1)
    kernels: list[tuple[Size, Size]] = (
        [((1, k), (1, stride)), ((k, 1), (stride, 1))] if factor else [(k, stride)]
    )
    kind = "FactoredBottleneck" if factor else "BottleneckConv"
    with s.block(name, f"Padded{kind}" if _uneven(x, k, stride, same) else kind):
        x = s.chain(x, relu1=RELU, conv1=Conv(width, 1), bn1=BatchNorm())
        for i, (kernel, step) in enumerate(kernels, start=2):
            x = s.add(f"relu{i}", RELU, x)
            x = _conv(s, x, f"conv{i}", Conv(width, kernel, step), same)
            x = s.add(f"bn{i}", BatchNorm(), x)
        i = len(kernels) + 2
        return s.chain(x, **{f"relu{i}": RELU, f"conv{i}": Conv(c, 1), f"bn{i}": BatchNorm()})


def pool(
    s: Sketch,
    x: Value,
    name: str,
    c: int,
    stride: int,
    *,
    kind: type[MaxPool | AvgPool],
    kernel: int = 3,
    same: bool = False,
    norm: bool = False,
) -> Value:
    """Pooling; a 1x1 convolution after it where the width changes, with `norm` a batch norm."""
    op = _pool(x, kind, kernel, stride, same)
    if x.shape[0] != c:
        with s.block(name, "PoolConvBN"):
            return s.chain(x, pool=op, conv=Conv(c, 1), bn=BatchNorm())
    if norm:
        with s.block(name, "PoolBN"):
            return s.chain(x, pool=op, bn=BatchNorm())
    return s.add(name, op, x)


def skip(s: Sketch, x: Value, name: str, c: int, stride: int, *, relu: bool = True) -> Value:
    """The state itself; a factorized reduction where the extent is halved (DARTS's skip_connect)."""
    return x if stride == 1 else factorized_reduce(s, x, name, c, relu=relu)


def nothing(s: Sketch, x: Value, name: str, c: int, stride: int) -> None:
    """No edge (NAS-Bench-201's "none")."""


def none(s: Sketch, x: Value, name: str, c: int, stride: int) -> Value:
    """The state itself; ReLU, 1x1, batch norm where its width or extent changes (TF-Slim's "none")."""
    return x if stride == 1 and x.shape[0] == c else relu_conv_bn(s, x, name, c, stride)


def _both_projected(s: Sketch, s0: Value, s1: Value, c: int) -> list[Value]:
    """DARTS: a factorized reduction of the older output where it is larger, otherwise 1x1 convolutions."""
    larger = s0.shape[1:] != s1.shape[1:]
    older = factorized_reduce(s, s0, "preprocess0", c) if larger else relu_conv_bn(s, s0, "preprocess0", c)
    return [older, relu_conv_bn(s, s1, "preprocess1", c)]


def _older_matched(s: Sketch, s0: Value, s1: Value, c: int) -> list[Value]:
    """TF-Slim: the older output is fitted to the newer one; the first cell reads its only input as it is."""
    older = s0 if s0 == s1 else match(s, s0, "preprocess0", c, s1)
    return [older, relu_conv_bn(s, s1, "preprocess1", c)]


def _matched_then_projected(s: Sketch, s0: Value, s1: Value, c: int) -> list[Value]:
    """ENAS: both are fitted, then the newer one is projected once more ("layer_base")."""
    older = match(s, s0, "preprocess0", c, s1)
    newer = match(s, s1, "preprocess1", c, s1)
    return [older, relu_conv_bn(s, newer, "base", c)]


def _match_older(s: Sketch, s0: Value, s1: Value, c: int) -> list[Value]:
    """torchgpipe: like DARTS, but an older output of c channels is read as it is."""
    return [match(s, s0, "preprocess0", c, s1), relu_conv_bn(s, s1, "preprocess1", c)]


def _last_as_it_is(s: Sketch, s0: Value, s1: Value, c: int) -> list[Value]:
    """NAS-Bench-201: a cell reads the last output alone, which has c channels."""
    return [s1]


def _pools(same: bool, norm: bool = False) -> dict[str, Operation]:
    return {
        "avg_pool_3x3": partial(pool, kind=AvgPool, same=same, norm=norm),
        "max_pool_3x3": partial(pool, kind=MaxPool, same=same, norm=norm),
        "max_pool_2x2": partial(pool, kind=MaxPool, kernel=2, same=same, norm=norm),
    }


def _nasnet(same: bool) -> dict[str, Operation]:
    return _pools(same) | {
        "separable_3x3_2": partial(separable, kernel=3, same=same),
        "separable_5x5_2": partial(separable, kernel=5, same=same),
        "separable_7x7_2": partial(separable, kernel=7, same=same),
        "1x1": relu_conv_bn,
        "3x3": partial(squeezed, k=3, factor=False, same=same),
        "1x7_7x1": partial(squeezed, k=7, factor=True, same=same),
    }


NASNET = Style({**_nasnet(same=True), "none": none}, _older_matched)
"""TF-Slim's NASNet and PNASNet and the TPU's AmoebaNet (tensorflow/models, tensorflow/tpu)."""

SEARCHED = Style(
    {
        **_pools(same=True),
        "max_pool_5x5": partial(pool, kind=MaxPool, kernel=5, same=True),
        "max_pool_7x7": partial(pool, kind=MaxPool, kernel=7, same=True),
        "separable_3x3": partial(separable, kernel=3, same=True),
        "separable_5x5": partial(separable, kernel=5, same=True),
        "separable_7x7": partial(separable, kernel=7, same=True),
        "identity": none,
        "1x1": relu_conv_bn,
        "3x3": dense,
        "dilated_3x3": partial(dense, dilation=2),
        "1x3_3x1": partial(factored, k=3, same=True),
        "1x7_7x1": partial(factored, k=7, same=True),
    },
    _older_matched,
)
"""The operations that Zoph et al. 2018 and Liu et al. 2018 list, in full width; the rest is TF-Slim's."""

AMOEBANET = Style(
    {
        **SEARCHED.operations,
        "dilated_3x3": partial(dilated, kernel=3, same=True),
        "1x7_7x1": partial(squeezed, k=7, factor=True, same=True),
    },
    _older_matched,
)
"""Those of Real et al. 2019: dilated ones are separable, and the TPU's code squeezes the factored one."""

TORCHGPIPE = Style({**_nasnet(same=False), "none": skip}, _match_older)
"""kakaobrain/torchgpipe's AmoebaNet-D."""

_DARTS: dict[str, Operation] = {
    "skip_connect": skip,
    "sep_conv_3x3": partial(separable, kernel=3),
    "sep_conv_5x5": partial(separable, kernel=5),
    "sep_conv_7x7": partial(separable, kernel=7),
    "dil_conv_3x3": partial(dilated, kernel=3),
    "dil_conv_5x5": partial(dilated, kernel=5),
    "conv_7x1_1x7": partial(factored, k=7),
    "conv_3x1_1x3": partial(factored, k=3),
}

DARTS = Style({**_pools(same=False), **_DARTS}, _both_projected)
"""quark0/darts and all that grew from it. Pools have no batch norm once the cell is found."""

MDENAS = Style({**_pools(same=False, norm=True), **_DARTS}, _both_projected)
"""tanglang96/MDENAS: DARTS with an affine batch norm after every pool."""

ENAS = Style(
    {
        **_pools(same=True),
        "sep_conv_3x3": partial(separable, kernel=3, same=True),
        "sep_conv_5x5": partial(separable, kernel=5, same=True),
        "identity": partial(skip, relu=False),
    },
    _matched_then_projected,
)
"""melodyguan/enas, micro search space."""

NASBENCH201 = Style(
    {
        "none": nothing,
        "skip_connect": skip,
        "nor_conv_1x1": relu_conv_bn,
        "nor_conv_3x3": partial(relu_conv_bn, kernel=3),
        "avg_pool_3x3": partial(pool, kind=AvgPool),
    },
    _last_as_it_is,
)
"""NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326), section 2.1."""
