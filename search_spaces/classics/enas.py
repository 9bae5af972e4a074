"""ENAS (Pham et al. 2018, arXiv:1802.03268): search by sharing weights between all candidates.

Two search spaces: micro, a cell; macro, a whole network of layers with skip connections.
"""

from __future__ import annotations

from functools import partial

from cells.cell import factorized_reduce, relu_conv_bn
from cells.cell_ops import ENAS
from cells.genome import Genome
from cells.ops import BatchNorm, Concat, Conv, Flatten, GlobalPool, Invalid, Linear, Shape
from cells.sketch import Sketch
from search_spaces.cell_networks import Aux, cifar_stem, network
from search_spaces.classics.genotypes.nasnet import ENAS_MICRO
from search_spaces.registry import classic

Layer = tuple[int, tuple[int, ...]]
"""Kernel of a macro layer, and the earlier outputs it skips from: 0 the stem, 1 the first layer, ..."""

MACRO: tuple[Layer, ...] = (
    (3, ()),
    (5, ()),
    (3, (0,)),
    (5, (2,)),
    (5, ()),
    (5, (0, 1, 3)),
    (5, (5,)),
    (5, (1, 2, 4, 5, 6)),
    (3, (1, 2, 3, 5, 7)),
    (3, ()),
    (5, (5,)),
    (3, (0, 3, 4, 9, 10)),
    (5, (1, 7, 9, 10)),
    (3, (2, 6, 7, 8, 10, 12)),
    (3, (0, 1, 3, 5, 11)),
    (5, (2, 10, 12, 14)),
    (5, (1, 5, 8, 9, 10, 11, 14)),
    (5, (4, 6, 8, 11, 13, 16)),
    (5, (1, 2, 4, 10, 12, 14)),
    (5, (1, 2, 12, 13, 18)),
    (3, (0, 3, 5, 6, 10, 16, 17)),
    (5, (1, 3, 4, 7, 9, 10, 12, 13, 15, 18)),
    (3, (0, 2, 4, 13, 15, 18)),
    (3, (0, 1, 5, 6, 7, 9, 13, 15, 18, 19)),
)
"""melodyguan/enas, cifar10_macro_final.sh. The released code builds plain convolutions for all four codes of
convolution, the separable ones included: what is left of them is the kernel."""


def macro(layers: tuple[Layer, ...], f: int, *, input: Shape, classes: int) -> Genome:
    """The network of macro layers with f filters, halved in extent and doubled in width at each third.

    A layer convolves the output before it; what it skips from is concatenated with the result, and a 1x1
    convolution brings all back to f channels. At each third every output so far is reduced.
    """
    s = Sketch(input, "ENASMacro")
    with s.block("stem", "Stem"):
        outputs = [s.chain(s.input, conv=Conv(f, 3), bn=BatchNorm())]
    third = len(layers) // 3
    for i, (kernel, skips) in enumerate(layers):
        if any(j > i for j in skips):
            raise Invalid(f"layer {i} skips from {skips}: only outputs up to {i} exist before it")
        with s.block(f"layers.{i}", "Layer"):
            x = relu_conv_bn(s, outputs[-1], "conv1", f)
            x = relu_conv_bn(s, x, "conv2", f, kernel=kernel)
        if i:
            if skips:
                x = s.add(f"concat{i}", Concat(), *(outputs[j] for j in skips), x)
            x = relu_conv_bn(s, x, f"skips.{i - 1}", f)
        outputs.append(x)
        if i + 1 in (third, 2 * third):
            f *= 2
            name = f"pools{(i + 1) // third}"
            outputs = [factorized_reduce(s, x, f"{name}.{j}", f, relu=False) for j, x in enumerate(outputs)]
    with s.block("head", "Head"):
        x = s.chain(outputs[-1], pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes, bias=False))
    return s.genome(x)


classic(
    "enas_macro",
    partial(macro, MACRO, 96),
    "ENAS macro (Pham et al. 2018): a whole network with skip connections, found while all candidates share"
    " weights.\n24 layers, 96 filters, as the released code builds it for CIFAR-10.",
    input=(3, 32, 32),
    classes=10,
    aliases=("ENAS macro CIFAR-10 (24 layers, F=96)",),
)
classic(
    "enas_micro",
    partial(network, "ENASMicro", ENAS_MICRO, ENAS, cifar_stem, n=5, f=36, bias=False, aux=Aux(after=1)),
    "ENAS micro (Pham et al. 2018): a cell found while all candidates share weights, in half a GPU day.\n"
    "15 normal cells, 36 filters on CIFAR-10. Test error 2.89% with cutout (paper).",
    input=(3, 32, 32),
    classes=10,
    aliases=("ENAS micro CIFAR-10 (15 layers, F=36)",),
)
