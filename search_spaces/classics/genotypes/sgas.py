"""Cells of SGAS (Li et al. 2020, arXiv:1912.00195): ten runs for each of two criteria; lightaime/sgas."""

from __future__ import annotations

from cells.cell import Genotype, all_nodes

CRI1_1 = Genotype(
    normal=all_nodes(
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 2)),
        (("dil_conv_5x5", 2), ("dil_conv_3x3", 3)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("dil_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 2)),
        (("max_pool_3x3", 1), ("skip_connect", 2)),
        (("skip_connect", 2), ("skip_connect", 3)),
    ),
)
"""Criterion 1, run 1."""

CRI1_2 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("dil_conv_3x3", 1)),
        (("skip_connect", 0), ("dil_conv_3x3", 2)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 2)),
        (("sep_conv_3x3", 2), ("sep_conv_5x5", 4)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 0), ("sep_conv_3x3", 1)),
        (("max_pool_3x3", 0), ("skip_connect", 2)),
        (("max_pool_3x3", 0), ("sep_conv_5x5", 2)),
        (("max_pool_3x3", 1), ("dil_conv_5x5", 3)),
    ),
)
"""Criterion 1, run 2."""

CRI1_3 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("dil_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_5x5", 1), ("sep_conv_5x5", 3)),
        (("skip_connect", 0), ("dil_conv_5x5", 2)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("dil_conv_5x5", 1)),
        (("sep_conv_3x3", 0), ("skip_connect", 2)),
        (("sep_conv_3x3", 1), ("skip_connect", 2)),
        (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
    ),
)
"""Criterion 1, run 3."""

CRI1_4 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("skip_connect", 0), ("skip_connect", 2)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 2)),
        (("dil_conv_3x3", 2), ("dil_conv_5x5", 4)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("avg_pool_3x3", 0), ("dil_conv_5x5", 2)),
        (("max_pool_3x3", 0), ("dil_conv_5x5", 2)),
        (("max_pool_3x3", 0), ("skip_connect", 2)),
    ),
)
"""Criterion 1, run 4."""

CRI1_5 = Genotype(
    normal=all_nodes(
        (("dil_conv_5x5", 0), ("sep_conv_3x3", 1)),
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
        (("skip_connect", 0), ("sep_conv_3x3", 2)),
        (("dil_conv_5x5", 2), ("sep_conv_5x5", 3)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("max_pool_3x3", 0), ("skip_connect", 2)),
        (("sep_conv_3x3", 2), ("sep_conv_5x5", 3)),
        (("avg_pool_3x3", 0), ("skip_connect", 2)),
    ),
)
"""Criterion 1, run 5."""

CRI1_6 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("dil_conv_3x3", 1), ("dil_conv_3x3", 2)),
        (("sep_conv_3x3", 1), ("dil_conv_5x5", 2)),
        (("skip_connect", 1), ("sep_conv_3x3", 2)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 0), ("max_pool_3x3", 1)),
        (("max_pool_3x3", 1), ("dil_conv_5x5", 2)),
        (("max_pool_3x3", 0), ("dil_conv_3x3", 3)),
        (("skip_connect", 2), ("dil_conv_5x5", 3)),
    ),
)
"""Criterion 1, run 6."""

CRI1_8 = Genotype(
    normal=all_nodes(
        (("sep_conv_5x5", 0), ("sep_conv_3x3", 1)),
        (("dil_conv_3x3", 1), ("dil_conv_3x3", 2)),
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
        (("dil_conv_5x5", 1), ("sep_conv_3x3", 2)),
    ),
    reduce=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("max_pool_3x3", 1), ("skip_connect", 2)),
        (("max_pool_3x3", 1), ("sep_conv_5x5", 2)),
        (("max_pool_3x3", 0), ("sep_conv_5x5", 3)),
    ),
)
"""Criterion 1, run 8."""

CRI1_9 = Genotype(
    normal=all_nodes(
        (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_3x3", 1), ("dil_conv_3x3", 2)),
        (("sep_conv_3x3", 1), ("dil_conv_5x5", 3)),
        (("sep_conv_3x3", 1), ("dil_conv_3x3", 3)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 0), ("sep_conv_3x3", 1)),
        (("max_pool_3x3", 0), ("dil_conv_5x5", 2)),
        (("max_pool_3x3", 0), ("sep_conv_3x3", 2)),
        (("max_pool_3x3", 1), ("skip_connect", 2)),
    ),
)
"""Criterion 1, run 9."""

CRI2_1 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)),
        (("skip_connect", 0), ("sep_conv_5x5", 2)),
        (("sep_conv_3x3", 1), ("dil_conv_5x5", 2)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("max_pool_3x3", 1), ("sep_conv_3x3", 2)),
        (("max_pool_3x3", 0), ("sep_conv_3x3", 3)),
        (("sep_conv_3x3", 0), ("dil_conv_5x5", 2)),
    ),
)
"""Criterion 2, run 1."""

CRI2_3 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 2)),
        (("max_pool_3x3", 0), ("sep_conv_3x3", 3)),
        (("sep_conv_3x3", 2), ("sep_conv_3x3", 3)),
    ),
    reduce=all_nodes(
        (("sep_conv_3x3", 0), ("max_pool_3x3", 1)),
        (("dil_conv_3x3", 0), ("max_pool_3x3", 1)),
        (("max_pool_3x3", 0), ("sep_conv_3x3", 2)),
        (("max_pool_3x3", 0), ("sep_conv_5x5", 2)),
    ),
)
"""Criterion 2, run 3."""

CRI2_6 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("dil_conv_5x5", 2)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 3)),
        (("dil_conv_5x5", 2), ("dil_conv_3x3", 3)),
    ),
    reduce=all_nodes(
        (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)),
        (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
        (("avg_pool_3x3", 0), ("sep_conv_5x5", 3)),
        (("max_pool_3x3", 0), ("skip_connect", 2)),
    ),
)
"""Criterion 2, run 6."""

CRI2_8 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_5x5", 1), ("sep_conv_5x5", 2)),
        (("sep_conv_3x3", 1), ("dil_conv_5x5", 3)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 0), ("skip_connect", 1)),
        (("max_pool_3x3", 0), ("skip_connect", 2)),
        (("max_pool_3x3", 0), ("sep_conv_5x5", 2)),
        (("max_pool_3x3", 1), ("skip_connect", 2)),
    ),
)
"""Criterion 2, run 8."""

CRI2_9 = Genotype(
    normal=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)),
        (("dil_conv_3x3", 1), ("dil_conv_3x3", 3)),
        (("sep_conv_3x3", 1), ("dil_conv_3x3", 3)),
    ),
    reduce=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("max_pool_3x3", 0), ("dil_conv_5x5", 2)),
        (("dil_conv_5x5", 2), ("sep_conv_3x3", 3)),
        (("avg_pool_3x3", 0), ("max_pool_3x3", 1)),
    ),
)
"""Criterion 2, run 9."""

CRI2_10 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_5x5", 1), ("dil_conv_5x5", 2)),
        (("sep_conv_3x3", 2), ("dil_conv_5x5", 3)),
        (("max_pool_3x3", 0), ("dil_conv_3x3", 3)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 0), ("skip_connect", 1)),
        (("sep_conv_5x5", 0), ("skip_connect", 2)),
        (("max_pool_3x3", 0), ("sep_conv_5x5", 2)),
        (("max_pool_3x3", 1), ("dil_conv_3x3", 2)),
    ),
)
"""Criterion 2, run 10."""
