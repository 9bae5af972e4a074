"""Reads the block structure of a genome off its paths: what the emitter turns into classes.

A path `stages.1.2.conv2` runs through *scopes*. A scope whose children are all numbered and which has no
kind is a list; every other scope is a block and becomes a class. Blocks of one kind and one structure
share a class: numbers and outside sources may differ, everything else may not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from cells.genome import Genome, live
from cells.infer import infer
from cells.ops import Arg, Call, Invalid, Shape


@dataclass(eq=False)
class Scope:
    """A path that other paths run through."""

    path: str
    kind: str | None
    children: dict[str, Scope | int] = field(default_factory=dict)
    nodes: list[int] = field(default_factory=list)

    @property
    def is_list(self) -> bool:
        """Whether this is a list of parts rather than a block."""
        return self.kind is None and all(name.isdigit() for name in self.children)


@dataclass(eq=False)
class Piece:
    """One call in a block's forward: a single op, a block, or a list run from end to end.

    Attributes:
        ref: how `self` reaches it, such as `stages[0]`.
        reads: the nodes it reads, one entry per input slot.
        writes: its nodes that something outside it reads, in order.
        what: the op's node, the block's scope, or the pieces of the list.
    """

    ref: str
    reads: list[int]
    writes: list[int]
    what: int | Scope | list[Piece]
    nodes: frozenset[int]


Hole = tuple[str, object]
"""What may differ between the blocks of a class, a number or a class in a constructor: (role, value)."""


class ClassName(str):
    """The name of an emitted class, as an argument."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(eq=False)
class Part:
    """One entry of a block's constructor: an op's call, a block's, or a list of parts."""

    name: str
    call: Call | None = None
    block: BlockClass | None = None
    holes: list[Hole] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    sequential: bool = False

    def all_holes(self) -> Iterator[Hole]:
        """The numbers of this part and the parts inside it, in order."""
        yield from self.holes
        for part in self.parts:
            yield from part.all_holes()


@dataclass(eq=False)
class BlockClass:
    """A class to be emitted, with the blocks that are its instances.

    Attributes:
        formals: for each input slot of the block, the number of the `forward` argument it reads.
        params: constructor parameters: (name, role, values by instance).
    """

    name: str
    scopes: list[Scope]
    formals: list[int] = field(default_factory=list)
    params: list[tuple[str, str, tuple[object, ...]]] = field(default_factory=list)
    source: str = ""


class Structure:
    """The scopes of a genome, and the pieces and parts of each block once its inner blocks have classes."""

    def __init__(self, genome: Genome) -> None:
        self.genome = genome
        self.alive = live(genome, aux=True)
        self.main = live(genome)
        layers = infer(genome, aux=True).layers
        self.shapes: dict[int, Shape] = {0: genome.input} | {layer.index: layer.shape for layer in layers}
        self.outputs = {genome.output, *genome.aux}
        self.users: dict[int, list[int]] = {i: [] for i in self.shapes}
        self.classes: dict[str, BlockClass] = {}
        self.root = Scope("", None)
        self._build()

    def _build(self) -> None:
        kinds = dict(self.genome.kinds)
        self.root.kind = kinds.get("", "Net")
        for index, node in enumerate(self.genome.nodes):
            if index == 0 or not self.alive[index]:
                continue
            for source in set(node.inputs):
                self.users[source].append(index)
            scope = self.root
            scope.nodes.append(index)
            *outer, name = node.path.split(".")
            for part in outer:
                path = f"{scope.path}.{part}" if scope.path else part
                inner = scope.children.setdefault(part, Scope(path, kinds.get(path)))
                if isinstance(inner, int):
                    raise Invalid(f"{path}: a node and a block have the same path")
                scope = inner
                scope.nodes.append(index)
            if name in scope.children:
                raise Invalid(f"{node.path}: the path is used twice")
            scope.children[name] = index
        for scope in self.blocks():
            if scope.kind is None:
                label = next((p for p in reversed(scope.path.split(".")) if not p.isdigit()), "block")
                scope.kind = "".join(word.capitalize() for word in label.split("_"))
            between = [i for i in range(scope.nodes[0], scope.nodes[-1] + 1) if self.alive[i]]
            if len(between) != len(scope.nodes):
                raise Invalid(f"{scope.path}: the nodes of a block must follow one another")

    def blocks(self) -> list[Scope]:
        """Every block scope, inner ones before those around them."""
        found: list[Scope] = []

        def visit(scope: Scope) -> None:
            for child in scope.children.values():
                if isinstance(child, Scope):
                    visit(child)
            if not scope.is_list or scope is self.root:
                found.append(scope)

        visit(self.root)
        return found

    def writes(self, nodes: list[int]) -> list[int]:
        """Those of the nodes that others read, or that are outputs."""
        inside = set(nodes)
        return [i for i in nodes if i in self.outputs or any(u not in inside for u in self.users[i])]

    def pieces(self, scope: Scope) -> list[Piece]:
        """The calls of a block's forward, in an order in which they can be run."""
        found = [piece for name, child in scope.children.items() for piece in self._pieces(name, child)]
        return sorted(found, key=lambda piece: max(piece.nodes))

    def _pieces(self, ref: str, child: Scope | int) -> list[Piece]:
        if isinstance(child, int):
            node = self.genome.nodes[child]
            return [Piece(ref, list(node.inputs), [child], child, frozenset([child]))]
        if not child.is_list:
            reads: dict[int, int] = {}
            made = self.classes[child.path]
            for slot, formal in zip(self.slots(child), made.formals, strict=True):
                reads.setdefault(formal, slot)
            inputs = [reads[formal] for formal in sorted(reads)]
            return [Piece(ref, inputs, self.writes(child.nodes), child, frozenset(child.nodes))]
        inner = [piece for name, c in child.children.items() for piece in self._pieces(f"{ref}[{name}]", c)]
        if self._is_chain(child, inner):
            return [Piece(ref, inner[0].reads, inner[-1].writes, inner, frozenset(child.nodes))]
        return inner

    def _is_chain(self, scope: Scope, pieces: list[Piece]) -> bool:
        numbers = [int(name) for name in scope.children]
        if len(pieces) != len(numbers) or numbers != sorted(numbers):
            return False
        for piece in pieces:
            if len(piece.reads) != 1 or len(piece.writes) != 1:
                return False
            if isinstance(piece.what, int) and self.call(piece.what) is None:
                return False
        return all(
            after.reads == before.writes
            and before.writes[0] not in self.outputs
            and after.nodes.issuperset(self.users[before.writes[0]])
            for before, after in itertools.pairwise(pieces)
        )

    def slots(self, scope: Scope) -> list[int]:
        """The outside nodes a block reads, one entry per input slot of its pieces."""
        inside = set(scope.nodes)
        return [i for piece in self.pieces(scope) for i in piece.reads if i not in inside]

    def call(self, index: int) -> Call | None:
        """The module constructor of a node."""
        op, inputs, _ = self.genome.nodes[index]
        return op.module(*(self.shapes[i] for i in inputs))

    def part(self, name: str, child: Scope | int) -> Part | None:
        """The constructor entry of a child; None for an op that needs no module."""
        if isinstance(child, int):
            call = self.call(child)
            if call is None:
                return None
            return Part(name, call=call, holes=[(a.name, a.value) for a in call.args if is_number(a)])
        if not child.is_list:
            made = self.classes[child.path]
            which = made.scopes.index(child)
            holes: list[Hole] = [(role, values[which]) for _, role, values in made.params]
            return Part(name, block=made, holes=[*_class_hole(name, made), *holes])
        found = {int(n): self.part(n, c) for n, c in child.children.items()}
        if list(found) != sorted(found) or None in found.values():
            raise Invalid(f"{child.path}: a numbered list must hold modules, in the order of their numbers")
        # A place that a space left empty keeps its number, so that the paths behind it stay.
        places = [found.get(i) or Part(str(i), call=Call("nn.Identity")) for i in range(max(found) + 1)]
        pieces = self._pieces(name, child)
        chain = len(pieces) == 1 and isinstance(pieces[0].what, list)
        return Part(name, parts=places, sequential=chain)

    def parts(self, scope: Scope) -> list[Part]:
        """The constructor entries of a block."""
        made = [self.part(name, child) for name, child in scope.children.items()]
        return [part for part in made if part is not None]

    def signature(self, scope: Scope) -> tuple[object, ...]:
        """All of a block but its numbers and outside sources."""
        inside: dict[int, tuple[int, int]] = {}
        calls: list[object] = []
        pieces = self.pieces(scope)
        for order, piece in enumerate(pieces):
            reads = tuple(inside.get(i, "outside") for i in piece.reads)
            for slot, index in enumerate(piece.writes):
                inside[index] = (order, slot)
            calls.append((piece.ref, reads, len(piece.writes), self._expression(piece)))
        returned = tuple(inside[i] for i in self.writes(scope.nodes))
        return (scope.kind, tuple(calls), returned, tuple(_shape_of(part) for part in self.parts(scope)))

    def _expression(self, piece: Piece) -> object:
        if isinstance(piece.what, int) and self.call(piece.what) is None:
            return self.genome.nodes[piece.what].op
        return None


def _class_hole(name: str, block: BlockClass) -> list[Hole]:
    """The class of a named part is an argument where blocks differ in it; that of a list's entry is not."""
    return [] if name.isdigit() else [(name, ClassName(block.name))]


def is_number(arg: Arg) -> bool:
    """Whether an argument may become a constructor argument of the block."""
    return not isinstance(arg.value, bool | str)


def _shape_of(part: Part) -> tuple[object, ...]:
    if part.call is not None:
        fixed = tuple((a.name, None if is_number(a) else a.value) for a in part.call.args)
        return (part.name, part.call.func, fixed)
    if part.block is not None:
        if _class_hole(part.name, part.block):
            return (part.name, tuple((name, role) for name, role, _ in part.block.params))
        return (part.name, part.block.name)
    return (part.name, part.sequential, tuple(_shape_of(p) for p in part.parts))
