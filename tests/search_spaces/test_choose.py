"""Choosers: who answers, and which mistakes of a space they catch."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from search_spaces import Chooser, Enumerate, Fixed, Random, Replay, ReplayError, SpaceError
from search_spaces.choose import Integer, Real


def conditional(choose: Chooser) -> tuple[Any, ...]:
    kind = choose.pick("kind", ["plain", "deep"])
    if kind == "plain":
        return kind, choose.integer("width", 8, 24, step=8)
    return kind, [choose.pick(f"layer{i}.op", ["conv", "pool"]) for i in range(choose.integer("depth", 1, 2))]


def test_enumerate_goes_through_every_answer_vector_once() -> None:
    found = [repr(conditional(chooser)) for chooser in Enumerate()]
    assert len(found) == len(set(found)) == 3 + 2 + 4


def test_enumerate_of_a_space_that_asks_nothing() -> None:
    assert len([None for _ in Enumerate()]) == 1


def test_enumerate_goes_on_from_any_answer_vector() -> None:
    records = []
    for chooser in Enumerate():
        conditional(chooser)
        records.append(chooser.record)
    for i, record in enumerate(records):
        rest = []
        for chooser in Enumerate(first=record):
            conditional(chooser)
            rest.append(chooser.record)
        assert rest == records[i:]
    with pytest.raises(ReplayError, match="no answer to 'kind'"):
        conditional(next(iter(Enumerate(first={}))))


def test_enumerate_names_a_question_without_end() -> None:
    with pytest.raises(SpaceError, match="'slope' asks for a real number"):
        next(iter(Enumerate())).real("slope", 0, 1)


def test_replay_strict() -> None:
    chooser = Random(3)
    drawn = conditional(chooser)
    again = Replay(chooser.record)
    assert conditional(again) == drawn
    again.finish()
    with pytest.raises(ReplayError, match="no answer to 'kind'"):
        conditional(Replay({}))
    with pytest.raises(ReplayError, match="not in"):
        conditional(Replay({"kind": "wide"}))
    over = Replay({"kind": "plain", "width": 8, "depth": 2})
    conditional(over)
    with pytest.raises(ReplayError, match="does not ask 'depth'"):
        over.finish()


def test_replay_lenient_keeps_what_still_applies() -> None:
    record = {"kind": "deep", "depth": 2, "layer0.op": "pool", "layer1.op": "gone"}
    kind, layers = conditional(Replay(record, otherwise=Random(0)))
    assert (kind, layers[0], len(layers)) == ("deep", "pool", 2)


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda c: c.pick("op", []), "no options"),
        (lambda c: [c.pick("op", [1, 2]), c.pick("op", [1, 2])], "asked twice"),
        (lambda c: c.pick("op", [(1, 2)]), "JSON scalars"),
        (lambda c: c.pick("op", [3, 3]), "listed twice"),
        (lambda c: c.integer("n", 5, 4), "no whole numbers"),
        (lambda c: c.integer("n", 0, 4, log=True), "no whole numbers"),
        (lambda c: c.real("x", 0.0, 1.0, log=True), "no real numbers"),
    ],
)
def test_mistakes_of_a_space(ask: Callable[[Chooser], Any], reason: str) -> None:
    with pytest.raises(SpaceError, match=reason):
        ask(Random(0))


def test_a_domain_that_moves_is_named() -> None:
    domains: dict[str, Any] = {}
    Random(0, domains).integer("depth", 1, 4)
    with pytest.raises(SpaceError, match="'depth' has another domain"):
        Random(1, domains).integer("depth", 1, 5)


def test_fixed_outranges_the_domain() -> None:
    assert Fixed(g=232).pick("g", [8, 16]) == 232
    with pytest.raises(ReplayError, match="no answer to 'b'"):
        Fixed(g=232).pick("b", [1, 2])


def test_log_uniform_draws() -> None:
    rng = random.Random(0)
    draws = [Integer(8, 1024, 8, log=True).draw(rng) for _ in range(4000)]
    assert all(d in Integer(8, 1024, 8) for d in draws)
    assert {8, 1024} <= set(draws)
    # Half of a log-uniform distribution lies below the geometric mean of its ends.
    assert abs(sum(d <= 88 for d in draws) / 4000 - 0.5) < 0.04
    reals = [Real(1.5, 3, log=True).draw(rng) for _ in range(4000)]
    assert all(1.5 <= r <= 3 for r in reals)
    assert abs(sum(r <= (1.5 * 3) ** 0.5 for r in reals) / 4000 - 0.5) < 0.04


def test_uniform_draws_reach_every_value() -> None:
    counts = Counter(Integer(2, 10, 2).draw(random.Random(i)) for i in range(2000))
    assert sorted(counts) == [2, 4, 6, 8, 10]
    assert min(counts.values()) > 300
