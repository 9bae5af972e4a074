"""More channels without weights."""

from __future__ import annotations

from dataclasses import dataclass

from cells.ops.base import Arg, Call, Invalid, Op, Shape, feature_map, op


@op("pad_channels")
@dataclass(frozen=True)
class PadChannels(Op):
    """Appends channels of zeroes until there are `out` (He et al. 2015, section 3.3, option A)."""

    out: int

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        if self.out < channels:
            raise Invalid(f"pad_channels: {channels} channels cannot be padded to {self.out}")
        return (self.out, height, width)

    def module(self, *inputs: Shape) -> Call:
        return Call("PadChannels", (Arg("in_channels", inputs[0][0]), Arg("out_channels", self.out)))

    def definition(self) -> str:
        return '''
class PadChannels(nn.Module):
    """Appends channels of zeroes."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.missing = out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.missing))
'''
