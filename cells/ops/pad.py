"""Padding as an op of its own, for what a convolution's padding cannot say: sides that differ."""

from __future__ import annotations

from dataclasses import dataclass

from cells.ops.base import Arg, Call, Channels, Invalid, Op, Shape, feature_map, op


@op("pad")
@dataclass(frozen=True)
class Pad(Op):
    """Zeroes around a feature map: (left, right, top, bottom), as torch orders them; negative sides are cut.

    (-1, 1, -1, 1) shifts the map by one pixel to the top left.
    """

    padding: tuple[int, int, int, int]

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        left, right, top, bottom = self.padding
        if height + min(top, bottom, top + bottom) < 1 or width + min(left, right, left + right) < 1:
            raise Invalid(f"pad: {self.padding} leaves nothing of a map of {height}x{width}")
        return (channels, height + top + bottom, width + left + right)

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def alias(self) -> bool:
        return not any(self.padding)

    def module(self, *inputs: Shape) -> Call:
        return Call("nn.ZeroPad2d", (Arg("padding", self.padding),))
