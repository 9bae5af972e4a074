"""Shapes, costs and receptive field of a genome: one loop over its nodes, nothing built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cells.genome import Genome, live
from cells.ops import Mul, Shape
from cells.ops.base import POINT, Window


class Layer(NamedTuple):
    """What is known of one node.

    receptive_field and jump are (height, width) in input pixels: how many reach one position of this
    node's output, and how far apart neighbouring positions are. depth counts weighted layers up to here.
    """

    index: int  # type: ignore[assignment]
    shape: Shape
    params: int
    macs: int
    activations: int
    depth: int
    receptive_field: tuple[int, int]
    jump: tuple[int, int]


@dataclass(frozen=True)
class Costs:
    """The costs of a genome.

    Attributes:
        params: trainable parameters.
        macs: multiply-adds of convolutions, linear layers and attention products; no bias adds.
        activations: output elements of convolutions (Radosavovic et al. 2020, section 4).
        depth: the longest path in convolutions and linear layers, not counting those in gates.
        receptive_field: input pixels, along the larger side, that reach one position of the last feature
            map through convolutions and pools, the largest over paths. Gates, global pooling and
            attention are not followed.
        global_context: whether the last feature map sees the whole image by a gate or attention (the
            classifier's own pooling comes after it and does not count).
        output: shape of the output.
        layers: one entry for every live node but the input, in order.
    """

    params: int
    macs: int
    activations: int
    depth: int
    receptive_field: int
    global_context: bool
    output: Shape
    layers: tuple[Layer, ...]

    @property
    def flops(self) -> int:
        """Two for each multiply-add."""
        return 2 * self.macs


class _Sight(NamedTuple):
    """How far a node sees. pooled: it is a summary of a whole map; context: it has met such a summary."""

    field: tuple[int, int] = (1, 1)
    jump: tuple[int, int] = (1, 1)
    pooled: bool = False
    context: bool = False


def _look(sights: list[_Sight], window: Window | None) -> _Sight:
    if len(sights) == 1:
        sight = sights[0]
    else:
        pooled = [s.pooled for s in sights]
        sight = _Sight(
            (max([s.field[0] for s in sights]), max([s.field[1] for s in sights])),
            (max([s.jump[0] for s in sights]), max([s.jump[1] for s in sights])),
            all(pooled),
            any(s.context for s in sights) or (any(pooled) and not all(pooled)),
        )
    if window is POINT:
        return sight
    if window is None:
        return sight._replace(pooled=True)
    (eh, ew), (sh, sw) = window
    (fh, fw), (jh, jw) = sight.field, sight.jump
    return _Sight((fh + (eh - 1) * jh, fw + (ew - 1) * jw), (jh * sh, jw * sw), sight.pooled, sight.context)


def infer(genome: Genome, *, aux: bool = False) -> Costs:
    """Shapes and costs of all nodes on which the output depends.

    Args:
        aux: count auxiliary heads as well.

    Raises:
        Invalid: a node cannot take its inputs; the message names its path.
    """
    alive = live(genome, aux=aux)
    nodes, known = genome.nodes, genome.facts
    depths = [0] * len(nodes)
    sights = [_Sight()] * len(nodes)
    layers: list[Layer] = []
    for index in range(1, len(nodes)):
        if not alive[index]:
            continue
        op, inputs, _ = nodes[index]
        fact = known[index]
        shape = fact.shape
        # A gate (a 1x1 map that scales a larger one) is no part of the path through the network.
        followed = [i for i in inputs if known[i].shape[1:] == shape[1:]] if type(op) is Mul else inputs
        depth = depths[index] = max([depths[i] for i in followed]) + op.weighted
        sight = sights[inputs[0]]
        if len(inputs) > 1 or fact.window is not POINT:
            sight = _look([sights[i] for i in inputs], fact.window)
        if op.context:
            sight = sight._replace(context=True)
        sights[index] = sight
        layers.append(
            Layer(index, shape, fact.params, fact.macs, fact.activations, depth, sight.field, sight.jump)
        )
    last = sights[-1]
    return Costs(
        params=sum([layer.params for layer in layers]),
        macs=sum([layer.macs for layer in layers]),
        activations=sum([layer.activations for layer in layers]),
        depth=depths[-1],
        receptive_field=max(last.field),
        global_context=last.context,
        output=known[-1].shape,
        layers=tuple(layers),
    )


_PASSIVE = ("avg_pool", "max_pool", "identity", "pad_channels")


def residual_norms(genome: Genome) -> list[str]:
    """Paths of the last norm of every residual branch: a norm that is added to what its branch began with.

    A gate, dropout or layer scale behind the norm is looked through. The other summand is the shortcut: an
    ancestor of the branch, either as it is or through at most one weighted layer (a projection) and
    parameter-free ops.
    """
    ancestors = _ancestors(genome)
    depth = {layer.index: layer.depth for layer in infer(genome).layers}
    paths: list[str] = []
    for node in genome.nodes:
        if node.op.name != "add":
            continue
        for branch in node.inputs:
            norm = _behind(genome, branch)
            if not genome.nodes[norm].op.norm:
                continue
            for other in node.inputs:
                root = _shortcut_root(genome, other)
                deeper = depth.get(norm, 0) > depth.get(other, 0)
                if other != branch and deeper and ancestors[norm] >> root & 1:
                    paths.append(genome.nodes[norm].path)
                    break
    return paths


def droppable_paths(genome: Genome) -> list[str]:
    """Paths of the modules whose outputs drop-path may zero: the last of each branch of a sum.

    Beside a shortcut (as in `residual_norms`, but a pool over overlapping windows is an operation, not a
    shortcut) these are the other summands; in a sum without shortcut, as in a cell, all of them. What is
    read elsewhere as well is no branch. Sources: Larsson et al. 2016 (arXiv:1605.07648), Huang et al. 2016
    (arXiv:1603.09382).
    """
    ancestors, users = _ancestors(genome), [0] * len(genome.nodes)
    depth = {layer.index: layer.depth for layer in infer(genome).layers}
    for index in [i for node in genome.nodes for i in node.inputs] + list(genome.aux):
        users[index] += 1
    paths: list[str] = []
    for node in genome.nodes:
        if node.op.name != "add":
            continue
        shortcuts = set()
        for other in node.inputs:
            root = _shortcut_root(genome, other, overlapping=False)
            for branch in node.inputs:
                if depth.get(branch, 0) > depth.get(other, 0) and ancestors[branch] >> root & 1:
                    shortcuts.add(other)
        for branch in node.inputs:
            if branch not in shortcuts and users[branch] == 1 and not genome.nodes[branch].op.alias():
                paths += _factor(genome, branch)
    return paths


def _factor(genome: Genome, index: int) -> list[str]:
    """The module whose output may be scaled in place of a node's: the node's own, its gate's, its input's."""
    while True:
        op, inputs, path = genome.nodes[index]
        if op.module(*(genome.facts[i].shape for i in inputs)) is not None:
            return [path]
        if op.name == "mul":
            index = min(inputs, key=lambda i: genome.facts[i].shape[1:])
        elif len(inputs) == 1 or op.name == "to_map":  # whose other input only says the map's extent
            index = inputs[0]
        else:
            return []


def _ancestors(genome: Genome) -> list[int]:
    """For each node, the set of nodes it depends on: bit i is node i."""
    ancestors = [0] * len(genome.nodes)
    for index, node in enumerate(genome.nodes):
        for source in node.inputs:
            ancestors[index] |= ancestors[source] | 1 << source
    return ancestors


def _behind(genome: Genome, index: int) -> int:
    """The node whose values a gate, dropout or identity passes on."""
    while True:
        op, inputs, _ = genome.nodes[index]
        if op.name == "mul":
            index = max(inputs, key=lambda i: genome.facts[i].shape[1:])
        elif op.random or op.alias():
            index = inputs[0]
        else:
            return index


def _shortcut_root(genome: Genome, index: int, *, overlapping: bool = True) -> int:
    """Where a shortcut starts: back through norms, pools and at most one weighted layer.

    Args:
        overlapping: whether to go through pools whose windows overlap.
    """
    projected = False
    while len(genome.nodes[index].inputs) == 1:
        op = genome.nodes[index].op
        if (op.weighted and projected) or not (op.weighted or op.norm or op.name in _PASSIVE):
            break
        window = genome.facts[index].window
        if not (overlapping or op.weighted or window is None or window is POINT or window[0] <= window[1]):
            break
        projected |= op.weighted
        index = genome.nodes[index].inputs[0]
    return index
