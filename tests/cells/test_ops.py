"""Every op of the table does what it says; registering one is enough to be tested."""

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer
from cells.ops import OPS, Concat, Conv, Dropout, Flatten, Invalid, Linear, Op, Tokens, Windows, facts, op
from cells.sketch import Sketch
from nas.build import build, module_from_source

PRELUDES: list[tuple[Op, ...]] = [
    (),
    (Flatten(),),
    (Tokens(),),
    (Tokens(), Linear(24)),
    (Windows(2),),
    (Windows(2), Linear(24)),
]
"""Ways from an image to shapes that some ops want."""


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Small legal values of a field's type."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        return st.sampled_from(typing.get_args(hint))
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(values(h) for h in typing.get_args(hint)))
    if origin is tuple:
        inner = typing.get_args(hint)
        if inner[-1] is ...:
            return st.lists(values(inner[0]), min_size=1, max_size=4).map(tuple)
        return st.tuples(*(values(h) for h in inner))
    simple: dict[Any, st.SearchStrategy[Any]] = {
        int: st.sampled_from([0, 1, 2, 3, 4, 6, 8]),
        float: st.sampled_from([0.0, 0.1, 0.5]),
        bool: st.booleans(),
        type(None): st.none(),
    }
    return simple[hint]


@st.composite
def uses(draw: st.DrawFn, name: str) -> Genome:
    """A genome that uses the op once, with random arguments on random inputs."""
    cls = OPS[name]
    hints = typing.get_type_hints(cls)
    made = cls(**{f.name: draw(values(hints[f.name])) for f in dataclasses.fields(cls)})
    size = st.sampled_from([1, 2, 4, 5, 7, 8])
    s = Sketch((draw(st.sampled_from([1, 2, 4, 8, 12])), draw(size), draw(size)))
    count = draw(st.integers(1, 3)) if cls.arity is None else cls.arity
    first = draw(st.integers(0, len(PRELUDES) - 1))
    try:
        inputs = [s.input]
        for i, step in enumerate(PRELUDES[first]):
            inputs[0] = s.add(f"prelude{i}", step, inputs[0])
        # Further inputs are the first again, or the image.
        inputs += [draw(st.sampled_from([inputs[0], s.input])) for _ in range(count - 1)]
        return s.genome(s.add("op", made, *inputs))
    except Invalid:
        assume(False)
        raise AssertionError from None


@pytest.mark.parametrize("name", [n for n in OPS if n != "input"])
def test_op_keeps_its_word(name: str) -> None:
    met = []

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(uses(name))
    def check(genome: Genome) -> None:
        met.append(genome)
        costs = infer(genome)
        module = build(genome).eval()  # compares the number of parameters
        names = {f"op.{n}": shape for n, shape in OPS[name].weights(*_as_use(genome)).items()}
        built = {n: tuple(p.shape) for n, p in module.named_parameters() if n.startswith("op.")}
        assert built == names
        # The counter sees the products of attention only when they are written out.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            y = module(torch.randn(2, *genome.input))
        assert tuple(y.shape) == (2, *costs.output)
        assert counter.get_total_flops() == 2 * costs.flops
        again = Genome.loads(genome.dumps())
        assert again == genome
        assert again.key == genome.key
        assert emit(again) == emit(genome)
        if costs.layers[-1].params == 0 and not OPS[name].random:
            x = torch.randn(2, *genome.input)
            assert torch.equal(module(x), module(x))

    check()
    assert met, f"no legal use of {name} was found: give PRELUDES what leads to one"


def _as_use(genome: Genome) -> tuple[Any, ...]:
    """The op itself and its input shapes, for an unbound call of one of its methods."""
    node = genome.nodes[-1]
    shapes = {0: genome.input} | {layer.index: layer.shape for layer in infer(genome).layers}
    return (node.op, *(shapes[i] for i in node.inputs))


def test_op_used_twice_in_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="defined twice"):
        op("conv")(Conv)


@pytest.mark.parametrize(
    ("made", "shape", "reason"),
    [
        (lambda: Conv(8, 3, groups=3), (4, 8, 8), "do not divide"),
        (lambda: Conv(8, 3, padding=0), (4, 2, 2), "does not fit"),
        (lambda: Conv(8.0, 3), (4, 8, 8), "not of type int"),  # type: ignore[arg-type]
        (lambda: Conv(8, group_width=3), (4, 8, 8), "groups of width 3"),
        (lambda: Dropout(1.5), (4, 8, 8), "not in"),
        (lambda: Conv("8)); import os; ((", 3), (4, 8, 8), "not of type int"),  # type: ignore[arg-type]
    ],
)
def test_illegal_uses_are_invalid_in_words(
    made: Callable[[], Op], shape: tuple[int, ...], reason: str
) -> None:
    with pytest.raises(Invalid, match=reason):
        facts(made(), (shape,))


def test_concat_names_the_extents_that_differ() -> None:
    with pytest.raises(Invalid, match="extents differ"):
        facts(Concat(), ((4, 8, 8), (4, 4, 4)))


def test_grouped_conv_costs() -> None:
    costs = facts(Conv(64, 3, groups=4), ((32, 10, 10),))
    assert costs.params == 64 * 8 * 9
    assert costs.macs == 100 * costs.params
    assert costs.activations == math.prod(costs.shape)


def test_helper_source_of_one_op_can_be_run() -> None:
    s = Sketch((3, 8, 8), "Tiny")
    module = module_from_source(emit(s.genome(s.add("conv", Conv(4, 3), s.input))), "Tiny")
    assert type(module).__name__ == "Tiny"
