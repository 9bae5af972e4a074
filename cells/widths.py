"""Which widths of a genome must agree, so that one can be changed without breaking a sum or a group.

A *tie* is a set of convolutions and linear layers that can only be widened together, all by one ratio:
what a residual sum adds must be equally wide; grouped convolutions, chunks, shuffles and heads must still
divide it. Depthwise convolutions and norms follow by themselves; the width of a squeeze-and-excitation
follows that of what it scales.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cells.genome import Genome
from cells.ops import (
    Attention,
    ChannelShuffle,
    Chunk,
    Concat,
    Conv,
    GlobalPool,
    GroupNorm,
    Linear,
    Mul,
    Op,
    PadChannels,
    Select,
    Shape,
    SpatialGate,
    Tokens,
    Transpose,
    WindowAttention,
)


@dataclass
class Tie:
    """Widths that scale together.

    Attributes:
        nodes: the nodes whose `out` they are, in order; empty for what cannot be changed.
        widths: all widths met, each a multiple of `unit`, which may become any multiple of `step`.
        followers: nodes whose `out` follows by the same ratio, rounded.
        fixed: tied to the image, the classes or a number of positions.
    """

    nodes: list[int] = field(default_factory=list)
    widths: list[tuple[int, int]] = field(default_factory=list)
    followers: list[int] = field(default_factory=list)
    fixed: bool = False

    @property
    def unit(self) -> int:
        """The greatest common divisor of the widths."""
        return math.gcd(*(width for width, _ in self.widths))

    @property
    def step(self) -> int:
        """What the unit must be a multiple of, so that everything still divides."""
        unit = self.unit
        return math.lcm(*(n // math.gcd(n, width // unit) for width, n in self.widths))

    def scaled(self, factor: float) -> int:
        """The unit for widths `factor` times as large, rounded to a step; at least one step."""
        return max(1, round(self.unit * factor / self.step)) * self.step


Segments = list[tuple[int, int]]
"""What a dimension is made of, side by side: (number of the tie, width)."""


class _Ties:
    """Union-find over ties, and the segments of every node's channels and, for tokens, positions."""

    def __init__(self, genome: Genome) -> None:
        self.genome = genome
        self.parent = [0]
        self.ties = [Tie(fixed=True)]
        self.columns: list[Segments] = []
        self.rows: list[Segments] = []
        facts = genome.facts
        for index, (op, inputs, _) in enumerate(genome.nodes):
            shapes = [facts[i].shape for i in inputs]
            columns, rows = self.flow(index, op, inputs, shapes, facts[index].shape)
            self.columns.append(columns)
            self.rows.append(rows)
        for index in (genome.output, *genome.aux):
            self.join([0, *(tie for tie, _ in self.columns[index])])
        self.follow()

    def find(self, tie: int) -> int:
        while self.parent[tie] != tie:
            self.parent[tie] = self.parent[self.parent[tie]]
            tie = self.parent[tie]
        return tie

    def join(self, ties: Iterable[int]) -> int:
        first, *others = sorted({self.find(tie) for tie in ties})
        for other in others:
            self.parent[other] = first
            kept, gone = self.ties[first], self.ties[other]
            kept.nodes += gone.nodes
            kept.widths += gone.widths
            kept.fixed |= gone.fixed
        return first

    def new(self, index: int, width: int) -> Segments:
        self.parent.append(len(self.ties))
        self.ties.append(Tie([index], [(width, 1)]))
        return [(len(self.ties) - 1, width)]

    def divides(self, segments: Segments, n: int) -> None:
        """The total of the segments must remain a multiple of n."""
        if any(width % n for _, width in segments):
            segments = self.one(segments, sum(width for _, width in segments))
        for tie, width in segments:
            self.ties[self.find(tie)].widths.append((width, n))

    def one(self, segments: Segments, width: int) -> Segments:
        """The segments as one, of another width perhaps."""
        tie = self.join(tie for tie, _ in segments)
        if width:
            self.ties[tie].widths.append((width, 1))
        return [(tie, width)]

    def equal(self, sides: Sequence[Segments]) -> Segments:
        """Sides that must stay equally wide."""
        for other in sides[1:]:
            if [width for _, width in other] == [width for _, width in sides[0]]:
                for (a, _), (b, _) in zip(sides[0], other, strict=True):
                    self.join((a, b))
            else:
                self.join(tie for side in (sides[0], other) for tie, _ in side)
        return sides[0]

    def flow(
        self, index: int, op: Op, inputs: tuple[int, ...], shapes: list[Shape], shape: Shape
    ) -> tuple[Segments, Segments]:
        """(channels, positions) of a node."""
        width = shape[0] if len(shape) == 3 else shape[-1]
        if not inputs:
            return [(0, width)], []
        before, positions = self.columns[inputs[0]], self.rows[inputs[0]]
        total = sum(width for _, width in before)
        if isinstance(op, Transpose):
            return positions, before
        if isinstance(op, Tokens) or (len(shape) == 2 and shape[0] != shapes[0][0]):
            self.join([0, *(tie for tie, _ in positions)])
            positions = [(0, shape[0])]
        if isinstance(op, Concat):
            return [segment for i in inputs for segment in self.columns[i]], []
        if op.commutative:
            positions = self.equal([self.rows[i] for i in inputs])
            return self.equal([self.columns[i] for i in inputs]), positions
        if isinstance(op, Select):
            self.join([0, *(tie for tie, _ in before)])
        if isinstance(op, Conv | Linear | PadChannels):
            after = self.new(index, width)
            if isinstance(op, Conv) and op.group_width is not None:
                self.divides(before, op.group_width)
                self.join(tie for tie, _ in before + after)
            elif isinstance(op, Conv) and op.groups > 1:
                self.divides(before, op.groups)
                self.divides(after, op.groups)
            elif isinstance(op, PadChannels):
                self.join(tie for tie, _ in before + after)
            return after, positions
        n = _parts(op)
        if n > 1:
            self.divides(self.one(before, total) if width != total else before, n)
        if width % total == 0:
            return [(tie, part * (width // total)) for tie, part in before], positions
        if total % width == 0 and n > 1:
            return self.one(before, width), positions
        self.join([0, *(tie for tie, _ in before)])
        return [(0, width)], positions

    def follow(self) -> None:
        """Layers of a gate but the last follow what the gate scales."""
        nodes = self.genome.nodes
        for op, inputs, _ in nodes:
            if not isinstance(op, Mul) or len(inputs) != 2:
                continue
            for gate, scaled in (inputs, inputs[::-1]):
                layers: list[int] = []
                while len(nodes[gate].inputs) == 1 and not isinstance(nodes[gate].op, GlobalPool):
                    if isinstance(nodes[gate].op, Conv | Linear):
                        layers.append(gate)
                    gate = nodes[gate].inputs[0]
                if not isinstance(nodes[gate].op, GlobalPool) or nodes[gate].inputs != (scaled,):
                    continue
                leader = self.ties[self.find(self.columns[scaled][0][0])]
                for layer in layers[1:]:
                    self.ties[self.find(self.columns[layer][0][0])].fixed = True
                    leader.followers.append(layer)


def _parts(op: Op) -> int:
    """Into how many equal parts an op divides its channels; 1 for ops that do not."""
    if isinstance(op, Attention | WindowAttention):
        return 3 * op.head_width
    if isinstance(op, SpatialGate):
        return 2
    if isinstance(op, Chunk):
        return op.chunks
    return op.groups if isinstance(op, ChannelShuffle | GroupNorm) else 1


def ties(genome: Genome) -> list[Tie]:
    """The ties of a genome that can be changed, in the order of their first nodes."""
    found = _Ties(genome)
    roots = {found.find(tie) for tie in range(len(found.ties))}
    free = [found.ties[root] for root in roots if not found.ties[root].fixed and found.ties[root].nodes]
    for tie in free:
        tie.nodes.sort()
    return sorted(free, key=lambda tie: tie.nodes[0])


def widened(genome: Genome, tie: Tie, factor: float) -> Genome:
    """The genome with the widths of a tie `factor` times as large, rounded so that all still fits."""
    return reset(genome, [(tie, tie.scaled(factor))])


def reset(genome: Genome, units: Iterable[tuple[Tie, int]]) -> Genome:
    """The genome with new units, each a multiple of its tie's step: all else in a tie follows."""
    nodes = list(genome.nodes)
    for tie, unit in units:
        for index in (*tie.nodes, *tie.followers):
            op = nodes[index].op
            out = max(1, round(op.out * unit / tie.unit))  # type: ignore[attr-defined]
            nodes[index] = nodes[index]._replace(op=dataclasses.replace(op, out=out))  # type: ignore[call-arg]
    return Genome(genome.input, tuple(nodes), genome.kinds, genome.aux)
