"""Networks that are tables of inverted residuals: what MobileNetV2, MnasNet and EfficientNet share.

The letters are MobileNetV2's (Sandler et al. 2018, arXiv:1801.04381, table 2): expansion factor t, output
channels c, repetitions n, stride s of the first repetition; k is the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cells.genome import Genome
from cells.mobile import RELU6, Gate, fused_inverted_residual, inverted_residual, rounded
from cells.ops import RELU, SIGMOID, Activation, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch, Value


class Row(NamedTuple):
    """A line of the table: n equal blocks, the first of which changes width and extent.

    act None means the network's activation; fused blocks have one dense convolution in place of two.
    """

    t: float
    c: int
    n: int
    s: int
    k: int = 3
    se: bool = False
    act: Activation | None = None
    fused: bool = False


def scaled(
    rows: Sequence[Row], w: float, d: float = 1, *, whole: Callable[[float], int] = math.ceil
) -> list[Row]:
    """The rows w times as wide, rounded to 8 but never below 90%, and d times as deep, rounded up.

    Source: Tan & Le 2019 (arXiv:1905.11946), section 3.3 and their code.

    Args:
        whole: how a depth becomes a whole number.
    """
    return [row._replace(c=rounded(w * row.c), n=whole(d * row.n)) for row in rows]


def features(
    s: Sketch,
    rows: Sequence[Row],
    *,
    stem: int,
    act: Activation,
    gate: Gate = (RELU, SIGMOID),
    squeeze: Callable[[int, float], int] = lambda c, t: c // 4,
) -> Value:
    """A 3x3 convolution of stride 2 to `stem` channels, then the rows, in stages.

    A row that changes neither width nor extent goes on with the stage of the row before.

    Args:
        gate: activations of squeeze-and-excitation.
        squeeze: its width, from the block's input channels and its expansion factor.
    """
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(stem, 3, stride=2), bn=BatchNorm(), act=act)
    stage = block = -1
    for row in rows:
        if stage < 0 or row.s != 1 or row.c != x.shape[0]:
            stage, block = stage + 1, -1
        for repetition in range(row.n):
            block += 1
            name, stride = f"stages.{stage}.{block}", row.s if repetition == 0 else 1
            row_act = row.act or act
            if row.fused:
                x = fused_inverted_residual(s, x, name, row.c, t=row.t, k=row.k, stride=stride, act=row_act)
                continue
            se = squeeze(x.shape[0], row.t) if row.se else 0
            x = inverted_residual(
                s, x, name, row.c, t=row.t, k=row.k, stride=stride, act=row_act, se=se, gate=gate
            )
    return x


def network(
    kind: str,
    input: Shape,
    classes: int,
    rows: Sequence[Row],
    *,
    stem: int = 32,
    head: int = 1280,
    act: Activation = RELU6,
    gate: Gate = (RELU, SIGMOID),
    dropout: float = 0.2,
) -> Genome:
    """Stem, rows, a 1x1 convolution to `head` channels, global pooling, dropout (if any) and a classifier."""
    s = Sketch(input, kind)
    x = features(s, rows, stem=stem, act=act, gate=gate)
    with s.block("head", "Head"):
        x = s.chain(x, conv=Conv(head, 1), bn=BatchNorm(), act=act, pool=GlobalPool(), flatten=Flatten())
        x = s.add("dropout", Dropout(dropout), x) if dropout else x
        x = s.add("fc", Linear(classes), x)
    return s.genome(x)
