"""The front of several goals: what no other point beats in all of them. Everything is maximised.

A point is a tuple of values, one for each goal (`nas.objectives.values` makes it of a trial's row).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Point = Sequence[float]


def front(points: Sequence[Point | None]) -> list[int]:
    """Indices of the points that no other dominates; of equal points all. None, for a trial without values,
    is on no front.
    """
    there = [i for i, point in enumerate(points) if point is not None]
    return [i for i, rank in zip(there, ranks([p for p in points if p is not None]), strict=True) if not rank]


def ranks(points: Sequence[Point]) -> list[int]:
    """The front that each point lies on when fronts are taken off one after another; 0 is the first.

    Source: non-dominated sorting, Deb et al. 2002 (NSGA-II), section III.A.
    """
    import numpy as np

    if not points:
        return []
    values = np.asarray(points, dtype=float)
    one, other = values[:, None], values[None]
    dominates = np.all(one >= other, axis=2) & np.any(one > other, axis=2)
    ahead = dominates.sum(axis=0)  # how many points not yet taken off dominate each
    found = np.full(len(values), -1)
    number = 0
    while (left := found < 0).any():
        found[left & (ahead == 0)] = number
        ahead -= dominates[found == number].sum(axis=0)
        number += 1
    return [int(rank) for rank in found]


def crowding(points: Sequence[Point]) -> list[float]:
    """Crowding distance of each point of one front: the size of the gap it stands in, summed over goals.

    Goals are scaled by their range; the ends of a front stand in an infinite gap, and so does one of several
    equal ends. Source: Deb et al. 2002 (NSGA-II), section III.B.
    """
    distance = [0.0] * len(points)
    for goal in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: points[i][goal])
        low, high = points[order[0]][goal], points[order[-1]][goal]
        distance[order[0]] = distance[order[-1]] = math.inf
        for (before, i), (_, after) in pairwise(pairwise(order)):
            if high > low:
                distance[i] += (points[after][goal] - points[before][goal]) / (high - low)
    return distance


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The volume that the points dominate above a reference point; exact.

    Points that are not above the reference in every goal add nothing. Source: WFG, While, Bradstreet and
    Barone 2012, "A fast way of calculating exact hypervolumes", section III.

    Raises:
        ValueError: a point has another number of goals than the reference.
    """
    if any(len(point) != len(reference) for point in points):
        raise ValueError(f"a point has not the {len(reference)} goals of the reference point")
    above = [tuple(v - r for v, r in zip(point, reference, strict=True)) for point in points]
    return _volume([point for point in above if min(point) > 0])


def _volume(points: Sequence[tuple[float, ...]]) -> float:
    """The volume between the origin and positive points: what each adds to those after it."""
    kept = sorted({points[i] for i in front(points)}, reverse=True)
    if not kept or len(kept[0]) == 1:
        return kept[0][0] if kept else 0.0
    if len(kept[0]) == 2:  # as x falls, y rises
        return sum(x * (y - lower) for (x, y), lower in zip(kept, [0.0, *(y for _, y in kept)], strict=False))
    return sum(
        math.prod(point) - _volume([tuple(map(min, point, other)) for other in kept[i + 1 :]])
        for i, point in enumerate(kept)
    )
