"""Cells of NASNet, AmoebaNet, PNASNet and ENAS, in the names of their operations.

States as in DARTS: 0 is the cell before the last, 1 the last (TF-Slim counts them the other way round).
"""

from __future__ import annotations

from cells.cell import Cell, Genotype, all_nodes

NASNET_A = Genotype(
    normal=Cell(
        (
            (("separable_5x5_2", 1), ("separable_3x3_2", 0)),
            (("separable_5x5_2", 0), ("separable_3x3_2", 0)),
            (("avg_pool_3x3", 1), ("none", 0)),
            (("avg_pool_3x3", 0), ("avg_pool_3x3", 0)),
            (("separable_3x3_2", 1), ("none", 1)),
        ),
        (0, 2, 3, 4, 5, 6),
    ),
    reduce=Cell(
        (
            (("separable_5x5_2", 1), ("separable_7x7_2", 0)),
            (("max_pool_3x3", 1), ("separable_7x7_2", 0)),
            (("avg_pool_3x3", 1), ("separable_5x5_2", 0)),
            (("none", 3), ("avg_pool_3x3", 2)),
            (("separable_3x3_2", 2), ("max_pool_3x3", 1)),
        ),
        (3, 4, 5, 6),
    ),
)
"""Zoph et al. 2018, figure 4; tensorflow/models, nasnet_utils.py."""

_PNASNET_5 = all_nodes(
    (("separable_5x5_2", 0), ("max_pool_3x3", 0)),
    (("separable_7x7_2", 1), ("max_pool_3x3", 1)),
    (("separable_5x5_2", 1), ("separable_3x3_2", 1)),
    (("separable_3x3_2", 4), ("max_pool_3x3", 1)),
    (("separable_3x3_2", 0), ("none", 1)),
)

PNASNET_5 = Genotype(_PNASNET_5, _PNASNET_5)
"""Liu et al. 2018, figure 1; tensorflow/models, pnasnet.py. One cell serves for both."""

AMOEBANET_A = Genotype(
    normal=Cell(
        (
            (("avg_pool_3x3", 1), ("max_pool_3x3", 1)),
            (("separable_3x3_2", 0), ("none", 0)),
            (("none", 1), ("avg_pool_3x3", 0)),
            (("separable_3x3_2", 1), ("separable_5x5_2", 2)),
            (("avg_pool_3x3", 5), ("separable_3x3_2", 1)),
        ),
        (0, 3, 4, 6),
    ),
    reduce=all_nodes(
        (("separable_3x3_2", 0), ("avg_pool_3x3", 1)),
        (("max_pool_3x3", 1), ("separable_7x7_2", 2)),
        (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
        (("separable_3x3_2", 4), ("1x7_7x1", 1)),
        (("avg_pool_3x3", 0), ("separable_7x7_2", 1)),
    ),
)
"""Real et al. 2019, figure 5; tensorflow/tpu, model_specs.py."""

AMOEBANET_D = Genotype(
    normal=Cell(
        (
            (("1x1", 0), ("max_pool_3x3", 0)),
            (("none", 0), ("1x7_7x1", 1)),
            (("1x1", 1), ("1x7_7x1", 1)),
            (("max_pool_3x3", 2), ("none", 2)),
            (("avg_pool_3x3", 0), ("1x1", 5)),
        ),
        (1, 3, 4, 6),
    ),
    reduce=Cell(
        (
            (("max_pool_2x2", 1), ("max_pool_3x3", 1)),
            (("none", 2), ("3x3", 0)),
            (("1x7_7x1", 2), ("max_pool_3x3", 2)),
            (("none", 3), ("max_pool_2x2", 0)),
            (("avg_pool_3x3", 2), ("1x1", 3)),
        ),
        (4, 5, 6),
    ),
)
"""Real et al. 2019; tensorflow/tpu, model_specs.py."""

ENAS_MICRO = Genotype(
    normal=all_nodes(
        (("avg_pool_3x3", 0), ("sep_conv_3x3", 0)),
        (("identity", 0), ("sep_conv_5x5", 0)),
        (("identity", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_3x3", 1), ("sep_conv_5x5", 0)),
        (("avg_pool_3x3", 0), ("sep_conv_5x5", 1)),
    ),
    reduce=Cell(
        (
            (("sep_conv_3x3", 1), ("sep_conv_3x3", 1)),
            (("max_pool_3x3", 0), ("avg_pool_3x3", 0)),
            (("sep_conv_5x5", 1), ("sep_conv_5x5", 3)),
            (("sep_conv_3x3", 1), ("identity", 0)),
            (("max_pool_3x3", 0), ("sep_conv_5x5", 1)),
        ),
        (2, 4, 5, 6),
    ),
)
"""Pham et al. 2018, figure 8; melodyguan/enas, cifar10_micro_final.sh."""


ENAS_MACRO: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("conv_3x3", ()),
    ("conv_5x5", ()),
    ("conv_3x3", (0,)),
    ("conv_5x5", (2,)),
    ("conv_5x5", ()),
    ("conv_5x5", (0, 1, 3)),
    ("conv_5x5", (5,)),
    ("conv_5x5", (1, 2, 4, 5, 6)),
    ("conv_3x3", (1, 2, 3, 5, 7)),
    ("conv_3x3", ()),
    ("conv_5x5", (5,)),
    ("conv_3x3", (0, 3, 4, 9, 10)),
    ("conv_5x5", (1, 7, 9, 10)),
    ("conv_3x3", (2, 6, 7, 8, 10, 12)),
    ("conv_3x3", (0, 1, 3, 5, 11)),
    ("conv_5x5", (2, 10, 12, 14)),
    ("conv_5x5", (1, 5, 8, 9, 10, 11, 14)),
    ("conv_5x5", (4, 6, 8, 11, 13, 16)),
    ("conv_5x5", (1, 2, 4, 10, 12, 14)),
    ("conv_5x5", (1, 2, 12, 13, 18)),
    ("conv_3x3", (0, 3, 5, 6, 10, 16, 17)),
    ("conv_5x5", (1, 3, 4, 7, 9, 10, 12, 13, 15, 18)),
    ("conv_3x3", (0, 2, 4, 13, 15, 18)),
    ("conv_3x3", (0, 1, 5, 6, 7, 9, 13, 15, 18, 19)),
)
"""melodyguan/enas, cifar10_macro_final.sh: an operation, and the earlier outputs that the layer skips from, 0
the stem, 1 the first layer, ... The released code builds plain convolutions for all four codes of
convolution, the separable ones included, and so are they written here."""


def _averaged(cell: Cell) -> Cell:
    """The cell with 3x3 average pools for its maximum pools."""
    names = {"max_pool_3x3": "avg_pool_3x3"}
    return cell._replace(nodes=tuple(tuple((names.get(o, o), i) for o, i in node) for node in cell.nodes))


AMOEBANET_D_GPIPE = Genotype(_averaged(AMOEBANET_D.normal), _averaged(AMOEBANET_D.reduce))
"""AmoebaNet-D in kakaobrain/torchgpipe, genotype.py and operations.py, whose max_pool_3x3 takes the mean."""
