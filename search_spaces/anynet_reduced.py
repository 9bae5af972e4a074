"""AnyNet B to E: AnyNet A under one more constraint each (arXiv:2003.13678, section 3.2, table 2).

Radosavovic, Kosaraju, Girshick, He, Dollár: "Designing Network Design Spaces", 2020. The published numbers
of networks divide by 4! where stages are in order, which leaves ties out: D has 13,821,510,942,720 answers,
not 1.3e13, and E 817,446,539,520, not 5.5e11.
"""

from __future__ import annotations

from typing import Any

from cells.genome import Genome
from search_spaces.anynet import PRESETS, anynet, each
from search_spaces.choose import Chooser
from search_spaces.reduce import increasing, tie
from search_spaces.registry import space
from search_spaces.stages import different


@space(like=anynet, presets=PRESETS, all_live=True, networks=different("b"))
def anynet_b(choose: Chooser, **arguments: Any) -> Genome:
    """AnyNetX_B: A whose stages share one bottleneck ratio, b_{i+1} = b_i."""
    return anynet(tie(choose, each("b")), **arguments)


@space(like=anynet, presets=PRESETS, all_live=True, networks=different("bg"))
def anynet_c(choose: Chooser, **arguments: Any) -> Genome:
    """AnyNetX_C: B whose stages share one group width, g_{i+1} = g_i."""
    return anynet_b(tie(choose, each("g")), **arguments)


@space(like=anynet, presets=PRESETS, all_live=True, networks=different("bg", ordered="w"))
def anynet_d(choose: Chooser, **arguments: Any) -> Genome:
    """AnyNetX_D: C whose widths never fall, w_{i+1} >= w_i."""
    return anynet_c(increasing(choose, each("w")), **arguments)


@space(like=anynet, presets=PRESETS, all_live=True, networks=different("bg", ordered="wd"))
def anynet_e(choose: Chooser, **arguments: Any) -> Genome:
    """AnyNetX_E: D whose depths never fall, d_{i+1} >= d_i."""
    return anynet_d(increasing(choose, each("d")), **arguments)
