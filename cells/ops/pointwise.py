"""Ops that treat every position alike: normalisation, activations, dropout, identity and zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from cells.ops.base import Arg, Call, Channels, Invalid, Op, Shape, Window, feature_map, op, operand, slide


@dataclass(frozen=True)
class _Pointwise(Op):
    in_place = True

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"


@op("input")
@dataclass(frozen=True)
class Input(Op):
    """The image: always the first node of a genome, whose input shape it has. Takes no inputs."""

    arity = 0


@op("batch_norm")
@dataclass(frozen=True)
class BatchNorm(_Pointwise):
    """Batch normalisation with trainable scale and shift (Ioffe & Szegedy 2015)."""

    norm = True

    eps: float = 1e-5
    momentum: float = 0.1

    def shape(self, *inputs: Shape) -> Shape:
        return feature_map(inputs[0], self.name)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]}

    def module(self, *inputs: Shape) -> Call:
        return Call(
            "nn.BatchNorm2d",
            (
                Arg("num_features", inputs[0][0]),
                Arg("eps", self.eps, 1e-5),
                Arg("momentum", self.momentum, 0.1),
            ),
        )


Kind = Literal["relu", "relu6", "sigmoid", "tanh", "silu", "gelu", "hardswish", "hardsigmoid", "elu"]

_MODULES: dict[str, str] = dict(
    zip(
        get_args(Kind),
        ("ReLU", "ReLU6", "Sigmoid", "Tanh", "SiLU", "GELU", "Hardswish", "Hardsigmoid", "ELU"),
        strict=True,
    )
)


@op("activation")
@dataclass(frozen=True)
class Activation(_Pointwise):
    """An elementwise non-linearity, by torch's name of its function."""

    kind: Kind = "relu"

    def module(self, *inputs: Shape) -> Call:
        return Call(f"nn.{_MODULES[self.kind]}")


RELU = Activation("relu")
SIGMOID = Activation("sigmoid")


@op("dropout")
@dataclass(frozen=True)
class Dropout(_Pointwise):
    """Zeroes each element with probability p while training (Srivastava et al. 2014)."""

    random = True

    p: float = 0.5

    def shape(self, *inputs: Shape) -> Shape:
        if not 0 <= self.p < 1:
            raise Invalid(f"dropout: p = {self.p} is not in [0, 1)")
        return inputs[0]

    def alias(self) -> bool:
        return self.p == 0

    def module(self, *inputs: Shape) -> Call:
        return Call("nn.Dropout", (Arg("p", self.p),))


@op("identity")
@dataclass(frozen=True)
class Identity(_Pointwise):
    """Passes its input on."""

    def alias(self) -> bool:
        return True

    def module(self, *inputs: Shape) -> Call:
        return Call("nn.Identity")


@op("zero")
@dataclass(frozen=True)
class Zero(_Pointwise):
    """Zeroes in the shape of its input, subsampled by `stride` ("none" in NAS-Bench-201)."""

    stride: int = 1

    def shape(self, *inputs: Shape) -> Shape:
        if self.stride < 1:
            raise Invalid(f"zero: stride {self.stride}")
        channels, height, width = feature_map(inputs[0], self.name)
        return (
            channels,
            slide(height, 1, self.stride, 0, self.name),
            slide(width, 1, self.stride, 0, self.name),
        )

    def window(self) -> Window:
        return Window(stride=(self.stride, self.stride))

    def expression(self, *args: str) -> str:
        step = f"[..., ::{self.stride}, ::{self.stride}]" if self.stride > 1 else ""
        return f"torch.zeros_like({operand(args[0]) if step else args[0]}{step})"


@op("scale")
@dataclass(frozen=True)
class Scale(_Pointwise):
    """Multiplies every element by a constant (residual scaling, Szegedy et al. 2016, section 3.3)."""

    factor: float

    def alias(self) -> bool:
        return self.factor == 1

    def expression(self, *args: str) -> str:
        return f"{self.factor!r} * ({args[0]})" if " + " in args[0] else f"{self.factor!r} * {args[0]}"
