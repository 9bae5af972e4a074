"""Constraints on groups of questions, and the spaces that are made of them."""

import bisect
import contextlib
import csv
import itertools
import random
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Invalid
from search_spaces import SPACES, Chooser, Enumerate, Fixed, Random, Replay, ReplayError, SpaceError, find
from search_spaces.anynet import each
from search_spaces.census import sample, size
from search_spaces.choose import Recorder
from search_spaces.domain import Integer, Pick
from search_spaces.reduce import Increasing, increasing, tie, within

W = ["w1", "w2", "w3"]


def three(choose: Chooser) -> list[int]:
    return [choose.integer(name, 8, 32, step=8) for name in W]


def pair(choose: Chooser) -> list[int]:
    return [choose.pick("a", [1, 2, 3]), choose.pick("b", [1, 2, 3])]


class Says(Recorder):
    """A strategy that answers what it is told to."""

    def __init__(self, *answers: int) -> None:
        super().__init__()
        self.given = list(answers)

    def answer(self, name: str, domain: Any) -> int:
        return self.given.pop(0)


def test_tie_asks_the_first_question_only() -> None:
    chooser = Random(0)
    first, *others = three(tie(chooser, W))
    assert others == [first, first]
    assert list(chooser.record) == ["w1"]
    assert three(tie(Replay(chooser.record), W)) == [first] * 3
    assert sum(1 for chooser in Enumerate() if three(tie(chooser, W))) == 4


def test_a_strategys_answers_are_sorted_and_recorded_as_the_space_got_them() -> None:
    chooser = Says(32, 8, 16)
    assert three(increasing(chooser, W)) == [8, 16, 32]
    assert chooser.record == {"w1": 8, "w2": 16, "w3": 32}
    assert three(increasing(Replay(chooser.record), W)) == [8, 16, 32]


def test_enumerate_goes_through_a_group_once() -> None:
    found = [tuple(three(increasing(chooser, W))) for chooser in Enumerate()]
    assert found == list(itertools.combinations_with_replacement((8, 16, 24, 32), 3))
    assert len(found) == Increasing(tuple(W)).count(Integer(8, 32, 8))


def test_random_rejection_keeps_the_distribution_of_independent_answers() -> None:
    """Every ordered triple of uniform answers is as likely as any other, which sorting would not give."""
    chooser = Random(1)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(6000):
        chooser.record.clear()
        triple = tuple(three(increasing(chooser, W)))
        counts[triple] = counts.get(triple, 0) + 1
    assert len(counts) == 20
    assert sum((n - 300) ** 2 / 300 for n in counts.values()) < 43.8  # chi-square, 19 degrees, p = 0.001


def test_replay_of_a_group() -> None:
    wrong = {"w1": 16, "w2": 8, "w3": 32}
    with pytest.raises(ReplayError, match=r"\[16, 8, 32\] to w1, w2, w3 are not increasing"):
        three(increasing(Replay(wrong), W))
    assert three(increasing(Replay(wrong, otherwise=Random(0)), W)) == [8, 16, 32]
    del wrong["w2"]
    with pytest.raises(ReplayError, match="no answer to 'w2'"):
        three(increasing(Replay(wrong), W))
    mutated = three(increasing(Replay(wrong, otherwise=Random(0)), W))
    assert mutated == sorted(mutated)
    assert {16, 32} <= set(mutated)
    assert three(increasing(Fixed(w1=99, w2=1, w3=2), W)) == [99, 1, 2]


def test_within_narrows_the_domain() -> None:
    chooser = Random(0)
    values = three(within(chooser, W, 10, 25))
    assert set(values) <= {16, 24}
    assert chooser.domains["w1"] == Integer(16, 24, 8)
    assert sum(1 for c in Enumerate() if pair(within(c, ["a"], 2, 9))) == 6
    assert 1.5 <= within(Random(0), ["x"], 1.5, 2).real("x", 0, 9) <= 2
    with pytest.raises(SpaceError, match=r"'w1'.*nothing from 17 to 20"):
        three(within(Random(0), W, 17, 20))


@pytest.mark.parametrize("outer", [0, 1])
def test_within_and_increasing_combine(outer: int) -> None:
    wraps: list[Callable[[Chooser], Chooser]] = [
        lambda c: within(c, W, 16, 99),
        lambda c: increasing(c, W),
    ]
    found = {tuple(three(wraps[outer](wraps[1 - outer](chooser)))) for chooser in Enumerate()}
    assert found == set(itertools.combinations_with_replacement((16, 24, 32), 3))


@pytest.mark.parametrize(
    ("wrap", "reason"),
    [
        (lambda c: increasing(increasing(c, W), W[:2]), "'w1' stands under two constraints"),
        (lambda c: increasing(tie(c, W[:2]), W), "'w1' stands under two constraints"),
        (lambda c: increasing(within(c, W[:2], 0, 9), W), "'w1' stands under two constraints"),
        (lambda c: tie(c, "w1"), "list of different questions"),
        (lambda c: tie(c, []), "list of different questions"),
        (lambda c: tie(c, ["w1", "w1"]), "list of different questions"),
        (lambda c: tie(object(), W), "wraps the chooser"),  # type: ignore[arg-type]
    ],
)
def test_mistakes_of_constraints(wrap: Callable[[Any], Chooser], reason: str) -> None:
    with pytest.raises(SpaceError, match=reason):
        three(wrap(Random(0)))


@pytest.mark.parametrize("wrap", [tie, increasing])
def test_a_group_has_one_domain(wrap: Callable[[Chooser, list[str]], Chooser]) -> None:
    chooser = wrap(Random(0), ["a", "b"])
    chooser.pick("a", [1, 2])
    with pytest.raises(SpaceError, match="'a' and 'b' stand under one constraint"):
        chooser.pick("b", [1, 2, 3])


def test_a_group_that_is_never_in_order_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_spaces.choose.TRIES", 100)
    names = [f"q{i}" for i in range(12)]
    with pytest.raises(SpaceError, match="the group is too long"):
        increasing(Random(0), names).real("q0", 0, 1)


# -- AnyNet ------------------------------------------------------------------------------------------

LEVELS = ["anynet", "anynet_b", "anynet_c", "anynet_d", "anynet_e"]


def test_sizes_are_the_published_ones(shared: Path) -> None:
    with (shared / "reference" / "design_spaces.csv").open() as file:
        rows = {row["space"]: row for row in csv.DictReader(file)}
    for letter, name in zip("ABCDE", LEVELS, strict=True):
        row = rows[f"AnyNetX_{letter}"]
        found = size(SPACES[name], sample(SPACES[name], 20))
        assert found.vectors == int(row["total_exact_with_ties"] or row["total_exact"])
    distinct = rows["AnyNetX_A distinct after pycls block-compatibility adjustment"]
    space = SPACES["anynet"]
    assert size(space, sample(space, 20)).networks == int(distinct["total_exact"])
    regnet = SPACES["regnet"]
    estimate = size(regnet, sample(regnet, 20))
    assert estimate.vectors is None
    assert estimate.networks == int(rows["RegNet"]["total_exact"])


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize(
    "ranges",
    [
        {"d": (1, 1), "w": (8, 16), "b": (1, 4), "g": (4, 8)},
        {"d": (1, 2), "w": (8, 24), "b": (4,), "g": (2,)},
        {"d": (1, 2), "w": (8, 16), "block": "R", "b": (1, 2)},
        {"d": (1, 2), "w": (8, 24), "block": "V"},
    ],
)
def test_networks_are_counted_exactly(name: str, ranges: dict[str, Any]) -> None:
    space = SPACES[name].bind(**ranges)
    found = size(space, sample(space, 20))
    keys: list[str] = [space.draw(chooser).key for chooser in Enumerate()]
    assert (found.vectors, found.networks) == (len(keys), len(set(keys)))


def test_networks_are_not_counted_where_stages_blur() -> None:
    space = SPACES["anynet"].bind(input=(3, 8, 8))
    assert size(space, sample(space, 5)).networks is None


CONDITIONS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "anynet_b": lambda a: len(set(a["b"])) == 1,
    "anynet_c": lambda a: len(set(a["g"])) == 1,
    "anynet_d": lambda a: a["w"] == sorted(a["w"]),
    "anynet_e": lambda a: a["d"] == sorted(a["d"]),
}
"""What each space asks of the one before it."""


def settings(name: str, count: int, condition: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Settings of stages drawn at random, rejected until they meet a condition; nothing is built."""
    found: list[dict[str, Any]] = []

    def network(*_: Any, **arguments: Any) -> Genome:
        if condition(arguments):
            found.append(arguments)
        raise ReplayError("not built")

    domains: dict[str, Any] = {}
    chooser = Random(f"{name}/{count}", domains)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search_spaces.anynet.network", network)
        while len(found) < count:
            chooser.record.clear()
            with pytest.raises(ReplayError):
                SPACES[name].bind(d=(1, 8), w=(8, 256)).draw(chooser)
    return found


def costs(found: list[dict[str, Any]]) -> dict[str, list[float]]:
    from search_spaces.anynet import network

    params = [infer(network("AnyNet", (3, 32, 32), 10, **a)).params for a in found]
    return {
        "depth": [sum(a["d"]) for a in found],
        "params": [float(n) for n in params],
        "w_1": [a["w"][0] for a in found],
        "w_4": [a["w"][3] for a in found],
    }


def ks(first: list[float], second: list[float]) -> float:
    """The largest distance between two empirical distribution functions."""
    a, b = sorted(first), sorted(second)
    return max(abs(bisect.bisect(a, x) / len(a) - bisect.bisect(b, x) / len(b)) for x in {*a, *b})


@pytest.mark.parametrize("name", CONDITIONS)
def test_constraints_have_the_distribution_of_plain_rejection(name: str) -> None:
    """Kolmogorov-Smirnov at p = 0.001, against the space before it under rejection."""
    n = 300
    plain = costs(settings(LEVELS[LEVELS.index(name) - 1], n, CONDITIONS[name]))
    ours = costs(settings(name, n + 1, CONDITIONS[name]))  # every draw meets its own condition
    for cost in plain:
        assert ks(plain[cost], ours[cost]) < 1.95 * (2 / n) ** 0.5, cost


def test_regnet_c_has_the_distribution_of_plain_rejection() -> None:
    from search_spaces.regnet import stages_of

    def drawn(name: str, seed: int) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"depth": [], "params": [], "w_1": [], "w_4": []}
        space, rng, domains = SPACES[name], random.Random(seed), dict[str, Any]()
        while len(found["depth"]) < 250:
            chooser = Random(rng, domains)
            with contextlib.suppress(Invalid):
                space.draw(chooser, {"macs": 0})  # given up at once
            a: Any = chooser.record
            if not (a["b"] == 1 and 12 <= a["d"] <= 28 and a["w_m"] >= 2):
                continue
            with contextlib.suppress(Invalid):
                genome = space.draw(Replay(a))
                widths = [w for w, _ in stages_of(a["d"], a["w_0"], a["w_a"], a["w_m"])[0]]
                made = {"depth": a["d"], "params": infer(genome).params, "w_1": widths[0], "w_4": widths[3]}
                for cost, value in made.items():
                    found[cost].append(value)
        return found

    plain, ours = drawn("regnet", 0), drawn("regnet_c", 1)
    for cost in plain:
        assert ks(plain[cost], ours[cost]) < 1.95 * (2 / 250) ** 0.5, cost


def test_medians_of_widths_in_order() -> None:
    """Raising the lowest width to the last answer instead would give medians 88, 400, 720 and 904."""
    domains: dict[str, Any] = {}
    draws = []
    for seed in range(800):
        chooser = increasing(Random(seed, domains), each("w"))
        draws.append([chooser.integer(name, 8, 1024, step=8, log=True) for name in each("w")])
    medians = [statistics.median(w) for w in zip(*draws, strict=True)]
    for found, expected in zip(medians, (16, 40, 120, 424), strict=True):
        assert abs(found / expected - 1) < 0.25


def test_regnet_c_is_regnet_in_narrower_ranges() -> None:
    census = sample(SPACES["regnet_c"], 50)
    assert census.asked["d"] == Integer(12, 28)
    assert census.asked["b"] == Pick((1,))
    assert census.asked["w_m"].lo == 2  # type: ignore[union-attr]


USER = '''
from search_spaces.anynet import each
from search_spaces.anynet_reduced import anynet_e
from search_spaces.reduce import tie, within
from search_spaces.registry import space

@space(like=anynet_e, all_live=True)
def anynet_f(choose, **arguments):
    """AnyNet F: E of constant, moderate depth."""
    return anynet_e(within(choose, each("d"), 2, 4), **arguments)

def plain_f(choose, **arguments):
    """The same, not registered."""
    return anynet_f(choose, **arguments)
'''


def test_an_experimenter_writes_f(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USER)
    for name in ("anynet_f", "plain_f"):
        space = find(f"{file}:{name}").bind(w=(8, 64), input=(3, 32, 32))
        census = sample(space, 30)
        assert census.valid == 30
        assert size(space, census).vectors == 15 * 330 * 3 * 6  # C(6, 4) · C(11, 4) · b · g
    assert find(f"{file}:anynet_f").all_live  # found again, it is still the registered one
    with pytest.raises(SpaceError, match="no argument 'colour'"):
        find(f"{file}:anynet_f").bind(colour=1)
    del SPACES["anynet_f"]
