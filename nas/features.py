"""What a predictor is told of a network: its costs, and the ways that lead through its operations."""

from __future__ import annotations

import math

from cells.genome import Genome, live
from cells.infer import infer
from cells.ops import Zero
from cells.ops.base import POINT

LONGEST = 4
"""Operations on the longest way that is counted."""

Way = tuple[str, ...]


def features(genome: Genome) -> dict[str, float]:
    """Its costs, most of them as logarithms, and how many ways of each sort lead through it.

    The path encoding (White et al. 2021, arXiv:1910.11858, section 3) says which sequences of operations
    lead from a cell's input to its output. Ways are pieces of such sequences: they need no cell.
    """
    costs = infer(genome)
    found = {
        "params": math.log1p(costs.params),
        "macs": math.log1p(costs.macs),
        "activations": math.log1p(costs.activations),
        "receptive_field": math.log1p(costs.receptive_field),
        "depth": float(costs.depth),
        "layers": float(len(costs.layers)),
    }
    return found | {" ".join(way): float(count) for way, count in ways(genome).items()}


def ways(genome: Genome) -> dict[Way, int]:
    """How often each sequence of up to `LONGEST` operations occurs along the edges of the graph.

    Layers with weights and pools count, named after their op and the extent of their window. What is between
    them (norms, activations, sums) is passed through; no way leads through zeroes.
    """
    total: dict[Way, int] = {}
    ending: list[dict[Way, int]] = []  # at each node, those that end in its output
    for (op, inputs, _), fact, used in zip(genome.nodes, genome.facts, live(genome), strict=True):
        here: dict[Way, int] = {}
        if used and not isinstance(op, Zero):
            if len(inputs) == 1:
                here = ending[inputs[0]]
            else:
                for i in inputs:
                    _add(here, ending[i])
            if op.weighted or (fact.window is not None and fact.window != POINT):
                extent = 0 if fact.window is None else max(fact.window.extent)
                name = f"{op.name}{extent}"
                here = {(*way, name): count for way, count in here.items() if len(way) < LONGEST}
                here[name,] = 1
                _add(total, here)
        ending.append(here)
    return total


def _add(counts: dict[Way, int], more: dict[Way, int]) -> None:
    for way, count in more.items():
        counts[way] = counts.get(way, 0) + count
