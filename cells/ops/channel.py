"""Ops that pick or rearrange channels."""

from __future__ import annotations

from dataclasses import dataclass

from cells.ops.base import Arg, Call, Invalid, Op, Shape, feature_map, op, operand


@op("chunk")
@dataclass(frozen=True)
class Chunk(Op):
    """Chunk number `index`, from 0, of the channels split into `chunks` equal ones."""

    index: int
    chunks: int

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        if not 0 <= self.index < self.chunks:
            raise Invalid(f"chunk: there is no chunk {self.index} of {self.chunks}")
        if channels % self.chunks:
            raise Invalid(f"chunk: {channels} channels do not divide into {self.chunks} chunks")
        return (channels // self.chunks, height, width)

    def alias(self) -> bool:
        return self.chunks == 1

    def expression(self, *args: str) -> str:
        return f"torch.chunk({args[0]}, {self.chunks}, 1)[{self.index}]"


@op("channel_shuffle")
@dataclass(frozen=True)
class ChannelShuffle(Op):
    """The first channel of each group, then the second of each, and so on (Zhang et al. 2017, figure 1)."""

    groups: int

    def shape(self, *inputs: Shape) -> Shape:
        channels = feature_map(inputs[0], self.name)[0]
        if self.groups < 1 or channels % self.groups:
            raise Invalid(f"channel_shuffle: {channels} channels do not divide into {self.groups} groups")
        return inputs[0]

    def alias(self) -> bool:
        return self.groups == 1

    def module(self, *inputs: Shape) -> Call:
        return Call("nn.ChannelShuffle", (Arg("groups", self.groups),))


@op("narrow")
@dataclass(frozen=True)
class Narrow(Op):
    """The first `out` channels."""

    out: int

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        if not 1 <= self.out <= channels:
            raise Invalid(f"narrow: there are no {self.out} channels among {channels}")
        return (self.out, height, width)

    def expression(self, *args: str) -> str:
        return f"{operand(args[0])}[:, :{self.out}]"
