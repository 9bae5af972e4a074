"""Cells: small graphs of operations, found by search and repeated to make a network.

Zoph et al. 2018 (arXiv:1707.07012), section 3: a network is a stack of two kinds of cell, one that keeps
the extent and one that halves it. Each cell reads the outputs of the two cells before it; each of its nodes
sums operations on two earlier states; its output is the concatenation of some of them. A `Genotype` says
which, in the notation of DARTS (Liu et al. 2019, arXiv:1806.09055).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cells.ops import RELU, Add, BatchNorm, Concat, Conv, Identity, Pad, Zero
from cells.sketch import Sketch, Value

Edge = tuple[str, int]
"""An operation, and the state it reads: 0 the cell before the last, 1 the last, 2, 3, ... the nodes.

In cells that read the last cell only, 0 is the last, 1, 2, ... the nodes."""


class Cell(NamedTuple):
    """The nodes in order, each the sum of its edges, and the states that make the output.

    A node without edges does not exist: edges that read it, and its place in the output, fall away. The
    nodes that are `joined` concatenate their edges in place of adding them.
    """

    nodes: tuple[tuple[Edge, ...], ...]
    concat: tuple[int, ...]
    joined: tuple[int, ...] = ()


def all_nodes(*nodes: tuple[Edge, ...]) -> Cell:
    """The cell whose output is all of its nodes."""
    return Cell(nodes, tuple(range(2, 2 + len(nodes))))


def loose_ends(nodes: Sequence[Sequence[Edge]]) -> tuple[int, ...]:
    """The states that no edge reads, the two inputs included."""
    read = {j for edges in nodes for _, j in edges}
    return tuple(i for i in range(2 + len(nodes)) if i not in read)


class Genotype(NamedTuple):
    """What a cell search finds: a cell that keeps the extent, and one that halves it."""

    normal: Cell
    reduce: Cell


Operation = Callable[[Sketch, Value, str, int, int], Value | None]
"""Draws an operation of a cell: (s, x, name, c, stride) -> the state, with c channels; None: nothing."""

Inputs = Callable[[Sketch, Value, Value, int], list[Value]]
"""Brings the outputs of the two cells before to c channels and one extent: (s, s0, s1, c) -> states."""


@dataclass(frozen=True)
class Style:
    """What a genotype leaves open, and every code base answers in its own way.

    Attributes:
        operations: by the names that the genotypes use.
        inputs: how a cell prepares what it reads.
        of_nothing: the operations that read zeroes where there is no state to read; edges of all others
            fall away.
    """

    operations: Mapping[str, Operation]
    inputs: Inputs
    of_nothing: frozenset[str] = frozenset()


def relu_conv_bn(s: Sketch, x: Value, name: str, c: int, stride: int = 1, *, kernel: int = 1) -> Value:
    """ReLU, convolution, batch norm: the order of everything inside a cell."""
    with s.block(name, "ReLUConvBN" if stride == 1 else "StridedReLUConvBN"):
        return s.chain(x, relu=RELU, conv=Conv(c, kernel, stride=stride), bn=BatchNorm())


def factorized_reduce(s: Sketch, x: Value, name: str, c: int, *, relu: bool = True) -> Value:
    """Half the extent, no pixel lost: a strided 1x1 on the map, another on the map shifted by one.

    Zoph et al. 2018, TF-Slim's factorized_reduction. The shift brings zeroes in at the bottom right; the
    second convolution takes the odd filter.
    """
    with s.block(name, "FactorizedReduce" if relu else "LinearFactorizedReduce"):
        if relu:
            x = s.add("relu", RELU, x)
        even = s.add("conv1", Conv(c // 2, 1, stride=2), x)
        odd = s.chain(x, shift=Pad((-1, 1, -1, 1)), conv2=Conv(c - c // 2, 1, stride=2))
        return s.chain(s.add("concat", Concat(), even, odd), bn=BatchNorm())


def match(s: Sketch, x: Value, name: str, c: int, like: Value) -> Value:
    """`x` with c channels and the extent of `like`, as it is where it has both."""
    if x.shape[1:] != like.shape[1:]:
        return factorized_reduce(s, x, name, c)
    return x if x.shape[0] == c else relu_conv_bn(s, x, name, c)


def cell(
    s: Sketch,
    s0: Value,
    s1: Value,
    name: str,
    kind: str,
    genotype: Cell,
    style: Style,
    *,
    c: int,
    stride: int = 1,
) -> Value:
    """One cell of c channels per state; with stride 2, the operations on its two inputs halve the extent."""
    with s.block(name, kind):
        states: list[Value | None] = list(style.inputs(s, s0, s1, c))
        first, inputs = states[0], len(states)
        assert first is not None
        nothing: Value | None = None
        for i, edges in enumerate(genotype.nodes, start=inputs):
            terms = []
            for place, (operation, j) in enumerate(edges):
                source = states[j]
                if source is None and operation in style.of_nothing:
                    source = nothing = nothing or s.add("nothing", Zero(), first)
                if source is not None:
                    step = stride if j < inputs else 1
                    term = style.operations[operation](s, source, f"node{i}_{place}", c, step)
                    terms += [] if term is None else [term]
            if len(terms) > 1:
                terms = [s.add(f"node{i}", Concat() if i in genotype.joined else Add(), *terms)]
            states.append(terms[0] if terms else None)
        *_, last = (state for state in states if state is not None)
        out = [
            _fit(s, x, f"concat{i}", c, last) if i < inputs else x
            for i in genotype.concat
            if (x := states[i]) is not None
        ]
        if len(out) > 1:
            return s.add("concat", Concat(), *out)
        if not out:
            return s.add("zero", Zero(), first)
        return s.add("identity", Identity(), first) if out[0] == first else out[0]


def _fit(s: Sketch, x: Value, name: str, c: int, last: Value) -> Value:
    """An input as it joins the output: c channels, the last node's extent (as TF-Slim combines states)."""
    if x.shape[1:] != last.shape[1:]:
        return factorized_reduce(s, x, name, c, relu=False)
    if x.shape[0] != c:
        with s.block(name, "ConvBN"):
            return s.chain(x, conv=Conv(c, 1), bn=BatchNorm())
    return x
