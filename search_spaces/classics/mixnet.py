"""MixNets (Tan & Le 2019, arXiv:1907.09595)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from cells.genome import Genome
from cells.mobile import SILU, inverted_residual, mix_residual, rounded
from cells.ops import RELU, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic


class Row(NamedTuple):
    """n blocks: expansion, width, stride of the first, kernels, groups of the two 1x1, squeeze ratio."""

    t: int
    c: int
    n: int
    s: int
    kernels: tuple[int, ...]
    g_expand: int = 1
    g_project: int = 1
    se: float = 0.5


# Figure 5 and their code; where the squeeze ratio is 0 the activation is ReLU, elsewhere swish.
S = (
    Row(6, 24, 1, 2, (3,), 2, 2, 0),
    Row(3, 24, 1, 1, (3,), 2, 2, 0),
    Row(6, 40, 1, 2, (3, 5, 7)),
    Row(6, 40, 3, 1, (3, 5), 2, 2),
    Row(6, 80, 1, 2, (3, 5, 7), 1, 2, 0.25),
    Row(6, 80, 2, 1, (3, 5), 1, 2, 0.25),
    Row(6, 120, 1, 1, (3, 5, 7), 2, 2),
    Row(3, 120, 2, 1, (3, 5, 7, 9), 2, 2),
    Row(6, 200, 1, 2, (3, 5, 7, 9, 11)),
    Row(6, 200, 2, 1, (3, 5, 7, 9), 1, 2),
)
M = (
    Row(6, 32, 1, 2, (3, 5, 7), 2, 2, 0),
    Row(3, 32, 1, 1, (3,), 2, 2, 0),
    Row(6, 40, 1, 2, (3, 5, 7, 9)),
    Row(6, 40, 3, 1, (3, 5), 2, 2),
    Row(6, 80, 1, 2, (3, 5, 7), 1, 1, 0.25),
    Row(6, 80, 3, 1, (3, 5, 7, 9), 2, 2, 0.25),
    Row(6, 120, 1, 1, (3,)),
    Row(3, 120, 3, 1, (3, 5, 7, 9), 2, 2),
    Row(6, 200, 1, 2, (3, 5, 7, 9)),
    Row(6, 200, 3, 1, (3, 5, 7, 9), 1, 2),
)


def mixnet(
    rows: Sequence[Row], stem: int, alpha: float, *, input: Shape = (3, 224, 224), classes: int = 1000
) -> Genome:
    """The rows `alpha` times as wide between a stem of width `stem` and a head of 1536."""
    s = Sketch(input, "MixNet")
    width = rounded(stem * alpha)
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(width, 3, stride=2), bn=BatchNorm(), relu=RELU)
    x = inverted_residual(s, x, "stages.0.0", width, t=1, act=RELU)
    stage = block = 0
    for row in rows:
        c = rounded(row.c * alpha)
        if row.s != 1 or c != x.shape[0]:
            stage, block = stage + 1, -1
        for i in range(row.n):
            block += 1
            x = mix_residual(
                s,
                x,
                f"stages.{stage}.{block}",
                c,
                t=row.t,
                kernels=row.kernels,
                stride=row.s if i == 0 else 1,
                g_expand=row.g_expand,
                g_project=row.g_project,
                act=SILU if row.se else RELU,
                se=round(row.se * x.shape[0]),
            )
    with s.block("head", "Head"):
        x = s.chain(x, conv=Conv(1536, 1), bn=BatchNorm(), relu=RELU, pool=GlobalPool(), flatten=Flatten())
        x = s.chain(x, dropout=Dropout(0.2), fc=Linear(classes))
    return s.genome(x)


for _name, _build, _top1 in (
    ("s", partial(mixnet, S, 16, 1.0), 75.8),
    ("m", partial(mixnet, M, 24, 1.0), 77.0),
    ("l", partial(mixnet, M, 24, 1.3), 78.9),
):
    classic(
        f"mixnet_{_name}",
        _build,
        f"""MixNet-{_name.upper()} (Tan & Le 2019): kernels of several sizes in one depthwise layer.

        ImageNet top-1 {_top1}% (arXiv:1907.09595, table 2).
        """,
        aliases=(f"MixNet-{_name.upper()}",),
    )
