"""Attention among all tokens, and the gate that gMLP has in its place.

Attention takes what one linear layer made of its tokens: queries, keys and values side by side. Its own
work is the two products, QK^T and AV; depth counts the linear layers before and after it, not attention.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cells.ops.base import Arg, Call, Invalid, Op, Shape, op
from cells.ops.token import matrix


@dataclass(frozen=True)
class Heads(Op):
    """What attention of both kinds shares."""

    context = True

    head_width: int

    def split(self, shape: Shape) -> int:
        """The width of queries, keys and values each."""
        width, rest = divmod(shape[-1], 3)
        if rest:
            raise Invalid(f"{self.name}: {shape[-1]} channels are no queries, keys and values side by side")
        if self.head_width < 1 or width % self.head_width:
            raise Invalid(f"{self.name}: {width} channels do not divide into heads of {self.head_width}")
        return width

    def macs(self, *inputs: Shape) -> int:
        *_, tokens, channels = inputs[0]
        return 2 * tokens * math.prod(inputs[0][:-1]) * (channels // 3)


@op("attention")
@dataclass(frozen=True)
class Attention(Heads):
    """Softmax(QK^T / sqrt(d)) V among all tokens, in heads of width d (Vaswani et al. 2017, section 3.2).

    (N, 3D) -> (N, D).
    """

    def shape(self, *inputs: Shape) -> Shape:
        count, _ = matrix(inputs[0], self.name)
        return (count, self.split(inputs[0]))

    def module(self, *inputs: Shape) -> Call:
        return Call("Attention", (Arg("head_width", self.head_width),))

    def definition(self) -> str:
        return '''
class Attention(nn.Module):
    """Attention among tokens that hold queries, keys and values side by side."""

    def __init__(self, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width

    def forward(self, qkv: Tensor) -> Tensor:
        q, k, v = qkv.unflatten(2, (3, -1, self.head_width)).transpose(1, 3).unbind(2)
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).flatten(2)
'''


@op("spatial_gate")
@dataclass(frozen=True)
class SpatialGate(Op):
    """Half of the channels times a linear map, over positions, of the other half, which is normalised first.

    The spatial gating unit of gMLP (Liu et al. 2021, arXiv:2105.08050, section 2.1): (N, 2C) -> (N, C). Its
    bias is 1 and its weights are near 0 at first, so that it begins by passing the first half on.
    """

    context = True
    weighted = True

    eps: float = 1e-6

    def shape(self, *inputs: Shape) -> Shape:
        count, channels = matrix(inputs[0], self.name)
        if channels % 2:
            raise Invalid(f"spatial_gate: {channels} channels do not divide into halves")
        return (count, channels // 2)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        count, half = self.shape(*inputs)
        return {"weight": (count, count), "bias": (count, 1), "norm.weight": (half,), "norm.bias": (half,)}

    def macs(self, *inputs: Shape) -> int:
        count, half = self.shape(*inputs)
        return count * count * half

    def module(self, *inputs: Shape) -> Call:
        count, half = self.shape(*inputs)
        return Call("SpatialGate", (Arg("tokens", count), Arg("width", half), Arg("eps", self.eps, 1e-6)))

    def definition(self) -> str:
        return '''
class SpatialGate(nn.Module):
    """Half of the channels times a linear map, over tokens, of the other half."""

    def __init__(self, tokens: int, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=eps)
        self.weight = nn.Parameter(torch.empty(tokens, tokens))
        nn.init.normal_(self.weight, std=1e-6)
        self.bias = nn.Parameter(torch.ones(tokens, 1))

    def forward(self, x: Tensor) -> Tensor:
        u, v = x.chunk(2, 2)
        return u * (self.weight @ self.norm(v) + self.bias)
'''
