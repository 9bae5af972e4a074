"""Ops that join several inputs."""

from __future__ import annotations

from dataclasses import dataclass

from cells.ops.base import Invalid, Op, Shape, feature_map, op


@op("add")
@dataclass(frozen=True)
class Add(Op):
    """The sum of inputs of one shape."""

    arity = None
    commutative = True

    def shape(self, *inputs: Shape) -> Shape:
        for shape in inputs[1:]:
            if shape != inputs[0]:
                raise Invalid(f"add: shapes differ: {inputs[0]} and {shape}")
        return inputs[0]

    def expression(self, *args: str) -> str:
        return " + ".join(args)


@op("mul")
@dataclass(frozen=True)
class Mul(Op):
    """The product of feature maps; a map of 1x1 scales whole channels (squeeze-and-excitation's gate)."""

    arity = None
    commutative = True

    def shape(self, *inputs: Shape) -> Shape:
        largest = max(inputs, key=lambda s: s[1:])
        for shape in inputs:
            if shape != largest and shape != (*largest[:1], 1, 1):
                raise Invalid(f"mul: cannot multiply {largest} by {shape}")
        return largest

    def expression(self, *args: str) -> str:
        return " * ".join(f"({a})" if " + " in a else a for a in args)


@op("concat")
@dataclass(frozen=True)
class Concat(Op):
    """Feature maps of one extent side by side: their channels in the order of the inputs."""

    arity = None

    def shape(self, *inputs: Shape) -> Shape:
        first = feature_map(inputs[0], self.name)
        for shape in inputs[1:]:
            if feature_map(shape, self.name)[1:] != first[1:]:
                raise Invalid(f"concat: extents differ: {first} and {shape}")
        return (sum(s[0] for s in inputs), *first[1:])

    def expression(self, *args: str) -> str:
        return f"torch.cat([{', '.join(args)}], 1)"


@op("vote")
@dataclass(frozen=True)
class Vote(Op):
    """The soft vote of classifiers: the mean of the probabilities that their outputs stand for."""

    arity = None

    def shape(self, *inputs: Shape) -> Shape:
        if len(inputs) < 2:
            raise Invalid("vote: one classifier alone has no vote to take")
        for shape in inputs:
            if len(shape) != 1 or shape != inputs[0]:
                raise Invalid(f"vote: needs vectors of one length, not {inputs[0]} and {shape}")
        return inputs[0]

    def expression(self, *args: str) -> str:
        return f"torch.mean(torch.softmax(torch.stack([{', '.join(args)}]), 2), 0)"
