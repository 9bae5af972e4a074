"""Cells of FairDARTS (Chu et al. 2020, arXiv:1911.12126); xiaomi-automl/FairDARTS, genotypes.py.

Nodes have as many edges as passed the threshold; one without edges does not exist.
"""

from __future__ import annotations

from cells.cell import Genotype, all_nodes

FAIRDARTS_A = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (),
        (("max_pool_3x3", 0),),
        (("sep_conv_3x3", 0),),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("avg_pool_3x3", 1)),
        (("avg_pool_3x3", 0), ("dil_conv_5x5", 1)),
        (("avg_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("skip_connect", 0), ("skip_connect", 1)),
    ),
)
"""Variant a."""

FAIRDARTS_B = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 1),),
        (("dil_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("dil_conv_5x5", 1),),
    ),
    reduce=all_nodes(
        (("skip_connect", 0), ("dil_conv_3x3", 1)),
        (("skip_connect", 0), ("dil_conv_3x3", 1)),
        (("max_pool_3x3", 0), ("sep_conv_3x3", 1)),
        (("skip_connect", 2), ("max_pool_3x3", 0)),
    ),
)
"""Variant b."""

FAIRDARTS_C = Genotype(
    normal=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (),
        (("dil_conv_3x3", 0), ("dil_conv_5x5", 2)),
        (("skip_connect", 3), ("sep_conv_3x3", 0)),
    ),
    reduce=all_nodes(
        (("dil_conv_3x3", 1), ("dil_conv_5x5", 0)),
        (("dil_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_5x5", 3)),
        (("sep_conv_5x5", 0), ("skip_connect", 1)),
    ),
)
"""Variant c."""

FAIRDARTS_D = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("dil_conv_3x3", 1), ("max_pool_3x3", 0)),
        (("dil_conv_3x3", 0), ("dil_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("dil_conv_5x5", 1)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("avg_pool_3x3", 0), ("dil_conv_5x5", 2)),
        (("dil_conv_3x3", 3), ("avg_pool_3x3", 0)),
        (("avg_pool_3x3", 0), ("skip_connect", 3)),
    ),
)
"""Variant d."""

FAIRDARTS_E = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (),
        (("dil_conv_3x3", 1), ("dil_conv_3x3", 2)),
        (("dil_conv_3x3", 0), ("dil_conv_5x5", 1)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 1), ("max_pool_3x3", 0)),
        (("max_pool_3x3", 1), ("max_pool_3x3", 0)),
        (("sep_conv_5x5", 1), ("max_pool_3x3", 0)),
        (("avg_pool_3x3", 0), ("dil_conv_5x5", 1)),
    ),
)
"""Variant e."""

FAIRDARTS_F = Genotype(
    normal=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_3x3", 1)),
        (("dil_conv_3x3", 1),),
        (("sep_conv_5x5", 1),),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
        (("max_pool_3x3", 0), ("dil_conv_3x3", 1)),
        (("dil_conv_3x3", 2), ("max_pool_3x3", 0)),
        (("max_pool_3x3", 0), ("sep_conv_3x3", 1)),
    ),
)
"""Variant f."""

FAIRDARTS_G = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (),
        (("skip_connect", 3), ("sep_conv_5x5", 1)),
        (("dil_conv_3x3", 0), ("sep_conv_3x3", 1)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 1), ("skip_connect", 0)),
        (("skip_connect", 2), ("max_pool_3x3", 1)),
        (("sep_conv_5x5", 3), ("max_pool_3x3", 0)),
        (("dil_conv_3x3", 1), ("dil_conv_3x3", 4)),
    ),
)
"""Variant g."""
