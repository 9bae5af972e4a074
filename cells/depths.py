"""Scales a genome in depth: repeated blocks are drawn more or fewer times.

Blocks are repeated where their paths end in a number: `stages.1.2` is the third of the list `stages.1`. A
stage is what of such a list has one extent; its depth is the number of its blocks, not counting one that has
fewer layers than the others (a mere downsampling), nor a reduction cell. Blocks that keep the shape are drawn
again behind the last of them, in their order. A stage whose blocks all change the shape goes on with the
last one, which then reads as many channels as it gives, without strides, and with a shortcut where the
network has them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cells.genome import Genome, Node
from cells.ops import Add, AvgPool, Conv, Depthwise, Invalid, MaxPool, Op, facts
from cells.view import View


class Drawn(NamedTuple):
    """A node of a block that is to be drawn again: what it is called there, and by which names it reads."""

    name: int
    op: Op
    inputs: tuple[int, ...]
    path: str


class Copy(NamedTuple):
    """A block that is to be drawn again: its path, and its nodes, which read the entries, oldest first."""

    path: str
    nodes: tuple[Drawn, ...]
    entries: tuple[int, ...]


@dataclass
class Stage:
    """Blocks of one list and one extent.

    Attributes:
        numbers: what they are called in the list.
        depth: how many count.
        last: the nodes that the last block which can be repeated reads, and its exit.
        copies: what can be drawn behind that, in order; it may be drawn again and again.
        behind: its number.
        spare: blocks that can be left out, the last first.
    """

    parent: str
    numbers: list[int]
    depth: int = 0
    last: tuple[int, ...] = ()
    copies: list[Copy] = field(default_factory=list)
    behind: int = 0
    spare: list[str] = field(default_factory=list)


def deepened(genome: Genome, factor: float) -> Genome:
    """The genome with `factor` times as many blocks in each stage, rounded up as in EfficientNet's code.

    What is new stands behind what it repeats; later blocks of the list are renumbered, so their paths change.

    Raises:
        Invalid: no block is repeated.
    """
    view = View(genome)
    found = stages(view)
    if not any(stage.copies for stage in found):
        raise Invalid(
            "depth: no block is repeated: none whose path ends in a number gives the shape that it reads"
        )
    again: dict[int, tuple[Stage, list[Copy]]] = {}
    gone: dict[int, str] = {}
    numbers: dict[str, str] = {}
    shift: dict[str, int] = {}
    for stage in found:
        more = math.ceil(round(factor * stage.depth, 9)) - stage.depth if stage.copies else 0
        fewer = set(stage.spare[: max(0, -more)])
        moved = shift.setdefault(stage.parent, 0)
        for number in stage.numbers:
            path = f"{stage.parent}.{number}"
            if path in fewer:
                gone[view.closed[path].exit] = path
                moved -= 1
            else:
                numbers[path] = f"{stage.parent}.{number + moved}"
            if number == stage.behind and more > 0:
                again[stage.last[-1]] = stage, [stage.copies[i % len(stage.copies)] for i in range(more)]
                moved += more
        shift[stage.parent] = moved
    return _Drawing(view, again, gone, numbers).genome()


class _Drawing:
    """Draws a genome anew, with blocks left out and drawn again."""

    def __init__(
        self,
        view: View,
        again: dict[int, tuple[Stage, list[Copy]]],
        gone: dict[int, str],
        numbers: dict[str, str],
    ) -> None:
        self.view = view
        self.again = again
        self.gone = gone
        self.numbers = numbers
        self.nodes: list[Node] = []
        self.kinds: list[tuple[str, str]] = []
        self.at: dict[int, int] = {}  # who stands for an old node to those that read it

    def renamed(self, path: str) -> str:
        for cut in (i for i, c in enumerate(path + ".") if c == "."):
            if path[:cut] in self.numbers:
                return self.numbers[path[:cut]] + path[cut:]
        return path

    def add(self, op: Op, inputs: tuple[int, ...], path: str) -> int:
        self.nodes.append(Node(op, inputs, path))
        return len(self.nodes) - 1

    def genome(self) -> Genome:
        old = self.view.genome
        left_out = {i for path in self.gone.values() for i in self.view.closed[path].nodes}
        own = {}
        for index, (op, inputs, path) in enumerate(old.nodes):
            if index not in left_out:
                self.at[index] = self.add(op, tuple(self.at[i] for i in inputs), self.renamed(path))
                own[index] = self.at[index]
            if index in self.gone:
                entries = self.view.closed[self.gone[index]].entries
                state = [self.at[i] for i in entries]
                self.at.update(zip((*entries[1:], index), state, strict=True))
            if index in self.again:
                self.repeat(*self.again[index])
        removed = tuple(self.gone.values())
        for path, kind in old.kinds:
            if not any(path == out or path.startswith(f"{out}.") for out in removed):
                self.kinds.append((self.renamed(path), kind))
        kinds = tuple(sorted(self.kinds))
        return Genome(old.input, tuple(self.nodes), kinds, tuple(own[i] for i in old.aux))

    def repeat(self, stage: Stage, copies: list[Copy]) -> None:
        """Draws blocks one after another behind the stage's last; later readers see what they give."""
        old = self.view.genome.kinds
        state = [self.at[i] for i in stage.last]
        path, _, number = self.renamed(f"{stage.parent}.{stage.behind}").rpartition(".")
        for offset, copy in enumerate(copies, start=1):
            new = f"{path}.{int(number) + offset}"
            local = dict(zip(copy.entries, state, strict=True))
            for name, op, inputs, below in copy.nodes:
                local[name] = self.add(op, tuple(local[i] for i in inputs), new + below)
            for block, kind in old:
                if block == copy.path or block.startswith(f"{copy.path}."):
                    self.kinds.append((new + block[len(copy.path) :], kind))
            state = [*state[1:], local[copy.nodes[-1].name]]
        self.at.update(zip(stage.last, state, strict=True))


def stages(view: View) -> list[Stage]:
    """The stages of a genome whose blocks can be repeated, in order."""
    lists: dict[str, dict[int, list[int]]] = {}
    for index, node in enumerate(view.genome.nodes):
        parts = node.path.split(".")
        for cut in (i for i, part in enumerate(parts) if part.isdigit()):
            entry = lists.setdefault(".".join(parts[:cut]), {})
            entry.setdefault(int(parts[cut]), []).append(index)
    keeping = {path.rpartition(".")[0] for path in view.closed if path.rpartition(".")[2].isdigit()}
    # Lists inside of blocks that are repeated themselves are theirs.
    outer = [p for p in keeping if p in lists and not any(p.startswith(f"{q}.") for q in keeping)]
    beside = {path.rpartition(".")[0] for path in outer if path.rpartition(".")[2].isdigit()}
    found: list[Stage] = []
    for parent, entries in lists.items():
        if parent not in outer and not (
            parent.rpartition(".")[0] in beside and parent.rpartition(".")[2].isdigit()
        ):
            continue
        extents: dict[tuple[int, ...], Stage] = {}
        for number in sorted(entries):
            shape = view.genome.facts[entries[number][-1]].shape
            extent = shape[1:] if len(shape) == 3 else shape[:-1]
            extents.setdefault(extent, Stage(parent, [])).numbers.append(number)
        found += extents.values()
    for stage in found:
        _fill(view, stage)
    return found


def _fill(view: View, stage: Stage) -> None:
    """Finds what a stage can repeat."""
    paths = [f"{stage.parent}.{number}" for number in stage.numbers]
    layers = {p: sum(view.genome.nodes[i].op.weighted for i in view.spans.get(p, ())) for p in paths}
    keeping = [p for p in paths if p in view.closed and _chained(view, stage.parent, p)]
    if keeping:
        last = view.closed[keeping[-1]]
        shape = view.genome.facts[last.exit].shape
        like = [
            p
            for p in keeping
            if len(view.closed[p].entries) == len(last.entries)
            and view.genome.facts[view.closed[p].exit].shape == shape
        ]
        if len(last.entries) > 1:  # cells, of which the reduction cell is none of the N
            stage.depth = sum(not _reduces(view, p) for p in paths)
        else:
            stage.depth = sum(layers[p] >= min(layers[k] for k in keeping) for p in paths)
        stage.behind = int(keeping[-1].rpartition(".")[2])
        stage.last = (*last.entries[1:], last.exit)
        stage.copies = [_copy(view, path) for path in like]
        stage.spare = keeping[::-1] if len(keeping) < len(paths) else keeping[:0:-1]
        return
    made = _continued(view, paths[-1]) if paths[-1] in view.spans else None
    if made is not None:
        stage.depth = sum(layers[p] >= layers[paths[-1]] for p in paths)
        stage.behind = stage.numbers[-1]
        stage.last = (view.spans[paths[-1]][-1],)
        stage.copies = [made]


def _reduces(view: View, path: str) -> bool:
    """Whether a block's map is smaller than that of the node before it that it reads."""
    inside, known = view.spans[path], view.genome.facts
    read = max(i for index in inside for i in view.genome.nodes[index].inputs if i < inside[0])
    return known[read].shape[1:] != known[inside[-1]].shape[1:]


def _chained(view: View, parent: str, path: str) -> bool:
    """Whether a block reads one node, or the blocks of its list just before it."""
    entries, number = view.closed[path].entries, int(path.rpartition(".")[2])
    before = [view.spans.get(f"{parent}.{number - k}", [-1])[-1] for k in range(1, len(entries) + 1)]
    return len(entries) == 1 or entries == tuple(reversed(before))


def _copy(view: View, path: str) -> Copy:
    block = view.closed[path]
    nodes = ((i, view.genome.nodes[i]) for i in block.nodes)
    return Copy(path, tuple(Drawn(i, n.op, n.inputs, n.path[len(path) :]) for i, n in nodes), block.entries)


def _continued(view: View, path: str) -> Copy | None:
    """The block as it goes on a stage that it began: it reads what it gives. None where that does not fit."""
    genome, inside = view.genome, view.spans[path]
    first, last = inside[0], inside[-1]
    entries = {i for index in inside for i in genome.nodes[index].inputs if i < first}
    whole = last - first + 1 == len(inside) and last != genome.output and view.alive[last]
    if len(entries) != 1 or not whole or any(i in inside for i in genome.aux):
        return None
    if any(user > last for i in inside[:-1] for user in view.users[i]):
        return None
    (entry,) = entries
    ratio = _channels(view, last) / _channels(view, entry)
    resized = _resized(view, inside, ratio)
    drawn = {
        i: Drawn(i, _unstrided(resized.get(i, genome.nodes[i].op)), genome.nodes[i].inputs, below)
        for i in inside
        for below in [genome.nodes[i].path[len(path) :]]
    }
    total = _shortcut_sum(view, inside, entry)
    if total is not None:
        index, slot = total
        inputs = list(genome.nodes[index].inputs)
        inputs[slot] = entry
        drawn[index] = drawn[index]._replace(inputs=tuple(inputs))
    elif _residual(view):
        name = len(genome.nodes)
        drawn[name] = Drawn(name, Add(), (last, entry), ".add")
        if any(d.path == ".add" for d in list(drawn.values())[:-1]):
            return None
    kept = _needed(drawn)
    return Copy(path, kept, (entry,)) if _fits(view, kept, entry, last) else None


def _channels(view: View, index: int) -> int:
    shape = view.genome.facts[index].shape
    return shape[0] if len(shape) == 3 else shape[-1]


def _resized(view: View, inside: Sequence[int], ratio: float) -> dict[int, Op]:
    """Layers of a block whose width is that of its entry, or an expansion of it, for `ratio` times that."""
    found: dict[int, Op] = {}
    nodes, end = view.genome.nodes, inside[-1]
    for tie in view.ties.values():
        within = [i for i in tie.nodes if i in inside]
        gives = any(_feeds(view, i, end) for i in within)
        shared = len(within) < len(tie.nodes)
        wide = within and not shared and _channels(view, within[0]) > _channels(view, end)
        if (shared or wide) and not gives:
            for i in (*within, *(i for i in tie.followers if i in inside)):
                op: Any = nodes[i].op
                found[i] = dataclasses.replace(op, out=max(1, round(op.out * ratio)))
    return found


def _feeds(view: View, index: int, end: int) -> bool:
    """Whether a layer's channels are those of the block's exit: nothing but ops that keep them in between."""
    while index != end:
        after = [u for u in view.users[index] if u <= end]
        if len(after) != 1 or isinstance(view.genome.nodes[after[0]].op, Conv):
            return False
        index = after[0]
    return True


def _unstrided(op: Op) -> Op:
    return dataclasses.replace(op, stride=1) if isinstance(op, Conv | Depthwise | MaxPool | AvgPool) else op


def _shortcut_sum(view: View, inside: Sequence[int], entry: int) -> tuple[int, int] | None:
    """(node, slot) of the sum that a shortcut reaches, over at most one layer and fewer than the others."""
    for index in inside:
        node = view.genome.nodes[index]
        if isinstance(node.op, Add) and len(node.inputs) == 2:
            depths = [view.depths.get(i, 0) - view.depths.get(entry, 0) for i in node.inputs]
            if min(depths) <= 1 and min(depths) < max(depths):
                return index, depths.index(min(depths))
    return None


def _residual(view: View) -> bool:
    """Whether all blocks that keep their shape add what they read."""
    nodes = view.genome.nodes
    blocks = [b for path, b in view.blocks.items() if path.rpartition(".")[2].isdigit()]
    return bool(blocks) and all(
        any(isinstance(nodes[i].op, Add) and b.entry in nodes[i].inputs for i in b.nodes) for b in blocks
    )


def _needed(drawn: dict[int, Drawn]) -> tuple[Drawn, ...]:
    """The nodes that the last one depends on."""
    needed = {list(drawn)[-1]}
    for name in reversed(drawn):
        if name in needed:
            needed.update(drawn[name].inputs)
    return tuple(node for name, node in drawn.items() if name in needed)


def _fits(view: View, nodes: tuple[Drawn, ...], entry: int, last: int) -> bool:
    """Whether the nodes give the shape of `last` where they read it."""
    want = view.genome.facts[last].shape
    shapes = {entry: want}
    try:
        for name, op, inputs, _ in nodes:
            shapes[name] = facts(op, tuple(shapes[i] for i in inputs)).shape
    except Invalid:
        return False
    return shapes[nodes[-1].name] == want
