"""What can be read off a genome's graph before it is edited: users, blocks, cuts, widths that are tied."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

from cells.genome import Genome, live
from cells.infer import infer
from cells.ops import Conv, Depthwise, Op
from cells.widths import Tie, ties


class Block(NamedTuple):
    """A block whose one exit has the shape of what it reads: it can be repeated or left out.

    Attributes:
        nodes: first and one behind the last.
        entries: the nodes that it reads, in order: one, or (a cell) the exits of the blocks before it.
    """

    path: str
    nodes: range
    entries: tuple[int, ...]

    @property
    def entry(self) -> int:
        """The last node that it reads."""
        return self.entries[-1]

    @property
    def exit(self) -> int:
        """The node that is read outside."""
        return self.nodes[-1]


class View:
    """What edits must know of a genome, found out once."""

    def __init__(self, genome: Genome) -> None:
        self.genome = genome
        self.paths = {node.path: index for index, node in enumerate(genome.nodes)}

    @cached_property
    def alive(self) -> list[bool]:
        """Whether the output depends on each node: auxiliary heads are no place for edits."""
        return live(self.genome)

    @cached_property
    def users(self) -> list[list[int]]:
        """Who reads each node."""
        found: list[list[int]] = [[] for _ in self.genome.nodes]
        for index, node in enumerate(self.genome.nodes):
            for source in node.inputs:
                found[source].append(index)
        return found

    @cached_property
    def ties(self) -> dict[str, Tie]:
        """Widths that can be changed, by the path of the first node that has one."""
        found = ((next((i for i in tie.nodes if self.alive[i]), None), tie) for tie in ties(self.genome))
        return {self.genome.nodes[first].path: tie for first, tie in found if first is not None}

    @cached_property
    def depths(self) -> dict[int, int]:
        """Weighted layers up to each node."""
        return {layer.index: layer.depth for layer in infer(self.genome, aux=True).layers}

    @cached_property
    def spans(self) -> dict[str, list[int]]:
        """The nodes of every block, by its path."""
        found: dict[str, list[int]] = {path: [] for path, _ in self.genome.kinds if path}
        for index, node in enumerate(self.genome.nodes):
            for cut in (i for i, c in enumerate(node.path) if c == "."):
                if node.path[:cut] in found:
                    found[node.path[:cut]].append(index)
        return found

    @cached_property
    def closed(self) -> dict[str, Block]:
        """Blocks of layers that keep the shape, by path, however many nodes they read."""
        nodes, facts = self.genome.nodes, self.genome.facts
        found: dict[str, Block] = {}
        for path, inside in self.spans.items():
            first, last = inside[0], inside[-1]
            entries = sorted({i for index in inside for i in nodes[index].inputs if i < first})
            if not entries or not self.alive[last] or last == self.genome.output:
                continue
            if last - first + 1 != len(inside):
                continue
            only = all(user <= last for i in inside[:-1] for user in self.users[i])
            aux = any(i in inside for i in self.genome.aux)
            works = any(nodes[i].op.weighted and self.spatial(i) for i in inside)
            if only and works and not aux and {facts[i].shape for i in entries} == {facts[last].shape}:
                found[path] = Block(path, range(first, last + 1), tuple(entries))
        return found

    @cached_property
    def blocks(self) -> dict[str, Block]:
        """Blocks with one entry, which can also be bridged, by path."""
        return {path: block for path, block in self.closed.items() if len(block.entries) == 1}

    def spatial(self, index: int) -> bool:
        """Whether a node has several positions: a map larger than 1x1, or tokens."""
        shape = self.genome.facts[index].shape
        return math.prod(shape[1:] if len(shape) == 3 else shape[:-1]) > 1

    def map(self, index: int) -> bool:
        """Whether a node is a feature map larger than 1x1."""
        return len(self.genome.facts[index].shape) == 3 and self.spatial(index)

    def sites(self, ok: Callable[[int], bool], *ops: type[Op]) -> list[str]:
        """Paths of nodes of these ops that satisfy a condition."""
        nodes = self.genome.nodes
        return [n.path for i, n in enumerate(nodes) if self.alive[i] and isinstance(n.op, ops) and ok(i)]

    def numbered(self, index: int) -> bool:
        """Whether a node is an entry of a numbered list, where nothing can be inserted."""
        return self.genome.nodes[index].path.rpartition(".")[2].isdigit()

    @cached_property
    def cuts(self) -> list[int]:
        """Nodes through which all goes that reaches the output, in order."""
        found, reach = [], 0
        for index in (i for i, here in enumerate(self.alive) if here):
            if reach <= index:
                found.append(index)
            reach = max(reach, *(user for user in self.users[index] if self.alive[user]), 0)
        return found

    def centred(self, index: int) -> bool:
        """Whether a node is a convolution of square odd kernel that, but for its stride, keeps the extent."""
        op = self.genome.nodes[index].op
        if not isinstance(op, Conv | Depthwise) or not self.map(index):
            return False
        (k, other), _, padding, (d, e) = op.geometry()
        return k == other and d == e and k % 2 == 1 and padding == (d * (k - 1) // 2,) * 2
