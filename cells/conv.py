"""What a paper calls a convolution: the layer with its bias or norm and its non-linearity."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from cells.ops import RELU, Conv, Dropout, Flatten, Linear, Op
from cells.sketch import Sketch, Value


@dataclass(frozen=True)
class Unit:
    """How a family of networks follows a convolution up.

    Attributes:
        norm: between convolution and non-linearity; None: nothing.
        bias: whether the convolution has one.
        act: the non-linearity.
    """

    norm: Op | None
    bias: bool = False
    act: Op = RELU

    def __call__(self, s: Sketch, x: Value, name: str, conv: Conv) -> Value:
        """The convolution with bias, norm and non-linearity as the family has them, below `name`."""
        with s.block(name, "BasicConv"):
            x = s.add("conv", dataclasses.replace(conv, bias=self.bias), x)
            if self.norm is not None:
                x = s.add("norm", self.norm, x)
            return s.add("act", self.act, x)


PLAIN = Unit(norm=None, bias=True)
"""As before batch norm: a biased convolution and a ReLU."""


def run(s: Sketch, x: Value, name: str, unit: Unit, *ops: Op) -> Value:
    """The ops one after another, numbered below `name` (a single one is `name`), convolutions as units."""
    for index, op in enumerate(ops):
        place = f"{name}.{index}" if len(ops) > 1 else name
        x = unit(s, x, place, op) if isinstance(op, Conv) else s.add(place, op, x)
    return x


def fully_connected(s: Sketch, x: Value, name: str, classes: int, *widths: int, p: float = 0.5) -> Value:
    """Fully connected layers with ReLU and dropout, and the last, to the classes, without.

    Source: Krizhevsky et al. 2012, sections 3.5 and 4.2.
    """
    with s.block(name, "Classifier"):
        x = s.chain(x, flatten=Flatten())
        for number, width in enumerate(widths, 1):
            x = s.chain(
                x, **{f"fc{number}": Linear(width), f"relu{number}": RELU, f"drop{number}": Dropout(p)}
            )
        return s.add(f"fc{len(widths) + 1}", Linear(classes), x)
