"""The key: what is one network, and what is not."""

from collections.abc import Callable
from itertools import pairwise, product

import pytest

from cells import identity
from cells.genome import Genome
from cells.ops import (
    RELU,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Depthwise,
    Dropout,
    Flatten,
    GlobalPool,
    Identity,
    Linear,
    Op,
    Zero,
)
from cells.sketch import Sketch, Value

Body = Callable[[Sketch, Value], Value]


def net(body: Body, channels: int = 8) -> Genome:
    s = Sketch((channels, 8, 8))
    x = body(s, s.input)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)))


def merge(op: Op, *arms: Op) -> Body:
    def body(s: Sketch, x: Value) -> Value:
        return s.add("join", op, *(s.add(f"arm{i}", arm, x) for i, arm in enumerate(arms)))

    return body


def chain(*ops: Op) -> Body:
    return lambda s, x: s.chain(x, **{f"op{i}": op for i, op in enumerate(ops)})


def nested(s: Sketch, x: Value) -> Value:
    a, b, c = (s.add(n, Conv(8, k), x) for n, k in (("a", 1), ("b", 3), ("c", 5)))
    return s.add("outer", Add(), s.add("inner", Add(), a, b), c)


def flat(s: Sketch, x: Value) -> Value:
    c, a, b = (s.add(n, Conv(8, k), x) for n, k in (("c", 5), ("a", 1), ("b", 3)))
    return s.add("sum", Add(), c, b, a)


def once(s: Sketch, x: Value) -> Value:
    a = s.add("a", Conv(8, 3), x)
    return s.add("sum", Add(), s.add("b", Conv(8, 1), a), s.add("c", Conv(8, 5), a))


def twice(s: Sketch, x: Value) -> Value:
    a, b = s.add("a1", Conv(8, 3), x), s.add("a2", Conv(8, 3), x)
    return s.add("sum", Add(), s.add("b", Conv(8, 1), a), s.add("c", Conv(8, 5), b))


def dead(s: Sketch, x: Value) -> Value:
    s.add("unused", Conv(32, 7), x)
    return s.add("op0", Conv(8, 3), x)


def two_relus(s: Sketch, x: Value) -> Value:
    return s.add("sum", Add(), s.chain(x, r1=RELU, c1=Conv(8, 1)), s.chain(x, r2=RELU, c2=Conv(8, 3)))


def one_relu(s: Sketch, x: Value) -> Value:
    r = s.add("r", RELU, x)
    return s.add("sum", Add(), s.add("c1", Conv(8, 1), r), s.add("c2", Conv(8, 3), r))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (chain(Conv(8, 3)), chain(Identity(), Conv(8, 3), Dropout(0.0), Identity())),
        (chain(Conv(8, 3)), chain(Conv(8, (3, 3), padding=1))),
        (chain(Depthwise(3)), chain(Conv(8, 3, groups=8))),
        (chain(Conv(8, 3, groups=2)), chain(Conv(8, 3, group_width=4))),
        (chain(Conv(8, 3)), dead),
        (merge(Add(), Conv(8, 1), Conv(8, 3)), merge(Add(), Conv(8, 3), Conv(8, 1))),
        (merge(Concat(), Conv(8, 1), Conv(8, 3)), merge(Concat(), Conv(8, 3), Conv(8, 1))),
        (nested, flat),
        (two_relus, one_relu),
    ],
)
def test_equal_networks_have_one_key(one: Body, other: Body) -> None:
    assert net(one).key == net(other).key


def added_to(other: Op, *arms: Op) -> Body:
    """A concatenation of the arms, added to another op on the input."""

    def body(s: Sketch, x: Value) -> Value:
        joined = merge(Concat(), *arms)(s, x)
        return s.add("sum", Add(), joined, s.add("other", other, x))

    return body


def test_concat_added_to_a_projection_has_no_order() -> None:
    arms = (Conv(8, 3), Conv(8, 5))
    assert net(added_to(Conv(16, 1), *arms)).key == net(added_to(Conv(16, 1), *arms[::-1])).key
    # Filters of one kernel cannot follow where the other summand keeps the input's channels.
    assert net(added_to(RELU, *arms), 16).key != net(added_to(RELU, *arms[::-1]), 16).key


def grouped_after(*arms: Op) -> Body:
    return lambda s, x: s.chain(merge(Concat(), *arms)(s, x), mix=Conv(32, 3, groups=2))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (once, twice),
        (chain(Conv(8, 3)), chain(Conv(8, 5))),
        (chain(Conv(8, 3)), chain(Conv(8, 3, bias=True))),
        (chain(Conv(8, 3), BatchNorm()), chain(BatchNorm(), Conv(8, 3))),
        (chain(Dropout(0.1)), chain(Dropout(0.2))),
        # Where a group boundary falls depends on the order of the channels.
        (
            grouped_after(Conv(8, 1), Conv(8, 3), Conv(16, 5)),
            grouped_after(Conv(8, 1), Conv(16, 5), Conv(8, 3)),
        ),
    ],
)
def test_different_networks_have_different_keys(one: Body, other: Body) -> None:
    assert net(one).key != net(other).key


def test_input_shape_is_part_of_the_key() -> None:
    assert net(chain(Conv(8, 3)), 8).key != net(chain(Conv(8, 3)), 4).key


def cycles(*lengths: int) -> Body:
    """Equal convolutions of one input, added in pairs along cycles."""

    def body(s: Sketch, x: Value) -> Value:
        convs = [s.add(f"conv{i}", Conv(8, 3), x) for i in range(sum(lengths))]
        sums: list[Value] = []
        start = 0
        for length in lengths:
            ring = [*convs[start : start + length], convs[start]]
            sums += [
                s.add(f"out{start}.{i}", Conv(8, 1), s.add(f"sum{start}.{i}", Add(), a, b))
                for i, (a, b) in enumerate(pairwise(ring))
            ]
            start += length
        return s.add("total", Add(), *sums)

    return body


def test_known_collision() -> None:
    """Two passes cannot tell a ring of six from two rings of three: all nodes look alike from everywhere."""
    assert net(cycles(6)).key == net(cycles(3, 3)).key


NB201: list[Op | None] = [None, Identity(), Conv(16, 1), Conv(16, 3), AvgPool(3, stride=1, padding=1)]
EDGES = [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]


def nb201(ops: tuple[int, ...], leave_out: bool) -> Genome:
    """A cell of NAS-Bench-201. No edge leaves an empty node, or (not `leave_out`) only convolutions do."""
    s = Sketch((16, 8, 8))
    nothing = s.add("nothing", Zero(), s.input)
    nodes = [s.add("stem", Conv(16, 3), s.input)]
    for node in (1, 2, 3):
        terms = []
        for (to, source), choice in zip(EDGES, ops, strict=True):
            op, value, edge = NB201[choice], nodes[source] if source < node else nothing, f"edge{to}_{source}"
            if to != node or op is None:
                continue
            if isinstance(op, Conv) and not (leave_out and value is nothing):
                terms.append(s.chain(value, **{f"{edge}r": RELU, edge: op, f"{edge}n": BatchNorm()}))
            elif value is not nothing:
                terms.append(s.add(edge, op, value))
        nodes.append(s.add(f"n{node}", Add(), *terms) if terms else nothing)
    return s.genome(s.chain(nodes[3], pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)))


@pytest.mark.parametrize(
    ("leave_out", "merge", "distinct"),
    [(True, True, 5260), (True, False, 5425), (False, True, 5875), (False, False, 6040)],
)
def test_nas_bench_201_distinct_cells(leave_out: bool, merge: bool, distinct: int) -> None:
    """How many networks 15,625 cells are, with convolutions of nothing or without."""
    cells = (nb201(ops, leave_out) for ops in product(range(5), repeat=6))
    assert len({identity.key(cell, merge=merge) for cell in cells}) == distinct
