"""AlphaGo's policy network (Silver et al. 2016, Nature 529, Methods)."""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.ops import RELU, Conv, Flatten, Invalid, Position, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic


def alphago(*, input: Shape, classes: int, k: int) -> Genome:
    """A 5x5 convolution, eleven 3x3, k filters each; a 1x1 with a bias of its own for each point.

    The output has one value for each point of the board, ahead of the softmax.
    """
    points = input[1] * input[2]
    if classes != points:
        raise Invalid(f"alphago: a board of {input[1]}x{input[2]} has {points} moves, not {classes} classes")
    s = Sketch(input, "PolicyNetwork")
    x = s.input
    for i in range(12):
        with s.block(f"layers.{i}", "Layer"):
            x = s.chain(x, conv=Conv(k, 3 if i else 5, bias=True), relu=RELU)
    with s.block("head", "Head"):
        x = s.chain(x, conv=Conv(1, 1), bias=Position(), flatten=Flatten())
    return s.genome(x)


for _k in (128, 192, 256, 384):
    classic(
        f"alphago_{_k}",
        partial(alphago, k=_k),
        f"AlphaGo's policy network, k = {_k} (Silver et al. 2016): predicts an expert's move in Go.\n\n"
        "57.0% of the experts' moves with all input features; matches were played with k = 192 (main text).",
        input=(48, 19, 19),
        classes=361,
        aliases=(f"AlphaGo policy net k={_k}",),
    )
