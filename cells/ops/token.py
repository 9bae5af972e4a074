"""Tokens: a map's positions as rows of a matrix (N, D), and the ops that make and read them.

A feature map is (C, H, W), tokens are (N, D): N positions in reading order, D channels each. Ops that let
positions see one another set `context` (see `infer.Costs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cells.ops.base import Arg, Call, Channels, Invalid, Op, Shape, feature_map, op, operand


def matrix(shape: Shape, who: str) -> tuple[int, int]:
    """(N, D), or `Invalid` for anything else."""
    if len(shape) != 2:
        raise Invalid(f"{who} needs tokens (N, D), not {shape}")
    return shape


@op("tokens")
@dataclass(frozen=True)
class Tokens(Op):
    """The positions of a feature map as tokens: (C, H, W) -> (H·W, C)."""

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        return (height * width, channels)

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def expression(self, *args: str) -> str:
        return f"{operand(args[0])}.flatten(2).mT"


@op("to_map")
@dataclass(frozen=True)
class ToMap(Op):
    """Tokens laid out as a feature map of the extent of the second input."""

    arity = 2

    def shape(self, *inputs: Shape) -> Shape:
        count, channels = matrix(inputs[0], self.name)
        _, height, width = feature_map(inputs[1], self.name)
        if count != height * width:
            raise Invalid(f"to_map: {count} tokens do not make a map of {height}x{width}")
        return (channels, height, width)

    def expression(self, *args: str) -> str:
        return f"{operand(args[0])}.mT.unflatten(2, {operand(args[1])}.shape[2:])"


@op("transpose")
@dataclass(frozen=True)
class Transpose(Op):
    """Channels as tokens and tokens as channels, so that a linear layer mixes positions (MLP-Mixer)."""

    context = True

    def shape(self, *inputs: Shape) -> Shape:
        count, channels = matrix(inputs[0], self.name)
        return (channels, count)

    def expression(self, *args: str) -> str:
        return f"{operand(args[0])}.mT"


@op("class_token")
@dataclass(frozen=True)
class ClassToken(Op):
    """A trainable token in front of the others, in which the image is summed up (ViT; BERT's [class])."""

    def shape(self, *inputs: Shape) -> Shape:
        count, channels = matrix(inputs[0], self.name)
        return (count + 1, channels)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"token": inputs[0][-1:]}

    def module(self, *inputs: Shape) -> Call:
        return Call("ClassToken", (Arg("width", inputs[0][-1]),))

    def definition(self) -> str:
        return '''
class ClassToken(nn.Module):
    """Puts a trainable token in front of the others."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(x.shape[0], 1, -1), x], 1)
'''


@op("position")
@dataclass(frozen=True)
class Position(Op):
    """Adds a trainable value to each element: ViT's positional embedding, AlphaGo's bias of each point."""

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"position": inputs[0]}

    def module(self, *inputs: Shape) -> Call:
        return Call("Position", (Arg("shape", inputs[0]),))

    def definition(self) -> str:
        return '''
class Position(nn.Module):
    """Adds a trainable value to each element."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.empty(shape))
        nn.init.trunc_normal_(self.position, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.position
'''


@op("take")
@dataclass(frozen=True)
class Take(Op):
    """One of the tokens, such as the class token: (N, D) -> (D,)."""

    index: int = 0

    def shape(self, *inputs: Shape) -> Shape:
        count, channels = matrix(inputs[0], self.name)
        if not 0 <= self.index < count:
            raise Invalid(f"take: there is no token {self.index} among {count}")
        return (channels,)

    def expression(self, *args: str) -> str:
        return f"{operand(args[0])}[:, {self.index}]"


@op("mean_tokens")
@dataclass(frozen=True)
class MeanTokens(Op):
    """The mean of each channel over all tokens: (N, D) -> (D,)."""

    def shape(self, *inputs: Shape) -> Shape:
        return matrix(inputs[0], self.name)[1:]

    def window(self) -> None:
        return None

    def expression(self, *args: str) -> str:
        return f"{operand(args[0])}.mean(1)"
