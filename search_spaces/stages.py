"""The arithmetic of stages of like blocks: widths that fit groups, strides, and how many networks differ.

Radosavovic, Kosaraju, Girshick, He, Dollár: "Designing Network Design Spaces", 2020 (arXiv:2003.13678).
The letters are the paper's: depth d, width w, bottleneck ratio b, w / b = v channels inside, group width g.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from cells.ops import Shape
from search_spaces.registry import Networks

GROUPED = ("X", "Y")
"""Blocks that have a group width: X, and Y, which is X with squeeze-and-excitation."""

BOTTLENECKS = (*GROUPED, "R")
"""Blocks that have a bottleneck ratio: those, and R, which is X without groups."""

Stage = tuple[int, int, int]
"""(w, v, g) as they are drawn."""


def compatible(w: int, b: float, g: int) -> tuple[int, int, int]:
    """(w, v, g) with g dividing v = w / b: g at most v, then v rounded to a multiple of g, then w = v·b.

    The paper's appendix leaves the rule open; this is pycls's (its BOT_MUL is 1 / b). Below b = 1, where
    blocks are inverted as RegNetZ's, v is rounded to a multiple of 1 / b as well.
    """
    v = max(1, int(w / b))
    g = min(g, v)
    m = math.lcm(g, round(1 / b)) if b < 1 else g
    v = max(m, round(v / m) * m)
    return int(v * b), v, g


def downsampling(
    input: Shape, stem: int | None, strides: Sequence[int] | None
) -> tuple[int, tuple[int, ...]]:
    """(stem stride, stage strides), where not given, for an input: never below 2x2.

    From 96 pixels on as for ImageNet: stem 2, stages 2, 2, 2, 2. Smaller inputs: stages 1, 2, 2, 2 behind
    a stem of stride 2, so that 32x32 becomes 16-8-4-2.
    """
    side = min(input[1:])
    first = 2 if stem is None else stem
    given = list(strides) if strides is not None else [2 if side >= 96 else 1, 2, 2, 2]

    def last() -> int:
        extent = -(-side // first)
        for stride in given:
            extent = -(-extent // stride)
        return extent

    if stem is None and last() < 2:
        first = 1
    for index in reversed(range(len(given))):
        if strides is None and last() < 2:
            given[index] = 1
    return first, tuple(given)


def _made(w: tuple[int, int], b: Sequence[float], g: Sequence[int], block: str) -> list[list[set[Stage]]]:
    """For each b, and for each g within it, the different stages that widths make."""
    ratios: Sequence[float] = b if block in BOTTLENECKS else (1,)
    groups = g if block in GROUPED else (1,)
    widths = range(w[0], w[1] + 1, 8)
    return [[{compatible(width, r, q) for width in widths} for q in groups] for r in ratios]


def different(shared: str = "", ordered: str = "") -> Networks:
    """Counts the different networks of an AnyNet in which some letters are shared and some never fall.

    A network may be asked for by several g, as narrow stages have no room for a large one: what four stages
    may be for each g is counted by inclusion and exclusion. Its b is told by w / v. With b and g fixed, w as
    it is drawn never falls where w as it is asked does not.

    Args:
        shared: letters that are the same in all stages: none, b, or b and g.
        ordered: letters that never fall from one stage to the next: d, w, or both where b and g are shared.
    """

    def ways(letter: str, options: int) -> int:
        return math.comb(options + 3, 4) if letter in ordered else options**4

    def count(
        *,
        input: Shape,
        d: tuple[int, int],
        w: tuple[int, int],
        b: Sequence[float],
        g: Sequence[int],
        block: str,
        stem_stride: int | None,
        strides: Sequence[int] | None,
        **_: Any,
    ) -> tuple[int, str] | None:
        if min(downsampling(input, stem_stride, strides)[1][1:]) < 2:
            return None  # the first block of a stage may be like the last of the stage before
        made = _made(w, b, g, block)
        if "g" not in shared:
            made = [[set[Stage]().union(*sets)] for sets in made]
        if "b" not in shared:
            made = [[set[Stage]().union(*(stages for sets in made for stages in sets))]]
        total = 0
        for sets in made:
            for size in range(1, len(sets) + 1):
                for some in combinations(sets, size):
                    total -= (-1) ** size * ways("w", len(set.intersection(*some)))
        return total * ways("d", d[1] - d[0] + 1), "different d and (w, v, g) of four stages"

    return count
