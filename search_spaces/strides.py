"""Typed edits of where a network halves its maps: all strides between two cuts become a pool elsewhere.

See `edits` for what an edit is. A cut is a node through which everything goes, so that extents still agree
behind it.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

from cells.genome import Genome
from cells.ops import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    Depthwise,
    Identity,
    Invalid,
    MaxPool,
    Op,
)
from cells.rewrite import Rewrite
from cells.view import View
from search_spaces.choose import Chooser
from search_spaces.edits import Edit

Move = tuple[list[int], int]
"""Strided nodes between two cuts, and the node behind which a pool takes over."""


def _moves(view: View, step: int) -> dict[str, Move]:
    """By the path of the first strided node, where its stride can go: one convolution later or earlier."""
    nodes, cuts = view.genome.nodes, view.cuts
    spans = [range(a + 1, b + 1) for a, b in itertools.pairwise(cuts)]
    convs = [any(nodes[i].op.conv and view.map(i) for i in span) for span in spans]
    found: dict[str, Move] = {}
    for at, span in enumerate(spans):
        strided = [i for i in span if getattr(nodes[i].op, "stride", 1) in (2, (2, 2))]
        to = next((j for j in _onwards(at, step, len(spans)) if convs[j]), None)
        if not strided or to is None or any(_unstrided(nodes[i].op, len(strided)) is None for i in strided):
            continue
        while step > 0 and to + 1 < len(spans) and isinstance(nodes[cuts[to + 2]].op, BatchNorm | Activation):
            to += 1
        place = cuts[to + 1] if step > 0 else cuts[to]
        if view.map(place) and not view.numbered(place) and _fits(_moved(view, (strided, place))):
            found[nodes[strided[0]].path] = (strided, place)
    return found


def _onwards(at: int, step: int, count: int) -> range:
    return range(at + 1, count) if step > 0 else range(at - 1, -1, -1)


def _unstrided(op: Op, together: int) -> Op | None:
    """The op with stride 1 and its input's extent; None where there is none."""
    if isinstance(op, Conv | Depthwise):
        odd = all(k % 2 for k in op.geometry()[0])
        return replace(op, stride=1, padding=None) if odd else None
    if isinstance(op, MaxPool | AvgPool):
        if op.kernel in (1, 3):
            return replace(op, stride=1, padding=op.kernel // 2)
        return Identity() if together == 1 else None
    return None


def _moved(view: View, move: Move) -> Genome:
    nodes, new = view.genome.nodes, Rewrite(view.genome)
    strided, place = move
    for index in strided:
        op = _unstrided(nodes[index].op, len(strided))
        assert op is not None
        new.ops[nodes[index].path] = op
    behind = nodes[place].path
    pool = new.insert(behind, new.free(f"{behind}_pool"), MaxPool(3, 2, 1), behind)
    new.redirect(behind, pool)
    return new.genome()


def _fits(genome: Genome) -> bool:
    try:
        return bool(genome.facts)
    except Invalid:
        return False


def stride(step: int) -> Edit:
    """The edit that moves a halving of the extent one convolution later (1) or earlier (-1)."""

    def apply(view: View, site: str, choose: Chooser, name: str) -> Genome:
        return _moved(view, _moves(view, step)[site])

    return Edit(lambda view: list(_moves(view, step)), apply)
