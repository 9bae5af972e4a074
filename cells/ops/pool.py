"""Pooling, and the step from feature maps to vectors."""

from __future__ import annotations

import math
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
class _Pool(Op):
    kernel: Size = 2
    stride: Size = 2
    padding: Size = 0
    ceil: bool = False
    """Whether a last window may reach beyond the padding (as in Caffe), if it starts before it."""

    def window(self) -> Window:
        return Window(pair(self.kernel), pair(self.stride))

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        (kh, kw), (sh, sw), (ph, pw) = pair(self.kernel), pair(self.stride), pair(self.padding)
        if min(kh, kw, sh, sw) < 1 or min(ph, pw) < 0:
            raise Invalid(f"{self.name}: kernel and stride must be positive, padding not negative")
        if 2 * ph > kh or 2 * pw > kw:
            raise Invalid(f"{self.name}: padding {self.padding} is more than half of kernel {self.kernel}")
        return (
            channels,
            slide(height, kh, sh, ph, self.name, ceil=self.ceil),
            slide(width, kw, sw, pw, self.name, ceil=self.ceil),
        )

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def arguments(self) -> tuple[Arg, ...]:
        """What both kinds of pooling take; torch's default stride is the kernel."""
        return (
            Arg("kernel_size", square(pair(self.kernel))),
            Arg("stride", square(pair(self.stride)), square(pair(self.kernel))),
            Arg("padding", square(pair(self.padding)), 0),
            Arg("ceil_mode", self.ceil, False),
        )

    def identity(self, *inputs: Shape) -> tuple[object, ...]:
        plain = (self.name, pair(self.kernel), pair(self.stride), pair(self.padding))
        kernel, stride, padding = plain[1:]
        sides = zip(self.shape(*inputs)[1:], inputs[0][1:], kernel, stride, padding, strict=True)
        larger = any(out > (n + 2 * p - k) // s + 1 for out, n, k, s, p in sides)
        return (*plain, "ceil") if larger else plain


@op("max_pool")
@dataclass(frozen=True)
class MaxPool(_Pool):
    """The largest value in each window."""

    def module(self, *inputs: Shape) -> Call:
        return Call("nn.MaxPool2d", self.arguments())


@op("avg_pool")
@dataclass(frozen=True)
class AvgPool(_Pool):
    """The mean of each window, over real positions only unless padding is to be counted as zeroes."""

    count_include_pad: bool = False

    def identity(self, *inputs: Shape) -> tuple[object, ...]:
        return (*super().identity(*inputs), self.count_include_pad and self.padding != 0)

    def module(self, *inputs: Shape) -> Call:
        counted = self.count_include_pad or self.padding == 0
        return Call("nn.AvgPool2d", (*self.arguments(), Arg("count_include_pad", counted, True)))


@op("global_pool")
@dataclass(frozen=True)
class GlobalPool(Op):
    """The mean of each channel over the whole map: (C, H, W) -> (C, 1, 1) (Lin et al. 2013)."""

    def shape(self, *inputs: Shape) -> Shape:
        return (feature_map(inputs[0], self.name)[0], 1, 1)

    def window(self) -> None:
        return None

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def module(self, *inputs: Shape) -> Call:
        return Call("nn.AdaptiveAvgPool2d", (Arg("output_size", 1),))


@op("adaptive_pool")
@dataclass(frozen=True)
class AdaptivePool(Op):
    """The means of `out` x `out` windows that cover the map, whatever its extent."""

    out: Size

    def shape(self, *inputs: Shape) -> Shape:
        if min(pair(self.out)) < 1:
            raise Invalid(f"adaptive_pool: {self.out} positions")
        return (feature_map(inputs[0], self.name)[0], *pair(self.out))

    def window(self) -> None:
        return None

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def identity(self, *inputs: Shape) -> tuple[object, ...]:
        return (GlobalPool.name,) if pair(self.out) == (1, 1) else (self.name, pair(self.out))

    def module(self, *inputs: Shape) -> Call:
        return Call("nn.AdaptiveAvgPool2d", (Arg("output_size", square(pair(self.out))),))


@op("flatten")
@dataclass(frozen=True)
class Flatten(Op):
    """All elements as one vector."""

    in_place = True

    def shape(self, *inputs: Shape) -> Shape:
        if not inputs[0]:
            raise Invalid("flatten: nothing to flatten")
        return (math.prod(inputs[0]),)

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def expression(self, *args: str) -> str:
        return f"torch.flatten({args[0]}, 1)"
