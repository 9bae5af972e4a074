"""ENAS (Pham et al. 2018, arXiv:1802.03268): search by sharing weights between all candidates.

What it found in its two search spaces: micro, a cell; macro, a whole network of layers with skips.
"""

from __future__ import annotations

from functools import partial

from cells.cell_ops import ENAS
from search_spaces.cell_networks import Aux, cells_of, cifar_stem, network
from search_spaces.classics.genotypes.nasnet import ENAS_MACRO, ENAS_MICRO
from search_spaces.enas import layered
from search_spaces.registry import classic

classic(
    "enas_macro_cifar",
    partial(layered, ENAS_MACRO, 96),
    "ENAS macro (Pham et al. 2018): a whole network with skip connections, found while all candidates share"
    " weights.\n24 layers, 96 filters, as the released code builds it for CIFAR-10.",
    input=(3, 32, 32),
    classes=10,
    aliases=("ENAS macro CIFAR-10 (24 layers, F=96)",),
)
classic(
    "enas_micro_cifar",
    partial(
        network, "ENASMicro", cells_of(ENAS_MICRO, ENAS), cifar_stem, n=5, f=36, bias=False, aux=Aux(after=1)
    ),
    "ENAS micro (Pham et al. 2018): a cell found while all candidates share weights, in half a GPU day.\n"
    "15 normal cells, 36 filters on CIFAR-10. Test error 2.89% with cutout (paper).",
    input=(3, 32, 32),
    classes=10,
    aliases=("ENAS micro CIFAR-10 (15 layers, F=36)",),
)
