"""Dense blocks (Huang et al. 2016, arXiv:1608.06993): layers that read all that came before them."""

from __future__ import annotations

from cells.ops import RELU, AvgPool, BatchNorm, Concat, Conv
from cells.sketch import Sketch, Value


def dense_layer(s: Sketch, x: Value, name: str, k: int, *, b: bool = True) -> Value:
    """The input and k new feature maps computed from it, side by side (section 3).

    Args:
        k: growth rate.
        b: a 1x1 with 4k channels comes before the 3x3 (DenseNet-B).
    """
    with s.block(name, "DenseLayer"):
        if b:
            y = s.chain(x, bn1=BatchNorm(), relu1=RELU, conv1=Conv(4 * k, 1))
            y = s.chain(y, bn2=BatchNorm(), relu2=RELU, conv2=Conv(k, 3))
        else:
            y = s.chain(x, bn=BatchNorm(), relu=RELU, conv=Conv(k, 3))
        return s.add("concat", Concat(), x, y)


def transition(s: Sketch, x: Value, name: str, theta: float) -> Value:
    """Keeps theta of the channels and a quarter of the positions (section 3, "Compression")."""
    with s.block(name, "Transition"):
        return s.chain(
            x, bn=BatchNorm(), relu=RELU, conv=Conv(int(theta * x.shape[0]), 1), pool=AvgPool(2, stride=2)
        )
