"""The skeleton around cells: a stem, stages of normal cells with a reduction cell between them, a classifier.

Zoph et al. 2018 (arXiv:1707.07012), figure 2: n normal cells, a reduction cell that doubles the filters, n
normal cells, and so on. One skeleton serves every genotype: a cell found on CIFAR-10 is scaled to ImageNet
by another stem, other n and f.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from cells.cell import Genotype, Style, cell
from cells.genome import Genome
from cells.ops import RELU, AvgPool, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch, Value

Draw = Callable[[Sketch, Value, Value, str, int], Value]
"""Draws a cell: (s, s0, s1, name, f), which reads the outputs of the two cells before it."""


class Cells(NamedTuple):
    """What draws the cells that keep the extent, and those between the stages."""

    normal: Draw
    reduce: Draw


def cells_of(genotype: Genotype, style: Style) -> Cells:
    """The cells of a genotype."""

    def normal(s: Sketch, s0: Value, s1: Value, name: str, f: int) -> Value:
        return cell(s, s0, s1, name, "NormalCell", genotype.normal, style, c=f)

    def reduce(s: Sketch, s0: Value, s1: Value, name: str, f: int) -> Value:
        return cell(s, s0, s1, name, "ReductionCell", genotype.reduce, style, c=f, stride=2)

    return Cells(normal, reduce)


Stem = Callable[[Sketch, int, Draw], tuple[Value, Value]]
"""Draws what is in front of the cells, for f filters, perhaps with reduction cells; returns the first
cell's two inputs."""


class Aux(NamedTuple):
    """An auxiliary classifier `after` cells behind the last reduction cell (-1: on the cell before it)."""

    after: int
    stride: int = 3
    norm: bool = True


def network(
    kind: str,
    cells: Cells,
    stem: Stem,
    *,
    n: int | Sequence[int],
    f: int,
    input: Shape,
    classes: int,
    norm: bool = False,
    relu: bool = True,
    bias: bool = True,
    dropout: float = 0,
    skip_reduction: bool = False,
    aux: Aux | None = None,
) -> Genome:
    """The network of two kinds of cell.

    Args:
        n: normal cells in each of three stages, or one number per stage; between stages a reduction cell.
        f: filters of the first stage's cells; each reduction cell doubles them.
        norm: one more batch norm in front of the classifier.
        relu: one more ReLU there.
        bias: of the classifier.
        dropout: in front of the classifier.
        skip_reduction: the cell behind a reduction cell reads, as its older input, what the reduction cell
            read as its own older one (TF-Slim's skip_reduction_layer_input).
        aux: left out where the map is smaller than its pooling window.
    """
    s = Sketch(input, kind)
    s0, s1 = stem(s, f, cells.reduce)
    stages = (n,) * 3 if isinstance(n, int) else tuple(n)
    outputs: list[Value] = []
    for stage, count in enumerate(stages):
        if stage:
            f *= 2
            older = s0 if skip_reduction else s1
            s0, s1 = older, cells.reduce(s, s0, s1, f"cells.{len(outputs)}", f)
            outputs.append(s1)
        for _ in range(count):
            name = f"cells.{len(outputs)}"
            s0, s1 = s1, cells.normal(s, s0, s1, name, f)
            outputs.append(s1)
    heads: tuple[Value, ...] = ()
    if aux is not None:
        # The last reduction cell stands in front of the last stage's cells.
        x = outputs[len(outputs) - stages[-1] - 1 + aux.after]
        if min(x.shape[1:]) >= 5:
            heads = (_auxiliary(s, x, classes, aux, bias),)
    with s.block("head", "Head"):
        x = s.add("bn", BatchNorm(), s1) if norm else s1
        x = s.add("relu", RELU, x) if relu else x
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten())
        if dropout:
            x = s.add("dropout", Dropout(dropout), x)
        x = s.add("fc", Linear(classes, bias=bias), x)
    return s.genome(x, heads)


def _auxiliary(s: Sketch, x: Value, classes: int, aux: Aux, bias: bool) -> Value:
    """5x5 average pooling, 128 1x1 filters, 768 filters that see the whole map, a classifier (TF-Slim)."""
    with s.block("aux", "AuxiliaryHead"):
        x = s.chain(
            x, relu1=RELU, pool=AvgPool(5, aux.stride), conv1=Conv(128, 1), bn1=BatchNorm(), relu2=RELU
        )
        x = s.add("conv2", Conv(768, (x.shape[1], x.shape[2]), padding=0), x)
        if aux.norm:
            x = s.add("bn2", BatchNorm(), x)
        return s.chain(x, relu3=RELU, flatten=Flatten(), fc=Linear(classes, bias=bias))


def cifar_stem(s: Sketch, f: int, reduce: Draw) -> tuple[Value, Value]:
    """A 3x3 convolution of 3f filters; the first cell reads it twice."""
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(3 * f, 3), bn=BatchNorm())
    return x, x


def nasnet_stem(s: Sketch, f: int, reduce: Draw, *, width: int) -> tuple[Value, Value]:
    """A strided 3x3 convolution without padding, then two reduction cells of f/4 and f/2 filters."""
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(width, 3, stride=2, padding=0), bn=BatchNorm())
    y = reduce(s, x, x, "stem_cells.0", f // 4)
    return y, reduce(s, x, y, "stem_cells.1", f // 2)


def darts_stem(s: Sketch, f: int, reduce: Draw) -> tuple[Value, Value]:
    """Three strided 3x3 convolutions; the first cell reads the second and the third."""
    with s.block("stem0", "Stem"):
        x = s.chain(s.input, conv1=Conv(f // 2, 3, stride=2), bn1=BatchNorm(), relu=RELU)
        x = s.chain(x, conv2=Conv(f, 3, stride=2), bn2=BatchNorm())
    with s.block("stem1", "ReLUConvBN"):
        y = s.chain(x, relu=RELU, conv=Conv(f, 3, stride=2), bn=BatchNorm())
    return x, y


STEMS: Mapping[str, Stem] = {
    "cifar": cifar_stem,
    "nasnet": partial(nasnet_stem, width=32),
    "nasnet_large": partial(nasnet_stem, width=96),
    "darts": darts_stem,
}
"""The stems by name: for CIFAR-10, then three for ImageNet, which lead from 224x224 to 28x28."""
