"""Drawings that are given up for what they cost."""

import pytest

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Conv, Flatten, GlobalPool, Invalid, Linear
from cells.sketch import Exceeded, Sketch, at_most


def draw() -> Genome:
    s = Sketch((3, 8, 8))
    x = s.chain(s.input, first=Conv(8, 3), second=Conv(16, 3))
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)))


@pytest.mark.parametrize("cost", ["macs", "params", "activations"])
def test_a_sketch_is_given_up_exactly_above_its_limit(cost: str) -> None:
    spent = getattr(infer(draw()), cost)
    with at_most({cost: spent}):
        assert getattr(infer(draw()), cost) == spent
    with at_most({cost: spent - 1}), pytest.raises(Exceeded, match=f"{cost} above"):
        draw()
    assert draw().key


def test_it_says_where() -> None:
    with at_most({"params": 1000}), pytest.raises(Invalid, match="params above 1,000 at second"):
        draw()
