"""Batch norms folded into the convolutions before them, for inference."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import NamedTuple

from cells.genome import Genome, live
from cells.ops import BatchNorm, Conv, Depthwise
from cells.rewrite import Rewrite


class Fold(NamedTuple):
    """A norm that went into a convolution: the paths of both, and the norm's epsilon."""

    conv: str
    norm: str
    eps: float


def fuse(genome: Genome) -> tuple[Genome, tuple[Fold, ...]]:
    """The genome with biases in the place of batch norms, and which norm went into which convolution.

    In eval mode a batch norm is a factor and a shift for each channel. Behind a convolution the factor goes
    into its filters and the shift into its bias, whatever its padding, stride and groups. A norm stays where
    something besides it reads the convolution, where it follows anything else, and where it is an output. A
    norm before a convolution stays, too: its shift would be missing from the padding.
    """
    alive = live(genome, aux=True)
    nodes = genome.nodes
    reads = Counter(source for node, used in zip(nodes, alive, strict=True) if used for source in node.inputs)
    outputs = {genome.output, *genome.aux}
    change = Rewrite(genome)
    folds: list[Fold] = []
    for index, (op, inputs, path) in enumerate(nodes):
        if not alive[index] or not isinstance(op, BatchNorm) or index in outputs:
            continue
        conv, _, before = nodes[inputs[0]]
        if not isinstance(conv, Conv | Depthwise) or reads[inputs[0]] != 1 or inputs[0] in outputs:
            continue
        change.ops[before] = dataclasses.replace(conv, bias=True)
        change.redirect(path, before)
        folds.append(Fold(before, path, op.eps))
    return change.genome(), tuple(folds)
