"""Inception v3 (Szegedy et al. 2015, arXiv:1512.00567), v4 and Inception-ResNet (2016, arXiv:1602.07261)."""

from __future__ import annotations

from functools import partial

from cells.conv import Unit, run
from cells.genome import Genome
from cells.inception import (
    inception_a,
    inception_b,
    inception_c,
    inception_resnet,
    parallel,
    reduction_a,
    reduction_b,
    residual_reduction_b,
)
from cells.ops import AvgPool, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Linear, MaxPool, Op, Shape
from cells.sketch import Sketch, Value
from search_spaces.registry import classic

UNIT = Unit(norm=BatchNorm(eps=0.001))
HALF = MaxPool(3, 2)
STEM: tuple[Op, ...] = (Conv(32, 3, 2, 0), Conv(32, 3, padding=0), Conv(64, 3))
"""What all four begin with: 299x299 becomes 147x147."""
WIDE_STEM = (*STEM, HALF, Conv(80), Conv(192, 3, padding=0))
"""And how all but v4 go on: 71x71."""


def _head(s: Sketch, x: Value, classes: int, p: float) -> Value:
    with s.block("head", "Head"):
        return s.chain(x, pool=GlobalPool(), flatten=Flatten(), drop=Dropout(p), fc=Linear(classes))


def inception_v3(*, input: Shape, classes: int) -> Genome:
    """Table 1 as released: three kinds of modules for three extents, an auxiliary head on the 17x17 map.

    The head is left out on smaller maps, inputs below 299 pixels or so, which its 5x5 does not fit.
    """
    s = Sketch(input, "InceptionV3")
    pool = AvgPool(3, 1, 1, count_include_pad=True)
    x = run(s, s.input, "stem", UNIT, *WIDE_STEM, HALF)
    for j, proj in enumerate((32, 64, 64)):
        x = inception_a(s, x, f"mixed5.{j}", 64, 48, 64, 64, 96, proj, unit=UNIT, pool=pool, kernel=5)
    x = reduction_a(s, x, "mixed6.0", 64, 96, 96, 384, unit=UNIT)
    for j, n in enumerate((128, 160, 160, 192), 1):
        x = inception_b(s, x, f"mixed6.{j}", 192, (n, n, 192), (n, n, n, n, 192), 192, unit=UNIT, pool=pool)
    aux: tuple[Value, ...] = ()
    if min(x.shape[1:]) >= 17:
        with s.block("aux", "Auxiliary"):
            y = run(s, x, "convs", UNIT, AvgPool(5, 3), Conv(128), Conv(768, 5, padding=0))
            aux = (s.chain(y, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes)),)
    x = reduction_b(s, x, "mixed7.0", 192, 320, 192, 192, unit=UNIT)
    for j in (1, 2):
        deep = (Conv(448), Conv(384, 3))
        x = inception_c(s, x, f"mixed7.{j}", 320, 384, 384, deep, 192, unit=UNIT, pool=pool)
    return s.genome(_head(s, x, classes, 0.5), aux=aux)


def inception_v4(*, input: Shape, classes: int) -> Genome:
    """Figures 3-9: a stem of modules, then 4, 7 and 3 uniform modules with reductions between."""
    s = Sketch(input, "InceptionV4")
    x = run(s, s.input, "stem", UNIT, *STEM)
    x = parallel(s, x, "mixed3", "StemA", UNIT, pool=[HALF], branch3x3=[Conv(96, 3, 2, 0)])
    last = Conv(96, 3, padding=0)
    seven = (Conv(64, (1, 7)), Conv(64, (7, 1)))
    x = parallel(
        s, x, "mixed4", "StemB", UNIT, branch3x3=[Conv(64), last], branch7x7=[Conv(64), *seven, last]
    )
    x = parallel(s, x, "mixed5", "StemC", UNIT, branch3x3=[Conv(192, 3, 2, 0)], pool=[HALF])
    for j in range(4):
        x = inception_a(s, x, f"inception_a.{j}", 96, 64, 96, 64, 96, 96, unit=UNIT)
    x = reduction_a(s, x, "reduction_a", 192, 224, 256, 384, unit=UNIT)
    for j in range(7):
        n7, nd = (192, 224, 256), (192, 192, 224, 224, 256)
        x = inception_b(s, x, f"inception_b.{j}", 384, n7, nd, 128, unit=UNIT)
    x = reduction_b(s, x, "reduction_b", 192, 192, 256, 320, unit=UNIT)
    for j in range(3):
        deep = (Conv(384), Conv(448, (3, 1)), Conv(512, (1, 3)))
        x = inception_c(s, x, f"inception_c.{j}", 256, 384, 256, deep, 256, unit=UNIT)
    return s.genome(_head(s, x, classes, 0.2))


def _blocks(
    s: Sketch,
    x: Value,
    *,
    blocks: tuple[int, int, int],
    a: tuple[int, int],
    k: tuple[int, int, int, int],
    b: tuple[int, int, int, int],
    m: tuple[int, int, tuple[int, int]],
    c: tuple[int, int, int, int],
    last: bool,
) -> Value:
    """The residual modules A, B and C, so many `blocks` of each, and the reductions between them.

    Args:
        a: filters of the two 3x3 of A's longest branch; all else in A has 32.
        k: k, l, m, n of Reduction-A (table 1).
        b: filters of B: 1x1; then 1x1, 1x7 and 7x1.
        m: filters of the strided 3x3 of Reduction-B, left to right, the last with what comes before it.
        c: filters of C: 1x1; then 1x1, 1x3 and 3x1.
        last: whether another C follows without scale and ReLU.
    """
    for j in range(blocks[0]):
        x = inception_resnet(
            s,
            x,
            f"block_a.{j}",
            "InceptionResNetA",
            0.17,
            unit=UNIT,
            branch1x1=[Conv(32)],
            branch3x3=[Conv(32), Conv(32, 3)],
            double3x3=[Conv(32), Conv(a[0], 3), Conv(a[1], 3)],
        )
    x = reduction_a(s, x, "reduction_a", *k, unit=UNIT)
    for j in range(blocks[1]):
        x = inception_resnet(
            s,
            x,
            f"block_b.{j}",
            "InceptionResNetB",
            0.1,
            unit=UNIT,
            branch1x1=[Conv(b[0])],
            branch7x7=[Conv(b[1]), Conv(b[2], (1, 7)), Conv(b[3], (7, 1))],
        )
    x = residual_reduction_b(s, x, "reduction_b", 256, *m, unit=UNIT)
    for j in range(blocks[2] + last):
        x = inception_resnet(
            s,
            x,
            f"block_c.{j}" if j < blocks[2] else "last",
            "InceptionResNetC" if j < blocks[2] else "LastInceptionResNetC",
            0.2,
            unit=UNIT,
            last=j == blocks[2],
            branch1x1=[Conv(c[0])],
            branch3x3=[Conv(c[1]), Conv(c[2], (1, 3)), Conv(c[3], (3, 1))],
        )
    return x


def inception_resnet_v1(*, input: Shape, classes: int, last: bool = False) -> Genome:
    """Figure 15: 5, 10 and 5 residual inception modules at the cost of v3.

    Args:
        last: with a sixth C without scale and ReLU, as released code has it.
    """
    s = Sketch(input, "InceptionResNetV1")
    x = run(s, s.input, "stem", UNIT, *WIDE_STEM, Conv(256, 3, 2, 0))
    x = _blocks(
        s,
        x,
        blocks=(5, 10, 5),
        a=(32, 32),
        k=(192, 192, 256, 384),
        b=(128, 128, 128, 128),
        m=(384, 256, (256, 256)),
        c=(192, 192, 192, 192),
        last=last,
    )
    return s.genome(_head(s, x, classes, 0.2))


def inception_resnet_v2(*, input: Shape, classes: int) -> Genome:
    """As released (TF-Slim, timm): twice the paper's modules, and v3's stem with a module behind it."""
    s = Sketch(input, "InceptionResNetV2")
    x = run(s, s.input, "stem", UNIT, *WIDE_STEM, HALF)
    x = inception_a(s, x, "mixed5", 96, 48, 64, 64, 96, 64, unit=UNIT, kernel=5)
    x = _blocks(
        s,
        x,
        blocks=(10, 20, 9),
        a=(48, 64),
        k=(256, 256, 384, 384),
        b=(192, 128, 160, 192),
        m=(384, 288, (288, 320)),
        c=(192, 192, 224, 256),
        last=True,
    )
    x = UNIT(s, x, "conv7", Conv(1536))
    return s.genome(_head(s, x, classes, 0.2))


_299 = (3, 299, 299)

classic(
    "inception_v3",
    inception_v3,
    """Inception v3 (Szegedy et al. 2015): large filters factorised, extents halved without bottlenecks.

    ImageNet top-1 error 21.2% for one crop (the paper, table 3).
    """,
    input=_299,
    aliases=("Inception-v3", "Inception-v3 (no aux)", "Inception-v3 (aux head in params)"),
)
classic(
    "inception_v4",
    inception_v4,
    """Inception v4 (Szegedy et al. 2016): v3 made uniform, and deeper.

    ImageNet top-1 error 20.0% for one crop (the paper, table 2).
    """,
    input=_299,
    aliases=("Inception-v4",),
)
classic(
    "inception_resnet_v1",
    inception_resnet_v1,
    """Inception-ResNet v1 (Szegedy et al. 2016): residual inception modules train much faster.

    ImageNet top-1 error 21.3% for one crop (the paper, table 2).
    """,
    input=_299,
    aliases=("Inception-ResNet-v1", "Inception-ResNet-v1 (5A/10B/5C, plain fc)"),
)
classic(
    "inception_resnet_v1_6c",
    partial(inception_resnet_v1, last=True),
    "Inception-ResNet v1 (Szegedy et al. 2016) with a sixth, unscaled C block, as in ports of released code.",
    input=_299,
    aliases=("Inception-ResNet-v1 (5A/10B/6C, plain fc)",),
)
classic(
    "inception_resnet_v2",
    inception_resnet_v2,
    """Inception-ResNet v2 (Szegedy et al. 2016): residual modules at the cost of v4, scaled to stay stable.

    ImageNet top-1 accuracy 80.4% (tensorflow/models, research/slim, README).
    """,
    input=_299,
    aliases=("Inception-ResNet-v2",),
)
