"""Counting spaces and describing what is drawn from them."""

import dataclasses
import math
import random

import pytest

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Conv, Flatten, GlobalPool, Invalid, Linear
from cells.sketch import Sketch
from search_spaces import SPACES, Chooser, Enumerate, Random, Space, find
from search_spaces.census import GIVE_UP, histogram, quantiles, sample, size
from search_spaces.reduce import increasing


def chain(choose: Chooser, *, longest: int = 3, widths: int = 3) -> Genome:
    """Convolutions of as many widths as there are layers."""
    s = Sketch((3, 8, 8), "Chain")
    x = s.input
    for i in range(choose.integer("depth", 1, longest)):
        x = s.add(f"conv{i}", Conv(8 * choose.integer(f"w{i}", 1, widths), 1), x)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


def ordered(choose: Chooser, *, longest: int = 3) -> Genome:
    """The same, in order; one layer alone is never 16 wide."""
    genome = chain(increasing(choose, ["w0", "w1", "w2"]), longest=longest)
    if len(genome.nodes) == 5 and infer(genome).layers[0].shape[0] == 16:
        raise Invalid("one layer of 16")
    return genome


CHAIN, ORDERED = Space("chain", chain), Space("ordered", ordered)


def test_a_conditional_space_is_enumerated() -> None:
    counted = size(CHAIN, sample(CHAIN, 50))
    assert (counted.vectors, counted.how) == (3 + 9 + 27, "enumeration")
    assert counted.networks == 39


def test_a_group_is_asked_as_a_whole_wherever_its_answers_go() -> None:
    counted = size(ORDERED, sample(ORDERED, 50))
    assert counted.vectors == 3 * 10  # C(5, 3) for w0, w1, w2, whatever the depth
    assert sum(1 for chooser in Enumerate() if _legal(chooser)) == 30 - 3  # w0 = 16 has three


def _legal(chooser: Chooser) -> bool:
    try:
        ordered(chooser)
    except Invalid:
        return False
    return True


def test_a_spaces_own_count_serves_what_is_too_large_for_enumeration() -> None:
    space = dataclasses.replace(CHAIN.bind(longest=30), count=_count)
    counted = size(space, sample(space, 50))
    assert (counted.vectors, counted.how) == (sum(3**n for n in range(1, 31)), "the space's own count")
    for longest in (1, 3):
        tried = CHAIN.bind(longest=longest)
        assert _count(**tried.settings) == sum(1 for c in Enumerate() if tried.draw(c).key)


def _count(*, longest: int, widths: int) -> int:
    return sum(widths**n for n in range(1, longest + 1))


def test_far_too_large_spaces_are_not_gone_through() -> None:
    space = CHAIN.bind(longest=40, widths=8)
    counted = size(space, sample(space, 20))
    assert counted.vectors is None
    about = float(counted.how.split("about ")[1].split()[0])
    assert abs(math.log10(about) - math.log10(sum(8.0**n for n in range(1, 41)))) < 1


def test_networks_are_estimated_by_repeats() -> None:
    space = Space("wide", lambda choose: chain(choose, longest=1, widths=400))
    census = sample(space, 300)
    assert census.duplicates == 300 - census.distinct > 0
    counted = size(dataclasses.replace(space, count=None), census)
    assert counted.vectors == 400
    assert counted.networks is not None
    assert 250 < counted.networks < 600
    assert "Chao" in counted.source


@pytest.mark.parametrize("name", ["regnet", "anynet_e"])
def test_a_window_gives_different_networks_with_the_distribution_of_plain_rejection(name: str) -> None:
    """The very networks that are found when each draw is finished before it is looked at."""
    space = SPACES[name].bind(**SPACES[name].presets["laptop"].arguments)
    window = (4e6, 6e6)
    census = sample(space, 40, macs=window)
    rng = random.Random(0)
    keys: dict[str, int] = {}
    draws = repeats = 0
    while len(keys) < 40:
        draws += 1
        try:
            genome = space.draw(Random(rng))
        except Invalid:
            continue
        macs = infer(genome).macs
        if window[0] <= macs <= window[1]:
            repeats += genome.key in keys
            keys.setdefault(genome.key, macs)
    assert (census.draws, census.duplicates, census.distinct) == (draws, repeats, 40)
    assert census.costs["macs"] == sorted(keys.values())
    assert census.outside + census.invalid + census.inside == draws
    assert census.to_json()["acceptance"] == (40 + repeats) / draws


def test_an_impossible_window_ends() -> None:
    space = dataclasses.replace(CHAIN, all_live=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search_spaces.census.GIVE_UP", 200)
        census = sample(space, 5, macs=(0, 10))
    assert GIVE_UP > 200 == census.draws == census.outside
    assert census.to_json()["acceptance"] == 0
    assert sample(CHAIN, 5, macs=(0, 10), timeout=0.1).seconds < 1


def test_classics_are_one_network() -> None:
    counted = size(find("lenet5"), sample(find("lenet5"), 1))
    assert (counted.vectors, counted.networks) == (1, 1)


def test_quantiles_and_histogram() -> None:
    assert quantiles([3.0]) == {"min": 3, "q1": 3, "median": 3, "q3": 3, "max": 3}
    assert histogram([1, 10, 100, 100], bins=2) == [1, 3]
    assert sum(histogram([5.0] * 7)) == 7
