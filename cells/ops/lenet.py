"""What only the LeNet-5 of 1998 needs: picked channels, its squashing function and its output layer.

LeCun, Bottou, Bengio, Haffner: "Gradient-based learning applied to document recognition", 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

from cells.ops.base import Arg, Call, Channels, Invalid, Op, Shape, feature_map, op


@op("select")
@dataclass(frozen=True)
class Select(Op):
    """The channels of these numbers, in this order; a channel may come more than once."""

    picked: tuple[int, ...]

    def shape(self, *inputs: Shape) -> Shape:
        channels, *extent = feature_map(inputs[0], self.name)
        if not self.picked or not 0 <= min(self.picked) <= max(self.picked) < channels:
            raise Invalid(f"select: channels {self.picked} of {channels}")
        return (len(self.picked), *extent)

    def expression(self, *args: str) -> str:
        return f"{f'({args[0]})' if ' ' in args[0] else args[0]}[:, {list(self.picked)}]"


@op("scaled_tanh")
@dataclass(frozen=True)
class ScaledTanh(Op):
    """1.7159 tanh(2/3 x): 1 at 1 and -1 at -1, where its curvature is largest (appendix A)."""

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def expression(self, *args: str) -> str:
        return f"1.7159 * torch.tanh(2 / 3 * {f'({args[0]})' if ' + ' in args[0] else args[0]})"


@op("rbf")
@dataclass(frozen=True)
class RBF(Op):
    """Minus the squared distance to a fixed code of +1 and -1 for each of `out` classes (section II.B).

    The codes are no parameters: the paper fixes them, by hand for digits and otherwise, as here, at
    random. Minus, because its smallest output wins where a classifier's largest does.
    """

    weighted = True

    out: int

    def shape(self, *inputs: Shape) -> Shape:
        if len(inputs[0]) != 1:
            raise Invalid(f"rbf needs a vector, not {inputs[0]}")
        if self.out < 1:
            raise Invalid(f"rbf: {self.out} outputs")
        return (self.out,)

    def macs(self, *inputs: Shape) -> int:
        return inputs[0][0] * self.out

    def channels(self, *inputs: Shape) -> Channels:
        return "order"

    def module(self, *inputs: Shape) -> Call:
        return Call("RBF", (Arg("in_features", inputs[0][0]), Arg("out_features", self.out)))

    def definition(self) -> str:
        return '''
class RBF(nn.Module):
    """Minus the squared distance of the input to each class's fixed code of +1 and -1."""

    codes: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        bits = torch.randint(0, 2, (out_features, in_features), generator=generator)
        self.register_buffer("codes", 2.0 * bits - 1.0)

    def forward(self, x: Tensor) -> Tensor:
        # |x - c|^2 = |x|^2 - 2 xc + |c|^2, and |c|^2 is the number of inputs
        products = nn.functional.linear(x, self.codes)
        return 2 * products - x.square().sum(1, keepdim=True) - self.codes.shape[1]
'''
