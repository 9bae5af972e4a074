"""Residual blocks: basic and bottleneck (He et al. 2015, arXiv:1512.03385), with full pre-activation
(He et al. 2016, arXiv:1603.05027), with group convolution and squeeze-and-excitation.
"""

from __future__ import annotations

from typing import Literal

from cells.ops import (
    RELU,
    SIGMOID,
    Activation,
    Add,
    AvgPool,
    BatchNorm,
    Conv,
    GlobalPool,
    Mul,
    Op,
    PadChannels,
)
from cells.sketch import Sketch, Value

BATCH_NORM = BatchNorm()


def squeeze_excite(
    s: Sketch, x: Value, width: int, name: str = "se", *, act: Activation = RELU, gate: Activation = SIGMOID
) -> Value:
    """Scales each channel by a gate computed from all of them (Hu et al. 2018, arXiv:1709.01507)."""
    with s.block(name, "SqueezeExcite"):
        scale = s.chain(
            x,
            pool=GlobalPool(),
            reduce=Conv(width, 1, bias=True),
            **{act.kind: act},
            expand=Conv(x.shape[0], 1, bias=True),
            **{gate.kind: gate},
        )
        return s.add("scale", Mul(), x, scale)


def _changes(x: Value, w: int, stride: int) -> bool:
    """Whether a block's output has another shape than its input, so that its shortcut must change it."""
    return stride != 1 or x.shape[0] != w


def basic(
    s: Sketch,
    x: Value,
    name: str,
    w: int,
    *,
    stride: int = 1,
    option: Literal["A", "B"] = "B",
    r: int | None = None,
    norm: Op = BATCH_NORM,
) -> Value:
    """Two 3x3 convolutions with a residual (He et al. 2015, figure 5, left).

    Args:
        w: output channels.
        option: the shortcut where the shape changes (section 3.3): A subsamples and pads with channels
            of zeroes, B projects.
        r: squeeze-and-excitation behind the last norm, with w / r channels (Hu et al. 2018, figure 3).
    """
    changes = _changes(x, w, stride)
    prefix = {"A": "Padding", "B": "Projection"}[option] if changes else ""
    with s.block(name, f"{prefix}BasicBlock"):
        shortcut = x
        if changes and option == "A":
            shortcut = s.chain(x, subsample=AvgPool(1, stride=stride), pad=PadChannels(w))
        elif changes:
            shortcut = s.chain(x, proj=Conv(w, 1, stride=stride), proj_bn=norm)
        y = s.chain(
            x,
            conv1=Conv(w, 3, stride=stride),
            bn1=norm,
            relu1=RELU,
            conv2=Conv(w, 3),
            bn2=norm,
        )
        if r:
            y = squeeze_excite(s, y, w // r)
        return s.chain(s.add("add", Add(), y, shortcut), relu2=RELU)


def plain(s: Sketch, x: Value, name: str, w: int, *, stride: int = 1) -> Value:
    """The basic block without its shortcut: what He et al. 2015 compare with (section 3.3)."""
    with s.block(name, "PlainBlock"):
        return s.chain(
            x,
            conv1=Conv(w, 3, stride=stride),
            bn1=BatchNorm(),
            relu1=RELU,
            conv2=Conv(w, 3),
            bn2=BatchNorm(),
            relu2=RELU,
        )


def single(s: Sketch, x: Value, name: str, w: int, *, stride: int = 1, residual: bool = False) -> Value:
    """One 3x3 convolution, with a residual or without: the VR and V block of Radosavovic et al. 2020
    (arXiv:2003.13678), with which they ask whether a design principle holds for other blocks.

    Args:
        w: output channels.
        residual: adds the input, by a projection where the shape changes.
    """
    projected = residual and _changes(x, w, stride)
    kind = "SingleBlock" if residual else "SingleConv"
    with s.block(name, f"Projection{kind}" if projected else kind):
        shortcut = s.chain(x, proj=Conv(w, 1, stride=stride), proj_bn=BatchNorm()) if projected else x
        y = s.chain(x, conv=Conv(w, 3, stride=stride), bn=BatchNorm())
        return s.chain(s.add("add", Add(), y, shortcut) if residual else y, relu=RELU)


def bottleneck(
    s: Sketch,
    x: Value,
    name: str,
    w: int,
    *,
    w_b: int,
    g: int | None = None,
    stride: int = 1,
    v1: bool = False,
    se: float = 0,
    r: int | None = None,
    w_1: int | None = None,
    k: int = 1,
    norm: Op = BATCH_NORM,
) -> Value:
    """1x1, (grouped) 3x3, 1x1 with a residual: the bottleneck of ResNet, ResNeXt, SENet and RegNet.

    The shortcut is a projection where the shape changes. Sources: He et al. 2015, figure 5, right; Xie
    et al. 2016 (arXiv:1611.05431), figure 3c; Hu et al. 2018, figure 3; the X and (with `se`) Y block of
    Radosavovic et al. 2020 (arXiv:2003.13678), figure 4, with SE in front of the last 1x1, as in pycls.

    Args:
        w: output channels.
        w_b: channels of the 3x3 (w / b in RegNet's letters).
        g: group width of the 3x3, in channels that it reads; None: one group.
        v1: the stride is on the first 1x1, as first published, instead of the 3x3.
        se: squeeze-and-excitation in front of the last 1x1, with se times the block's input channels.
        r: squeeze-and-excitation behind the last norm, with w / r channels.
        w_1: channels of the first 1x1 (default: those of the 3x3).
        k: kernel of a projection that has a stride.
    """
    projected = _changes(x, w, stride)
    with s.block(name, "ProjectionBottleneck" if projected else "Bottleneck"):
        shortcut = x
        if projected:
            projection = Conv(w, 1 if stride == 1 else k, stride=stride)
            shortcut = s.chain(x, proj=projection, proj_bn=norm)
        y = s.chain(
            x,
            conv1=Conv(w_1 or w_b, 1, stride=stride if v1 else 1),
            bn1=norm,
            relu1=RELU,
            conv2=Conv(w_b, 3, stride=1 if v1 else stride, group_width=g),
            bn2=norm,
            relu2=RELU,
        )
        if se:
            y = squeeze_excite(s, y, max(1, round(se * x.shape[0])))
        y = s.chain(y, conv3=Conv(w, 1), bn3=norm)
        if r:
            y = squeeze_excite(s, y, w // r)
        return s.chain(s.add("add", Add(), y, shortcut), relu3=RELU)


def preact_basic(
    s: Sketch,
    x: Value,
    name: str,
    w: int,
    *,
    stride: int = 1,
    first: bool = False,
    norm: Op = BATCH_NORM,
) -> Value:
    """Two 3x3 convolutions, each behind norm and ReLU, added to the input (He et al. 2016, figure 4e).

    Args:
        w: output channels.
        first: the block follows a bare convolution: the first activation comes before the two paths
            part (He et al. 2016, appendix).
    """
    return _preact(s, x, name, "PreActBlock", stride, first, norm, Conv(w, 3, stride=stride), Conv(w, 3))


def preact_bottleneck(
    s: Sketch,
    x: Value,
    name: str,
    w: int,
    *,
    w_b: int,
    stride: int = 1,
    v1: bool = False,
    first: bool = False,
    g: int | None = None,
    norm: Op = BATCH_NORM,
) -> Value:
    """1x1, 3x3, 1x1, each behind norm and ReLU, added to the input (He et al. 2016, section 4).

    Args:
        w: output channels.
        w_b: channels of the 3x3.
        v1: the stride is on the first 1x1 instead of the 3x3.
        first: as for `preact_basic`.
        g: group width of the 3x3; None: one group.
    """
    reduce = Conv(w_b, 1, stride=stride if v1 else 1)
    conv = Conv(w_b, 3, stride=1 if v1 else stride, group_width=g)
    return _preact(s, x, name, "PreActBottleneck", stride, first, norm, reduce, conv, Conv(w, 1))


def _preact(
    s: Sketch, x: Value, name: str, kind: str, stride: int, first: bool, norm: Op, *convs: Conv
) -> Value:
    """The convolutions behind norms and ReLUs. A projection reads the activated input and has no norm."""
    w = convs[-1].out
    changes = _changes(x, w, stride)
    prefix = "Projection" if changes else "First" if first else ""
    with s.block(name, prefix + kind):
        y = s.chain(x, bn1=norm, relu1=RELU)
        shortcut = s.add("proj", Conv(w, 1, stride=stride), y) if changes else y if first else x
        y = s.add("conv1", convs[0], y)
        for i, conv in enumerate(convs[1:], 2):
            y = s.chain(y, **{f"bn{i}": norm, f"relu{i}": RELU, f"conv{i}": conv})
        return s.add("add", Add(), y, shortcut)
