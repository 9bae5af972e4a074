"""Typed edits of the graph: blocks repeated or left out, shortcuts, branches, gates or gates more or less.

See `edits` for what an edit is. What is new lies inside the block that it belongs to: all other paths stay.
"""

from __future__ import annotations

from cells.genome import Genome
from cells.ops import (
    RELU,
    SIGMOID,
    Add,
    Concat,
    Conv,
    Depthwise,
    GlobalPool,
    Identity,
    MaxPool,
    Mul,
)
from cells.rewrite import Rewrite
from cells.view import View
from search_spaces.choose import Chooser
from search_spaces.edits import Edit, norms
from search_spaces.strides import stride


def _depth(view: View, site: str, choose: Chooser, name: str) -> Genome:
    block, nodes = view.blocks[site], view.genome.nodes
    times = choose.pick(f"{name}.times", [0, 2, 3])
    new, end, entry = Rewrite(view.genome), nodes[block.exit].path, nodes[block.entry].path
    if not times:
        # One node stays in the block's place, for lists are numbered without gaps.
        stays = new.insert(end, new.free(f"{site}.identity"), Identity(), entry)
        new.redirect(end, stays)
        return new.genome()
    inside = [nodes[i] for i in block.nodes]
    behind = end
    for _ in range(times - 1):
        again = new.free(f"{site}.again")
        moved = {entry: behind} | {n.path: again + n.path[len(site) :] for n in inside}
        read, last = behind, behind
        for node in inside:
            sources = [moved[nodes[i].path] for i in node.inputs]
            last = new.insert(last, moved[node.path], node.op, *sources)
        for path, kind in view.genome.kinds:
            if path == site or path.startswith(f"{site}."):
                new.kinds[again + path[len(site) :]] = kind
        new.redirect(read, last)
        behind = last
    return new.genome()


def _bridge(view: View, site: str, choose: Chooser, name: str) -> Genome:
    block, nodes, new = view.blocks[site], view.genome.nodes, Rewrite(view.genome)
    end = nodes[block.exit].path
    added = new.insert(end, new.free(f"{site}.shortcut"), Add(), end, nodes[block.entry].path)
    new.redirect(end, added)
    return new.genome()


def _bridges(view: View) -> list[str]:
    nodes = view.genome.nodes
    return [
        block.path
        for block in view.blocks.values()
        if not any(isinstance(nodes[i].op, Add) and block.entry in nodes[i].inputs for i in block.nodes)
    ]


def _drop_skip(view: View, site: str, choose: Chooser, name: str) -> Genome:
    new = Rewrite(view.genome)
    inputs = view.genome.nodes[view.paths[site]].inputs
    shallow = min(range(len(inputs)), key=lambda slot: view.depths.get(inputs[slot], 0))
    del new.inputs[site][shallow]
    return new.genome()


def _drop_branch(view: View, site: str, choose: Chooser, name: str) -> Genome:
    new = Rewrite(view.genome)
    (concat,) = view.users[view.paths[site]]
    new.inputs[view.genome.nodes[concat].path].remove(site)
    return new.genome()


def _branches(view: View) -> list[str]:
    """Inputs of concatenations whose width nothing but dense layers sees."""
    nodes, free = view.genome.nodes, [False] * len(view.genome.nodes)
    for index in reversed(range(view.genome.output)):
        free[index] = bool(view.users[index]) and all(
            nodes[u].op.channels(*(view.genome.facts[i].shape for i in nodes[u].inputs)) == "mix"
            or (free[u] and (isinstance(nodes[u].op, Concat) or _keeps(view, u)))
            for u in view.users[index]
        )
    return [
        nodes[i].path
        for c, node in enumerate(nodes)
        if isinstance(node.op, Concat) and free[c] and view.alive[c]
        for i in set(node.inputs)
        if view.users[i] == [c] and len(node.inputs) > 1
    ]


def _keeps(view: View, index: int) -> bool:
    node = view.genome.nodes[index]
    return len(node.inputs) == 1 and node.op.channels(view.genome.facts[node.inputs[0]].shape) == "keep"


def _branch(view: View, site: str, choose: Chooser, name: str) -> Genome:
    what = choose.pick(f"{name}.of", ["conv1x1", "conv3x3", "conv5x5", "max_pool"])
    op, new = view.genome.nodes[view.paths[site]].op, Rewrite(view.genome)
    assert isinstance(op, Conv)
    out = view.genome.facts[view.paths[site]].shape[0]
    (source,) = new.inputs[site]
    stride, behind = op.stride, site
    if what == "max_pool":
        behind = source = new.insert(behind, new.free(f"{site}_pool"), MaxPool(3, stride, 1), source)
        stride = 1
    kernel = 1 if what == "max_pool" else int(what[-1])
    side = new.insert(behind, new.free(f"{site}_branch"), Conv(out, kernel, stride, bias=op.bias), source)
    total = new.insert(side, new.free(f"{site}_sum"), Add(), site, side)
    new.redirect(site, total)
    return new.genome()


def _gate(view: View, site: str, choose: Chooser, name: str) -> Genome:
    ratio = choose.pick(f"{name}.ratio", [4, 8, 16])
    width, new = view.genome.facts[view.paths[site]].shape[0], Rewrite(view.genome)
    block = new.free(f"{site}_se")
    new.kinds[block] = "SqueezeExcite"
    last = site
    for label, op in (
        ("pool", GlobalPool()),
        ("reduce", Conv(max(1, width // ratio), 1, bias=True)),
        ("relu", RELU),
        ("expand", Conv(width, 1, bias=True)),
        ("sigmoid", SIGMOID),
    ):
        last = new.insert(last, f"{block}.{label}", op, last)
    scaled = new.insert(last, f"{block}.scale", Mul(), site, last)
    new.redirect(site, scaled)
    return new.genome()


def _gates(view: View) -> list[str]:
    nodes = view.genome.nodes

    def gateless(i: int) -> bool:
        return not view.numbered(i) and not any(isinstance(nodes[u].op, GlobalPool) for u in view.users[i])

    return [
        path for path in norms(view) or view.sites(view.map, Conv, Depthwise) if gateless(view.paths[path])
    ]


def _ungate(view: View, site: str, choose: Chooser, name: str) -> Genome:
    new, node = Rewrite(view.genome), view.genome.nodes[view.paths[site]]
    largest = max(node.inputs, key=lambda i: view.genome.facts[i].shape[1:])
    new.ops[site], new.inputs[site] = Identity(), [view.genome.nodes[largest].path]
    return new.genome()


GRAPH: dict[str, Edit] = {
    "depth": Edit(lambda view: list(view.blocks), _depth),
    "insert_skip": Edit(_bridges, _bridge),
    "drop_skip": Edit(lambda v: v.sites(lambda i: len(v.genome.nodes[i].inputs) > 1, Add), _drop_skip),
    "insert_branch": Edit(lambda v: v.sites(lambda i: v.centred(i) and not v.numbered(i), Conv), _branch),
    "drop_branch": Edit(_branches, _drop_branch),
    "insert_se": Edit(_gates, _gate),
    "drop_se": Edit(lambda view: view.sites(view.map, Mul), _ungate),
    "stride_later": stride(1),
    "stride_earlier": stride(-1),
}
"""The edits of the graph by name."""
