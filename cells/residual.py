"""Residual blocks (He et al. 2015, arXiv:1512.03385) with group convolution and squeeze-and-excitation."""

from __future__ import annotations

from cells.ops import RELU, SIGMOID, Activation, Add, BatchNorm, Conv, GlobalPool, Mul
from cells.sketch import Sketch, Value


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


def bottleneck(
    s: Sketch, x: Value, name: str, w: int, *, w_b: int, g: int, stride: int = 1, se: float = 0
) -> Value:
    """1x1, grouped 3x3, 1x1 with a residual: the X block of RegNet, with `se` > 0 the Y block.

    The stride is on the 3x3. The shortcut is a projection where the shape changes. Source: Radosavovic
    et al. 2020 (arXiv:2003.13678), figure 4; SE in front of the last 1x1 with se times the block's input
    channels, as in pycls.

    Args:
        w: output channels.
        w_b: channels of the 3x3 (w / b in the paper's letters).
        g: group width of the 3x3.
        se: squeeze-and-excitation ratio, 0 for none.
    """
    projected = stride != 1 or x.shape[0] != w
    with s.block(name, "ProjectionBottleneck" if projected else "Bottleneck"):
        shortcut = s.chain(x, proj=Conv(w, 1, stride=stride), proj_bn=BatchNorm()) if projected else x
        y = s.chain(
            x,
            conv1=Conv(w_b, 1),
            bn1=BatchNorm(),
            relu1=RELU,
            conv2=Conv(w_b, 3, stride=stride, group_width=g),
            bn2=BatchNorm(),
            relu2=RELU,
        )
        if se:
            y = squeeze_excite(s, y, max(1, round(se * x.shape[0])))
        y = s.chain(y, conv3=Conv(w, 1), bn3=BatchNorm())
        return s.chain(s.add("add", Add(), y, shortcut), relu3=RELU)
