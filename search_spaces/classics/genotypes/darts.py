"""Cells in the operations of DARTS (Liu et al. 2019), as their authors published them."""

from __future__ import annotations

from cells.cell import Cell, Genotype, all_nodes

DARTS_V1 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 0)),
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("skip_connect", 2)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
        (("skip_connect", 2), ("max_pool_3x3", 0)),
        (("max_pool_3x3", 0), ("skip_connect", 2)),
        (("skip_connect", 2), ("avg_pool_3x3", 0)),
    ),
)
"""Liu et al. 2019, first order; quark0/darts, genotypes.py."""

DARTS_V2 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 1), ("skip_connect", 0)),
        (("skip_connect", 0), ("dil_conv_3x3", 2)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
        (("skip_connect", 2), ("max_pool_3x3", 1)),
        (("max_pool_3x3", 0), ("skip_connect", 2)),
        (("skip_connect", 2), ("max_pool_3x3", 1)),
    ),
)
"""Liu et al. 2019, second order, figures 4 and 5; quark0/darts, genotypes.py."""

P_DARTS = Genotype(
    normal=all_nodes(
        (("skip_connect", 0), ("dil_conv_3x3", 1)),
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 3)),
        (("sep_conv_3x3", 0), ("dil_conv_5x5", 4)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_3x3", 0), ("dil_conv_5x5", 2)),
        (("max_pool_3x3", 0), ("dil_conv_3x3", 1)),
        (("dil_conv_3x3", 1), ("dil_conv_5x5", 3)),
    ),
)
"""Chen et al. 2019; chenxin061/pdarts, genotypes.py."""

PC_DARTS_CIFAR = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 1), ("skip_connect", 0)),
        (("sep_conv_3x3", 0), ("dil_conv_3x3", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_3x3", 1)),
        (("avg_pool_3x3", 0), ("dil_conv_3x3", 1)),
    ),
    reduce=all_nodes(
        (("sep_conv_5x5", 1), ("max_pool_3x3", 0)),
        (("sep_conv_5x5", 1), ("sep_conv_5x5", 2)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 3)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 2)),
    ),
)
"""Xu et al. 2020, searched on CIFAR-10; yuhuixu1993/PC-DARTS, genotypes.py."""

PC_DARTS_IMAGE = Genotype(
    normal=all_nodes(
        (("skip_connect", 1), ("sep_conv_3x3", 0)),
        (("sep_conv_3x3", 0), ("skip_connect", 1)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 3)),
        (("sep_conv_3x3", 1), ("dil_conv_5x5", 4)),
    ),
    reduce=all_nodes(
        (("sep_conv_3x3", 0), ("skip_connect", 1)),
        (("dil_conv_5x5", 2), ("max_pool_3x3", 1)),
        (("sep_conv_3x3", 2), ("sep_conv_3x3", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_3x3", 3)),
    ),
)
"""Xu et al. 2020, searched on ImageNet; yuhuixu1993/PC-DARTS, genotypes.py."""

SNAS_MILD = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("skip_connect", 0), ("dil_conv_3x3", 1)),
        (("skip_connect", 0), ("skip_connect", 1)),
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
        (("max_pool_3x3", 1), ("skip_connect", 2)),
        (("max_pool_3x3", 1), ("skip_connect", 2)),
        (("max_pool_3x3", 0), ("dil_conv_5x5", 2)),
    ),
)
"""Xie et al. 2019, mild constraint; SNAS-Series, SNAS/genotypes.py."""

SNAS_MODERATE = Genotype(
    normal=all_nodes(
        (("dil_conv_5x5", 0), ("skip_connect", 1)),
        (("sep_conv_3x3", 0), ("skip_connect", 1)),
        (("skip_connect", 0), ("skip_connect", 1)),
        (("sep_conv_3x3", 0), ("dil_conv_5x5", 1)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("max_pool_3x3", 1)),
        (("sep_conv_5x5", 0), ("dil_conv_5x5", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)),
    ),
)
"""Xie et al. 2019, moderate constraint; SNAS-Series, SNAS/genotypes.py."""

GDAS_V1 = Genotype(
    normal=all_nodes(
        (("skip_connect", 0), ("skip_connect", 1)),
        (("skip_connect", 0), ("sep_conv_5x5", 2)),
        (("sep_conv_3x3", 3), ("skip_connect", 0)),
        (("sep_conv_5x5", 4), ("sep_conv_3x3", 3)),
    ),
    reduce=all_nodes(
        (("sep_conv_5x5", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_5x5", 2), ("sep_conv_5x5", 1)),
        (("dil_conv_5x5", 2), ("sep_conv_3x3", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_5x5", 1)),
    ),
)
"""Dong & Yang 2019; D-X-Y/AutoDL-Projects, DXYs/genotypes.py."""

SETN = Genotype(
    normal=all_nodes(
        (("skip_connect", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_5x5", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_5x5", 1), ("sep_conv_5x5", 3)),
        (("max_pool_3x3", 1), ("conv_3x1_1x3", 4)),
    ),
    reduce=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("avg_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("avg_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("avg_pool_3x3", 0), ("skip_connect", 1)),
    ),
)
"""Dong & Yang 2019; D-X-Y/AutoDL-Projects, DXYs/genotypes.py."""

DRNAS_CIFAR10 = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 2)),
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 2), ("dil_conv_5x5", 3)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("dil_conv_5x5", 2), ("sep_conv_5x5", 1)),
        (("sep_conv_5x5", 1), ("dil_conv_5x5", 3)),
        (("skip_connect", 4), ("sep_conv_5x5", 1)),
    ),
)
"""Chen et al. 2021, searched on CIFAR-10; xiangning-chen/DrNAS, genotypes.py."""

DRNAS_IMAGENET = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 0)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("dil_conv_3x3", 3)),
        (("skip_connect", 0), ("sep_conv_3x3", 1)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 0), ("skip_connect", 2)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 2)),
        (("sep_conv_3x3", 3), ("sep_conv_3x3", 1)),
    ),
)
"""Chen et al. 2021, searched on ImageNet; xiangning-chen/DrNAS, genotypes.py."""

MDENAS = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_5x5", 1)),
        (("skip_connect", 0), ("sep_conv_5x5", 1)),
        (("sep_conv_3x3", 1), ("sep_conv_5x5", 3)),
        (("max_pool_3x3", 4), ("dil_conv_5x5", 3)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("sep_conv_5x5", 1)),
        (("skip_connect", 0), ("skip_connect", 1)),
        (("skip_connect", 2), ("sep_conv_3x3", 3)),
        (("sep_conv_5x5", 0), ("dil_conv_3x3", 3)),
    ),
)
"""Zheng et al. 2019; cogsys-tuebingen/uninas, configs/networks/originals/darts."""

ASAP = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        (("sep_conv_3x3", 1), ("skip_connect", 0)),
        (("skip_connect", 0), ("skip_connect", 2)),
        (("skip_connect", 1), ("skip_connect", 2)),
    ),
    reduce=all_nodes(
        (("avg_pool_3x3", 0), ("sep_conv_3x3", 1)),
        (("avg_pool_3x3", 0), ("dil_conv_5x5", 2)),
        (("max_pool_3x3", 1), ("skip_connect", 2)),
        (("max_pool_3x3", 0), ("skip_connect", 2)),
    ),
)
"""Noy et al. 2020, as two public collections of genotypes agree on it."""

XNAS = Genotype(
    normal=all_nodes(
        (("sep_conv_3x3", 1), ("skip_connect", 0)),
        (("sep_conv_3x3", 0), ("sep_conv_3x3", 2)),
        (("sep_conv_3x3", 3), ("sep_conv_3x3", 1)),
        (("dil_conv_5x5", 4), ("sep_conv_3x3", 0)),
    ),
    reduce=all_nodes(
        (("max_pool_3x3", 0), ("avg_pool_3x3", 1)),
        (("avg_pool_3x3", 0), ("skip_connect", 2)),
        (("dil_conv_3x3", 3), ("max_pool_3x3", 0)),
        (("dil_conv_5x5", 4), ("avg_pool_3x3", 0)),
    ),
)
"""Nayman et al. 2019, as three public collections of genotypes agree on it."""

NSGANET = Genotype(
    normal=Cell(
        (
            (("skip_connect", 0), ("max_pool_3x3", 0)),
            (("dil_conv_5x5", 0), ("max_pool_3x3", 0)),
            (("dil_conv_5x5", 1), ("sep_conv_3x3", 3)),
            (("max_pool_3x3", 1), ("sep_conv_5x5", 3)),
            (("sep_conv_3x3", 1), ("sep_conv_3x3", 0)),
        ),
        (2, 4, 5, 6),
    ),
    reduce=Cell(
        (
            (("avg_pool_3x3", 0), ("sep_conv_3x3", 1)),
            (("dil_conv_3x3", 1), ("max_pool_3x3", 0)),
            (("skip_connect", 2), ("dil_conv_5x5", 1)),
            (("skip_connect", 2), ("avg_pool_3x3", 1)),
            (("dil_conv_5x5", 1), ("dil_conv_3x3", 1)),
        ),
        (3, 4, 5, 6),
    ),
)
"""Lu et al. 2019; ianwhale/nsga-net, models/micro_genotypes.py."""
