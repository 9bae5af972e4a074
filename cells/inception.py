"""Inception modules: convolutions of several extents side by side, their outputs one map.

Sources: v1 Szegedy et al. 2014 (arXiv:1409.4842); with batch norm Ioffe & Szegedy 2015 (arXiv:1502.03167);
v3 Szegedy et al. 2015 (arXiv:1512.00567); v4 and Inception-ResNet Szegedy et al. 2016 (arXiv:1602.07261).
Numbers of filters come in the order of the papers' tables and figures, left to right, bottom to top.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cells.conv import PLAIN, Unit, run
from cells.ops import RELU, Add, AvgPool, Concat, Conv, MaxPool, Op, Scale
from cells.sketch import Sketch, Value

AVERAGE = AvgPool(3, 1, 1)
LARGEST = MaxPool(3, 1, 1)


class Fork(NamedTuple):
    """The end of a branch: a 1x3 and a 3x1 convolution of n filters each, side by side."""

    n: int


Branch = Sequence[Op | Fork]
"""Ops one after another, of which convolutions are drawn as units."""


def _side_by_side(s: Sketch, x: Value, unit: Unit, branches: dict[str, Branch]) -> Value:
    """The branches, each below its name, and the concatenation of what they end in."""
    ends: list[Value] = []
    for name, branch in branches.items():
        y = run(s, x, name, unit, *(op for op in branch if isinstance(op, Op)))
        last = branch[-1]
        if isinstance(last, Fork):
            ends.append(unit(s, y, f"{name}_1x3", Conv(last.n, (1, 3))))
            ends.append(unit(s, y, f"{name}_3x1", Conv(last.n, (3, 1))))
        else:
            ends.append(y)
    return s.add("concat", Concat(), *ends)


def parallel(s: Sketch, x: Value, name: str, kind: str, unit: Unit, **branches: Branch) -> Value:
    """A block of branches side by side: the general inception module."""
    with s.block(name, kind):
        return _side_by_side(s, x, unit, branches)


def naive_inception(
    s: Sketch, x: Value, name: str, n1: int, n3: int, n5: int, *, unit: Unit = PLAIN
) -> Value:
    """1x1, 3x3, 5x5 and a max pool, each on the whole input: v1, figure 2(a)."""
    return parallel(
        s,
        x,
        name,
        "NaiveInception",
        unit,
        branch1x1=[Conv(n1)],
        branch3x3=[Conv(n3, 3)],
        branch5x5=[Conv(n5, 5)],
        pool=[LARGEST],
    )


def inception(
    s: Sketch,
    x: Value,
    name: str,
    n1: int,
    r3: int,
    n3: int,
    r5: int,
    n5: int,
    proj: int,
    *,
    unit: Unit = PLAIN,
    kernel: int = 5,
) -> Value:
    """GoogLeNet's module, with 1x1 reductions before 3x3 and 5x5 and behind the pool: v1, figure 2(b).

    Args:
        n1, r3, n3, r5, n5, proj: table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj.
        kernel: extent of the "5x5", which some code makes 3x3.
    """
    return parallel(
        s,
        x,
        name,
        "Inception",
        unit,
        branch1x1=[Conv(n1)],
        branch3x3=[Conv(r3), Conv(n3, 3)],
        branch5x5=[Conv(r5), Conv(n5, kernel)],
        pool=[LARGEST, Conv(proj)],
    )


def inception_a(
    s: Sketch,
    x: Value,
    name: str,
    n1: int,
    r3: int,
    n3: int,
    rd: int,
    nd: int,
    proj: int,
    *,
    unit: Unit,
    pool: Op = AVERAGE,
    kernel: int = 3,
) -> Value:
    """Two 3x3 in the place of the 5x5: BN-Inception's module, v3's figure 5, Inception-A of v4 (figure 4).

    Args:
        n1, r3, n3, rd, nd, proj: #1x1, #3x3 reduce, #3x3, double #3x3 reduce, double #3x3, pool proj.
        kernel: extent of the single convolution; v3's code has a 5x5 there.
    """
    return parallel(
        s,
        x,
        name,
        "InceptionA",
        unit,
        branch1x1=[Conv(n1)],
        branch3x3=[Conv(r3), Conv(n3, kernel)],
        double3x3=[Conv(rd), Conv(nd, 3), Conv(nd, 3)],
        pool=[pool, Conv(proj)],
    )


def inception_b(
    s: Sketch,
    x: Value,
    name: str,
    n1: int,
    n7: tuple[int, int, int],
    nd: tuple[int, int, int, int, int],
    proj: int,
    *,
    unit: Unit,
    pool: Op = AVERAGE,
) -> Value:
    """7x7 as 1x7 and 7x1, once and twice: v3's figure 6 with n = 7, Inception-B of v4 (figure 5)."""
    row, column = (1, 7), (7, 1)
    return parallel(
        s,
        x,
        name,
        "InceptionB",
        unit,
        branch1x1=[Conv(n1)],
        branch7x7=[Conv(n7[0]), Conv(n7[1], row), Conv(n7[2], column)],
        double7x7=[Conv(nd[0])] + [Conv(n, k) for n, k in zip(nd[1:], (column, row) * 2, strict=True)],
        pool=[pool, Conv(proj)],
    )


def inception_c(
    s: Sketch,
    x: Value,
    name: str,
    n1: int,
    r3: int,
    n3: int,
    deep: Sequence[Conv],
    proj: int,
    *,
    unit: Unit,
    pool: Op = AVERAGE,
) -> Value:
    """Branches that fork into 1x3 and 3x1: v3's figure 7, Inception-C of v4 (figure 6).

    Args:
        n1, r3, n3: #1x1, #3x3 reduce, filters of each end of a fork.
        deep: what comes before the fork of the deeper branch.
    """
    return parallel(
        s,
        x,
        name,
        "InceptionC",
        unit,
        branch1x1=[Conv(n1)],
        branch3x3=[Conv(r3), Fork(n3)],
        double3x3=[*deep, Fork(n3)],
        pool=[pool, Conv(proj)],
    )


def bn_reduction(s: Sketch, x: Value, name: str, r3: int, n3: int, rd: int, nd: int, *, unit: Unit) -> Value:
    """BN-Inception's modules 3c and 4e, which halve the extent: padded, the pool passed through."""
    return parallel(
        s,
        x,
        name,
        "Reduction",
        unit,
        branch3x3=[Conv(r3), Conv(n3, 3, 2)],
        double3x3=[Conv(rd), Conv(nd, 3), Conv(nd, 3, 2)],
        pool=[MaxPool(3, 2, ceil=True)],
    )


def reduction_a(s: Sketch, x: Value, name: str, k: int, l: int, m: int, n: int, *, unit: Unit) -> Value:  # noqa: E741
    """35x35 to 17x17: Reduction-A with the letters of v4's figure 7 and table 1; v3's grid reduction."""
    return parallel(
        s,
        x,
        name,
        "ReductionA",
        unit,
        branch3x3=[_half(n)],
        double3x3=[Conv(k), Conv(l, 3), _half(m)],
        pool=[_HALF_POOL],
    )


def reduction_b(s: Sketch, x: Value, name: str, r3: int, n3: int, r7: int, n7: int, *, unit: Unit) -> Value:
    """17x17 to 8x8: Reduction-B of v4 (figure 8), the second grid reduction of v3."""
    return parallel(
        s,
        x,
        name,
        "ReductionB",
        unit,
        branch3x3=[Conv(r3), _half(n3)],
        branch7x7=[Conv(r7), Conv(r7, (1, 7)), Conv(n7, (7, 1)), _half(n7)],
        pool=[_HALF_POOL],
    )


def residual_reduction_b(
    s: Sketch, x: Value, name: str, r: int, n: int, m: int, d: tuple[int, int], *, unit: Unit
) -> Value:
    """17x17 to 8x8: Reduction-B of the Inception-ResNets (figures 12 and 18)."""
    return parallel(
        s,
        x,
        name,
        "ReductionB",
        unit,
        branch3x3=[Conv(r), _half(n)],
        other3x3=[Conv(r), _half(m)],
        double3x3=[Conv(r), Conv(d[0], 3), _half(d[1])],
        pool=[_HALF_POOL],
    )


def inception_resnet(
    s: Sketch,
    x: Value,
    name: str,
    kind: str,
    scale: float,
    *,
    unit: Unit,
    last: bool = False,
    **branches: Branch,
) -> Value:
    """Branches, a linear 1x1 back to the input's width, scaled and added to it.

    Source: v4's paper, figures 10, 11, 13, 16, 17 and 19.

    Args:
        scale: section 3.3: 0.1 to 0.3, so that training stays stable.
        last: the last block of a network, which released code leaves unscaled and without ReLU.
    """
    with s.block(name, kind):
        y = _side_by_side(s, x, unit, branches)
        y = s.chain(y, up=Conv(x.shape[0], bias=True))
        if last:
            return s.add("add", Add(), x, y)
        return s.chain(s.add("add", Add(), x, s.add("scale", Scale(scale), y)), relu=RELU)


_HALF_POOL = MaxPool(3, 2)


def _half(n: int) -> Conv:
    """A 3x3 of stride 2 without padding."""
    return Conv(n, 3, 2, 0)
