"""Normalisations beside batch norm: by instance, by groups of channels, and across neighbouring channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cells.ops.base import Arg, Call, Channels, Invalid, Op, Shape, feature_map, op


@op("instance_norm")
@dataclass(frozen=True)
class InstanceNorm(Op):
    """Normalises each channel of each image over its positions (Ulyanov et al. 2016, arXiv:1607.08022)."""

    norm = True

    eps: float = 1e-5

    def shape(self, *inputs: Shape) -> Shape:
        shape = feature_map(inputs[0], self.name)
        if shape[1] * shape[2] == 1:
            raise Invalid("instance_norm: over a single position nothing is left but the shift")
        return shape

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]}

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def module(self, *inputs: Shape) -> Call:
        return Call(
            "nn.InstanceNorm2d",
            (
                Arg("num_features", inputs[0][0]),
                Arg("eps", self.eps, 1e-5),
                Arg("affine", True, False),
            ),
        )


@op("group_norm")
@dataclass(frozen=True)
class GroupNorm(Op):
    """Normalises groups of channels of each image (Wu & He 2018, arXiv:1803.08494).

    One group is layer norm over all of (C, H, W); as many groups as channels are instance norm.
    """

    norm = True

    groups: int = 32
    eps: float = 1e-5

    def shape(self, *inputs: Shape) -> Shape:
        shape = feature_map(inputs[0], self.name)
        if self.groups < 1 or shape[0] % self.groups:
            raise Invalid(f"group_norm: {shape[0]} channels do not divide into {self.groups} groups")
        if shape[0] == self.groups and shape[1] * shape[2] == 1:
            raise Invalid("group_norm: over groups of a single value nothing is left but the shift")
        return shape

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]}

    def module(self, *inputs: Shape) -> Call:
        return Call(
            "nn.GroupNorm",
            (
                Arg("num_groups", self.groups),
                Arg("num_channels", inputs[0][0]),
                Arg("eps", self.eps, 1e-5),
            ),
        )


@op("lrn")
@dataclass(frozen=True)
class LRN(Op):
    """Local response normalisation: divides by (k + alpha / n * the sum of n neighbours' squares) ** beta.

    Krizhevsky et al. 2012, section 3.3. Their alpha is not divided by n: their 1e-4 is n times that here,
    which is Caffe's and torch's.
    """

    n: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def shape(self, *inputs: Shape) -> Shape:
        if self.n < 1:
            raise Invalid(f"lrn: {self.n} neighbouring channels")
        return feature_map(inputs[0], self.name)

    def module(self, *inputs: Shape) -> Call:
        return Call(
            "nn.LocalResponseNorm",
            (
                Arg("size", self.n),
                Arg("alpha", self.alpha, 1e-4),
                Arg("beta", self.beta, 0.75),
                Arg("k", self.k, 1.0),
            ),
        )
