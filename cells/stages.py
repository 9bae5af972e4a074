"""The stages of a genome: which of its blocks can be repeated or left out, so that it is deeper or shallower.

Blocks are repeated where their paths end in a number: `stages.1.2` is the third of the list `stages.1`. A
stage is what of such a list has one extent; its depth is the number of its blocks, not counting one that has
fewer layers than the others (a mere downsampling), nor a reduction cell. Blocks that keep the shape can be
drawn again, in their order. A stage whose blocks all change the shape goes on with the last one, which then
reads as many channels as it gives, without strides, and with a shortcut where the network has them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
