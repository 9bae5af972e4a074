"""Fronts, ranks, crowding and hypervolume against brute force and known values."""

import itertools
import math
import random
from typing import Any

import pytest

from nas.front import crowding, front, hypervolume, ranks
from nas.objectives import read_objectives
from nas.results import on_front


def points(goals: int, count: int, seed: int = 0) -> list[tuple[float, ...]]:
    """On a grid, so that there are ties and repeats."""
    rng = random.Random(seed)
    return [tuple(rng.randint(0, 6) for _ in range(goals)) for _ in range(count)]


def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b


@pytest.mark.parametrize("goals", [1, 2, 3, 4])
def test_ranks_are_the_fronts_taken_off_one_after_another(goals: int) -> None:
    some = points(goals, 40, goals)
    left, found = set(range(len(some))), {}
    for number in itertools.count():
        if not left:
            break
        off = {i for i in left if not any(dominates(some[j], some[i]) for j in left)}
        found |= dict.fromkeys(off, number)
        left -= off
    assert ranks(some) == [found[i] for i in range(len(some))]
    assert front(some) == [i for i in range(len(some)) if found[i] == 0]


def test_trials_without_values_are_on_no_front() -> None:
    assert front([None, (1, 2), None, (2, 1), (0, 0)]) == [1, 3]
    assert front([None]) == front([]) == ranks([]) == []


def test_a_network_that_is_best_in_everything_has_the_whole_volume() -> None:
    goals = read_objectives("accuracy,macs")

    def row(trial: int, accuracy: float, macs: int) -> dict[str, Any]:
        found = {
            "trial": trial,
            "key": str(trial),
            "val_accuracy": accuracy,
            "reward": accuracy,
            "macs": macs,
        }
        return found | {"stage": "search", "status": "ok"}

    best, worst, alike = row(0, 0.9, 10), row(1, 0.5, 20), row(2, 0.4, 10)
    assert on_front([best, worst], goals) == ([best], 1)
    assert on_front([best], goals) == ([best], 1)
    assert on_front([best, alike], goals) == ([best], 1)


def test_crowding_is_the_gap_between_neighbours() -> None:
    assert crowding([(0, 10), (1, 6), (3, 2), (4, 0)]) == [math.inf, 3 / 4 + 8 / 10, 3 / 4 + 6 / 10, math.inf]
    assert crowding([(2, 2)]) == [math.inf]
    assert crowding([(1,), (1,), (1,)]) == [math.inf, 0, math.inf]
    assert crowding([]) == []


@pytest.mark.parametrize("goals", [1, 2, 3, 4])
def test_hypervolume_counts_the_dominated_cells(goals: int) -> None:
    for seed in range(5):
        some = points(goals, 12, seed)
        cells = itertools.product(range(1, 6), repeat=goals)  # [i, i + 1] in every goal, above 1
        inside = sum(
            any(all(c + 1 <= v for c, v in zip(cell, p, strict=True)) for p in some) for cell in cells
        )
        assert hypervolume(some, (1,) * goals) == inside


def test_hypervolume_of_known_sets() -> None:
    assert hypervolume([], (0, 0)) == 0
    assert hypervolume([(3, 1), (2, 2), (1, 3)], (0, 0)) == 6
    assert hypervolume([(-1, 5)], (0, 0)) == 0
    assert hypervolume([(0.9, -2e6), (0.8, -1e6)], (0, -3e6)) == pytest.approx(0.9e6 + 0.8e6)
    with pytest.raises(ValueError, match="not the 3 goals"):
        hypervolume([(1, 1)], (0, 0, 0))
