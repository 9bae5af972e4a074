"""Cells found in other spaces, as DARTS and its successors wrote them down.

The transcriptions are other networks than those of the papers: other operations, another skeleton.
"""

from __future__ import annotations

from cells.cell import Cell, Genotype, all_nodes

NASNET_A = Genotype(
    normal=all_nodes(
        (("sep_conv_5x5", 1), ("sep_conv_3x3", 0)),
        (("sep_conv_5x5", 0), ("sep_conv_3x3", 0)),
        (("avg_pool_3x3", 1), ("skip_connect", 0)),
        (("avg_pool_3x3", 0), ("avg_pool_3x3", 0)),
        (("sep_conv_3x3", 1), ("skip_connect", 1)),
    ),
    reduce=Cell(
        (
            (("sep_conv_5x5", 1), ("sep_conv_7x7", 0)),
            (("max_pool_3x3", 1), ("sep_conv_7x7", 0)),
            (("avg_pool_3x3", 1), ("sep_conv_5x5", 0)),
            (("skip_connect", 3), ("avg_pool_3x3", 2)),
            (("sep_conv_3x3", 2), ("max_pool_3x3", 1)),
        ),
        (4, 5, 6),
    ),
)
"""NASNet-A in quark0/darts, genotypes.py."""

AMOEBANET_A = Genotype(
    normal=Cell(
        (
            (("avg_pool_3x3", 0), ("max_pool_3x3", 1)),
            (("sep_conv_3x3", 0), ("sep_conv_5x5", 2)),
            (("sep_conv_3x3", 0), ("avg_pool_3x3", 3)),
            (("sep_conv_3x3", 1), ("skip_connect", 1)),
            (("skip_connect", 0), ("avg_pool_3x3", 1)),
        ),
        (4, 5, 6),
    ),
    reduce=Cell(
        (
            (("avg_pool_3x3", 0), ("sep_conv_3x3", 1)),
            (("max_pool_3x3", 0), ("sep_conv_7x7", 2)),
            (("sep_conv_7x7", 0), ("avg_pool_3x3", 1)),
            (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
            (("conv_7x1_1x7", 0), ("sep_conv_3x3", 5)),
        ),
        (3, 4, 6),
    ),
)
"""AmoebaNet-A in quark0/darts, genotypes.py."""

PNASNET_5 = Genotype(
    normal=all_nodes(
        (("sep_conv_5x5", 0), ("max_pool_3x3", 0)),
        (("sep_conv_7x7", 1), ("max_pool_3x3", 1)),
        (("sep_conv_5x5", 1), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 4), ("max_pool_3x3", 1)),
        (("sep_conv_3x3", 0), ("skip_connect", 1)),
    ),
    reduce=all_nodes(
        (("sep_conv_5x5", 0), ("max_pool_3x3", 0)),
        (("sep_conv_7x7", 1), ("max_pool_3x3", 1)),
        (("sep_conv_5x5", 1), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 4), ("max_pool_3x3", 1)),
        (("sep_conv_3x3", 0), ("skip_connect", 1)),
    ),
)
"""PNASNet-5 in D-X-Y/AutoDL-Projects, DXYs/genotypes.py."""
