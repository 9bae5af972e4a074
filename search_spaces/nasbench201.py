"""NAS-Bench-201 (Dong & Yang 2020, arXiv:2001.00326, section 2.1 and figure 1): one operation for each of
the six edges between the four nodes of a cell. NATS-Bench (arXiv:2009.00437) calls it the topology space.
"""

from __future__ import annotations

import dataclasses

from cells.cell import Cell, cell, relu_conv_bn
from cells.cell_ops import NASBENCH201
from cells.genome import Genome
from cells.ops import Add, AvgPool, BatchNorm, Conv, Shape
from cells.sketch import Sketch, Value
from search_spaces.cell_networks import Cells, Draw, network
from search_spaces.choose import Chooser
from search_spaces.formats import read_nasbench201
from search_spaces.registry import Preset, space

FIVE = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
UNFED = dataclasses.replace(NASBENCH201, of_nothing=frozenset(("nor_conv_1x1", "nor_conv_3x3")))
"""A convolution of nothing has a batch norm, and so a value; a pool of nothing is nothing."""


def _stem(s: Sketch, f: int, reduce: Draw) -> tuple[Value, Value]:
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(f, 3), bn=BatchNorm())
    return x, x


def _reduce(s: Sketch, s0: Value, s1: Value, name: str, f: int) -> Value:
    """A residual block that halves the extent; its shortcut is a mean and a 1x1 convolution."""
    with s.block(name, "ResidualReduction"):
        y = relu_conv_bn(s, s1, "conv1", f, 2, kernel=3)
        y = relu_conv_bn(s, y, "conv2", f, kernel=3)
        return s.add("add", Add(), y, s.chain(s1, pool=AvgPool(2, ceil=True), proj=Conv(f, 1)))


@space(
    presets={"gpu": Preset({"n": 3, "f": 16}), "paper": Preset({"n": 5, "f": 16})},
    points={
        "ResNet": read_nasbench201(
            "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
        )
    },
)
def nasbench201(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    n: int | tuple[int, ...] = 1,
    f: int = 16,
    unfed: bool = False,
    operations: tuple[str, ...] = FIVE,
) -> Genome:
    """NAS-Bench-201: one of five operations, none among them, on each of six edges: 5^6 = 15,625 cells.

    No edge leaves an empty node; with `unfed` its convolutions do, as the benchmark's code has them. The
    benchmark counts their weights, and those that the output does not depend on, as parameters: 4,250 cells
    have some.
    """
    nodes = tuple(
        tuple((choose.pick(f"node{i}.op{j}", operations), j) for j in range(i)) for i in range(1, 4)
    )
    style = UNFED if unfed else NASBENCH201

    def normal(s: Sketch, s0: Value, s1: Value, name: str, f: int) -> Value:
        return cell(s, s0, s1, name, "Cell", Cell(nodes, (3,)), style, c=f)

    return network(
        "NASBench201", Cells(normal, _reduce), _stem, n=n, f=f, input=input, classes=classes, norm=True
    )
