"""The two spaces of ENAS (Pham et al. 2018, arXiv:1802.03268, sections 2.3 and 2.4): a network of layers with
skips between them (macro), or the two cells of a network (micro).
"""

from __future__ import annotations

from collections.abc import Sequence

from cells.cell import Genotype, factorized_reduce, relu_conv_bn
from cells.cell_ops import ENAS, pool
from cells.genome import Genome
from cells.ops import (
    RELU,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Depthwise,
    Flatten,
    GlobalPool,
    Invalid,
    Linear,
    MaxPool,
    Shape,
)
from cells.sketch import Sketch, Value
from search_spaces.cell_networks import STEMS, cells_of, network
from search_spaces.choose import Chooser, Scalar
from search_spaces.classics.genotypes.nasnet import ENAS_MACRO, ENAS_MICRO
from search_spaces.nasnet import answers, blocks
from search_spaces.registry import Preset, space

SIX = ("conv_3x3", "sep_conv_3x3", "conv_5x5", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3")
"""The operations of macro layers, in the order of their codes."""

Layer = tuple[str, Sequence[int]]
"""Operation of a macro layer, and the earlier outputs it skips from: 0 the stem, 1 the first layer, ..."""


def _operation(s: Sketch, x: Value, operation: str, f: int) -> Value:
    """ReLU, 1x1 and batch norm, then a pool, or ReLU, convolution and batch norm."""
    x = relu_conv_bn(s, x, "conv1", f)
    if "pool" in operation:
        return pool(s, x, "pool", f, 1, kind=AvgPool if operation == "avg_pool_3x3" else MaxPool)
    kernel = int(operation[-1])
    if not operation.startswith("sep"):
        return relu_conv_bn(s, x, "conv2", f, kernel=kernel)
    with s.block("conv2", "DepthwiseSeparable"):
        return s.chain(x, relu=RELU, depthwise=Depthwise(kernel), pointwise=Conv(f, 1), bn=BatchNorm())


def layered(layers: Sequence[Layer], f: int, *, input: Shape, classes: int) -> Genome:
    """The network of macro layers with f filters, halved in extent and doubled in width at each third.

    A layer reads the output before it; what it skips from is concatenated with the result, and a 1x1
    convolution brings all back to f channels. At each third every output so far is reduced.
    """
    s = Sketch(input, "ENASMacro")
    with s.block("stem", "Stem"):
        outputs = [s.chain(s.input, conv=Conv(f, 3), bn=BatchNorm())]
    third = len(layers) // 3
    for i, (operation, skips) in enumerate(layers):
        if any(j > i for j in skips):
            raise Invalid(f"layer {i} skips from {skips}: only outputs up to {i} exist before it")
        with s.block(f"layers.{i}", "Layer" if "conv" in operation else "PoolLayer"):
            x = _operation(s, outputs[-1], operation, f)
        if i:
            if skips:
                x = s.add(f"concat{i}", Concat(), *(outputs[j] for j in skips), x)
            x = relu_conv_bn(s, x, f"skips.{i - 1}", f)
        outputs.append(x)
        if i + 1 in (third, 2 * third):
            f *= 2
            name = f"pool{(i + 1) // third}"
            outputs = [
                factorized_reduce(s, x, f"{name}_from{j}", f, relu=False) for j, x in enumerate(outputs)
            ]
    with s.block("head", "Head"):
        x = s.chain(outputs[-1], pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes, bias=False))
    return s.genome(x)


def _macro_answers() -> dict[str, Scalar]:
    """The answers that draw the published 24 layers."""
    found: dict[str, Scalar] = {}
    for i, (operation, skips) in enumerate(ENAS_MACRO):
        found[f"layer{i}.op"] = operation
        found |= {f"layer{i}.skip{j}": int(j in skips) for j in range(i)}
    return found


@space(
    presets={
        "gpu": Preset({"f": 16}),
        "paper": Preset({"layers": 24, "f": 96}, points={"ENAS macro": _macro_answers()}),
    }
)
def enas_macro(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    layers: int = 12,
    f: int = 8,
    operations: tuple[str, ...] = SIX,
) -> Genome:
    """ENAS macro: for each of 12 layers one of six operations and any subset of earlier outputs as skips.

    6^12·2^66 networks (section 2.3). Layer i reads the one before it, and may skip from the i outputs before
    that: the stem and the layers up to i - 2.
    """
    chosen = [
        (
            choose.pick(f"layer{i}.op", operations),
            [j for j in range(i) if choose.pick(f"layer{i}.skip{j}", (0, 1))],
        )
        for i in range(layers)
    ]
    return layered(chosen, f, input=input, classes=classes)


FIVE = ("identity", "sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3")
"""The operations of micro cells."""


@space(
    presets={"gpu": Preset({"n": 2, "f": 16}), "paper": Preset({"n": 5, "f": 36})},
    points={"ENAS micro": answers("normal", ENAS_MICRO.normal) | answers("reduce", ENAS_MICRO.reduce)},
)
def enas_micro(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    n: int = 1,
    f: int = 8,
    stem: str = "cifar",
    b: int = 7,
    operations: tuple[str, ...] = FIVE,
) -> Genome:
    """ENAS micro: a normal and a reduction cell of B = 7 nodes, two of which are inputs; five operations.

    The paper counts (5·5!)^4 = 1.3e11 (section 2.4). Its own description, two operations and two earlier
    nodes for each of five nodes, has (5^5·6!)^4 = 2.6e25 answer vectors.
    """
    genotype = Genotype(*(blocks(choose, role, operations, b - 2) for role in ("normal", "reduce")))
    cells = cells_of(genotype, ENAS)
    return network("ENASMicro", cells, STEMS[stem], n=n, f=f, input=input, classes=classes, bias=False)
