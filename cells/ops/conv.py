"""Convolutions and fully connected layers: the ops that hold most weights and do most work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cells.ops.base import (
    Arg,
    Call,
    Channels,
    Invalid,
    Op,
    Shape,
    Size,
    Window,
    feature_map,
    op,
    pair,
    slide,
    square,
)


@dataclass(frozen=True)
class _Spatial(Op):
    """What ordinary and depthwise convolutions share: everything but the number of filters and groups."""

    weighted = True
    conv = True

    kernel: Size = 1
    stride: Size = 1
    padding: Size | None = None
    dilation: Size = 1
    bias: bool = False

    def counts(self, channels: int) -> tuple[int, int]:
        """(output channels, groups) for so many input channels."""
        raise TypeError(f"{self.name} does not say its filters")

    def geometry(self) -> tuple[tuple[int, int], ...]:
        """(kernel, stride, padding, dilation), each (height, width); padding None centres odd kernels."""
        kernel, dilation = pair(self.kernel), pair(self.dilation)
        half = (dilation[0] * (kernel[0] - 1) // 2, dilation[1] * (kernel[1] - 1) // 2)
        return kernel, pair(self.stride), half if self.padding is None else pair(self.padding), dilation

    def window(self) -> Window:
        kernel, stride, _, dilation = self.geometry()
        extent = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
        return Window(extent, (stride[0], stride[1]))

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        kernel, stride, padding, dilation = self.geometry()
        if min(*kernel, *stride, *dilation) < 1 or min(padding) < 0:
            raise Invalid(f"{self.name}: kernel, stride and dilation must be positive, padding not negative")
        out, groups = self.counts(channels)
        if out < 1 or groups < 1:
            raise Invalid(f"{self.name}: {out} filters in {groups} groups")
        if channels % groups or out % groups:
            raise Invalid(f"{self.name}: {channels} -> {out} channels do not divide into {groups} groups")
        extent = self.window().extent
        return (
            out,
            slide(height, extent[0], stride[0], padding[0], self.name),
            slide(width, extent[1], stride[1], padding[1], self.name),
        )

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        channels = inputs[0][0]
        out, groups = self.counts(channels)
        weight = {"weight": (out, channels // groups, *pair(self.kernel))}
        return {**weight, "bias": (out,)} if self.bias else weight

    def macs(self, *inputs: Shape) -> int:
        height, width = self.shape(*inputs)[1:]
        return height * width * math.prod(self.weights(*inputs)["weight"])

    def identity(self, *inputs: Shape) -> tuple[object, ...]:
        return ("conv", *self.counts(inputs[0][0]), *self.geometry(), self.bias)

    def module(self, *inputs: Shape) -> Call:
        channels = inputs[0][0]
        out, groups = self.counts(channels)
        kernel, stride, padding, dilation = self.geometry()
        return Call(
            "nn.Conv2d",
            (
                Arg("in_channels", channels),
                Arg("out_channels", out),
                Arg("kernel_size", square((kernel[0], kernel[1]))),
                Arg("stride", square((stride[0], stride[1])), 1),
                Arg("padding", square((padding[0], padding[1])), 0),
                Arg("dilation", square((dilation[0], dilation[1])), 1),
                Arg("groups", groups, 1),
                Arg("bias", self.bias, True),
            ),
        )


@dataclass(frozen=True)
class _Filters(Op):
    out: int


@op("conv")
@dataclass(frozen=True)
class Conv(_Spatial, _Filters):
    """2-D convolution with `out` filters, in `groups` groups or in groups of `group_width` input channels."""

    groups: int = 1
    group_width: int | None = None

    def counts(self, channels: int) -> tuple[int, int]:
        if self.group_width is None:
            return self.out, self.groups
        if self.groups != 1:
            raise Invalid("conv: give groups or group_width, not both")
        if self.group_width < 1 or channels % self.group_width:
            raise Invalid(f"conv: {channels} channels do not divide into groups of width {self.group_width}")
        return self.out, channels // self.group_width

    def channels(self, *inputs: Shape) -> Channels:
        return "mix" if self.counts(inputs[0][0])[1] == 1 else "order"


@op("depthwise")
@dataclass(frozen=True)
class Depthwise(_Spatial):
    """2-D convolution of each channel on its own, with `multiplier` filters per channel."""

    multiplier: int = 1

    def counts(self, channels: int) -> tuple[int, int]:
        return self.multiplier * channels, channels

    def channels(self, *inputs: Shape) -> Channels:
        return "keep" if self.multiplier == 1 else "order"


@op("linear")
@dataclass(frozen=True)
class Linear(Op):
    """Fully connected layer on the last dimension, with `out` outputs."""

    weighted = True

    out: int
    bias: bool = True

    def shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) == 3:
            raise Invalid(f"linear needs a vector, not the feature map {inputs[0]}: flatten it first")
        if self.out < 1:
            raise Invalid(f"linear: {self.out} outputs")
        return (*inputs[0][:-1], self.out)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        weight = {"weight": (self.out, inputs[0][-1])}
        return {**weight, "bias": (self.out,)} if self.bias else weight

    def macs(self, *inputs: Shape) -> int:
        return math.prod(inputs[0]) * self.out

    def channels(self, *inputs: Shape) -> Channels:
        return "mix"

    def module(self, *inputs: Shape) -> Call:
        return Call(
            "nn.Linear",
            (
                Arg("in_features", inputs[0][-1]),
                Arg("out_features", self.out),
                Arg("bias", self.bias, True),
            ),
        )
