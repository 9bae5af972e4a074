"""DARTS (Liu et al. 2019, arXiv:1806.09055) and the cells that others found in its space.

Every genotype makes two networks, those on which the papers compare: 20 cells of 36 filters for CIFAR-10
(NAME_cifar), 14 of 48 for ImageNet (NAME_imagenet). NAME itself is the one of CIFAR-10.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from cells.cell import Genotype, Style
from cells.cell_ops import DARTS, MDENAS
from cells.genome import Genome
from cells.ops import Shape
from search_spaces.cell_networks import Aux, cells_of, cifar_stem, darts_stem, network
from search_spaces.classics.genotypes import darts, fairdarts, sgas, transcribed
from search_spaces.registry import classic


def evaluation(
    genotype: Genotype,
    layers: int,
    c: int,
    *,
    imagenet: bool,
    style: Style = DARTS,
    input: Shape,
    classes: int,
) -> Genome:
    """The network of `layers` cells, c filters, whose cells at one and two thirds are reduction cells."""
    first, second = layers // 3, 2 * layers // 3
    return network(
        "DARTS",
        cells_of(genotype, style),
        darts_stem if imagenet else cifar_stem,
        n=(first, second - first - 1, layers - second - 1),
        f=c,
        input=input,
        classes=classes,
        relu=False,
        aux=Aux(after=0, stride=2, norm=False) if imagenet else Aux(after=0),
    )


class Published(NamedTuple):
    """A genotype: what the reference tables call it, its doc, figures published for CIFAR-10 and ImageNet."""

    genotype: Genotype
    label: str
    doc: str
    cifar: str = ""
    imagenet: str = ""


_SGAS = (
    "SGAS (Li et al. 2020, arXiv:1912.00195): edges are decided one by one during the search, not after it."
)
_FAIR = "FairDARTS (Chu et al. 2020, arXiv:1911.12126): each operation has a gate of its own, no softmax."
_SNAS = "SNAS (Xie et al. 2019, arXiv:1812.09926): operations are sampled, and their distribution is trained."
_PC = "PC-DARTS (Xu et al. 2020, arXiv:1907.05737): a part of the channels takes the mixed operations."
_DRNAS = "DrNAS (Chen et al. 2021, arXiv:2006.10355): mixtures of operations are drawn from a Dirichlet."
_COPY = "as transcribed to the operations of DARTS: not the network of its paper."

PUBLISHED: dict[str, Published] = {
    "darts_v1": Published(
        darts.DARTS_V1,
        "DARTS_V1",
        "DARTS, first order (Liu et al. 2019): the choice of operations relaxed, found by gradient descent.",
        "Test error 3.00% with cutout (paper, table 1).",
    ),
    "darts_v2": Published(
        darts.DARTS_V2,
        "DARTS_V2",
        "DARTS, second order (Liu et al. 2019): the choice of operations relaxed, found by gradient descent.",
        "Test error 2.76% ± 0.09 with cutout (paper, table 1).",
        "Top-1 error 26.7% (paper, table 3).",
    ),
    "pdarts": Published(
        darts.P_DARTS,
        "P-DARTS_CIFAR10",
        "P-DARTS (Chen et al. 2019, arXiv:1904.12760): the searched network grows to its final depth.",
        "Test error 2.50% (paper, table 1).",
        "Top-1 error 24.4% (paper, table 2).",
    ),
    "pcdarts": Published(
        darts.PC_DARTS_CIFAR, "PC_DARTS_cifar", _PC, "Test error 2.57% ± 0.07 (yuhuixu1993/PC-DARTS, README)."
    ),
    "pcdarts_image": Published(
        darts.PC_DARTS_IMAGE,
        "PC_DARTS_image",
        _PC,
        "",
        "Top-1 error 24.2% (yuhuixu1993/PC-DARTS, README).",
    ),
    "snas_mild": Published(
        darts.SNAS_MILD,
        "SNAS_mild",
        _SNAS,
        "Test error 2.98% (paper, mild constraint).",
        "Top-1 error 27.3% (paper, mild constraint).",
    ),
    "snas_moderate": Published(
        darts.SNAS_MODERATE, "SNAS_moderate", _SNAS, "Test error 2.85% ± 0.02 (paper, moderate constraint)."
    ),
    "gdas_v1": Published(
        darts.GDAS_V1,
        "GDAS_V1",
        "GDAS (Dong & Yang 2019, arXiv:1910.04465): one operation per edge is sampled and trained at a time.",
    ),
    "setn": Published(
        darts.SETN,
        "SETN",
        "SETN (Dong & Yang 2019, arXiv:1910.05733): an evaluator learns which one-shot candidates to try.",
    ),
    "mdenas": Published(
        darts.MDENAS,
        "MdeNAS",
        "MdeNAS (Zheng et al. 2019, arXiv:1905.07529): a distribution over operations, learnt by ranking.",
    ),
    "drnas_cifar10": Published(
        darts.DRNAS_CIFAR10,
        "DrNAS_cifar10",
        _DRNAS,
        "Test error 2.46% ± 0.03 (xiangning-chen/DrNAS, README).",
    ),
    "drnas_imagenet": Published(
        darts.DRNAS_IMAGENET,
        "DrNAS_imagenet",
        _DRNAS,
        "",
        "Top-1 error 23.7% (xiangning-chen/DrNAS, README).",
    ),
    "asap": Published(
        darts.ASAP,
        "ASAP",
        "ASAP (Noy et al. 2020, arXiv:1904.04123): weak operations are pruned while the search cools down.",
    ),
    "xnas": Published(
        darts.XNAS,
        "XNAS",
        "XNAS (Nayman et al. 2019, arXiv:1906.08031): operations are experts, hopeless ones wiped out.",
    ),
    "nsganet": Published(
        darts.NSGANET,
        "NSGANet",
        "NSGA-Net (Lu et al. 2019, arXiv:1810.03522): cells evolved for error and multiply-adds at once.",
        "The paper's network adds squeeze-and-excitation, and filters with every cell.",
    ),
    "darts_nasneta": Published(
        transcribed.NASNET_A, "NASNet-A (DARTS-repo transcription)", f"NASNet-A (Zoph et al. 2018), {_COPY}"
    ),
    "darts_amoebaneta": Published(
        transcribed.AMOEBANET_A,
        "AmoebaNet-A (DARTS-repo transcription)",
        f"AmoebaNet-A (Real et al. 2019), {_COPY}",
    ),
    "darts_pnasnet5": Published(
        transcribed.PNASNET_5, "PNASNet (AutoDL transcription)", f"PNASNet-5 (Liu et al. 2018), {_COPY}"
    ),
}

_SGAS_FIGURES: dict[str, tuple[str, str]] = {
    "CRI1_1": ("2.44", "24.47"),
    "CRI1_2": ("2.50", "24.53"),
    "CRI1_3": ("2.39", "24.22"),
    "CRI1_4": ("2.63", ""),
    "CRI1_5": ("2.78", ""),
    "CRI1_6": ("2.68", ""),
    "CRI1_8": ("2.61", ""),
    "CRI1_9": ("3.18", ""),
    "CRI2_1": ("2.57", ""),
    "CRI2_3": ("2.44", "24.44"),
    "CRI2_6": ("3.12", ""),
    "CRI2_8": ("2.85", ""),
    "CRI2_9": ("2.85", ""),
    "CRI2_10": ("2.66", ""),
}
for _run, (_cifar, _imagenet) in _SGAS_FIGURES.items():
    PUBLISHED[f"sgas_{_run.lower()}"] = Published(
        getattr(sgas, _run),
        f"SGAS_{_run.replace('CRI', 'Cri').replace('_', '_CIFAR_')}",
        _SGAS,
        f"Test error {_cifar}% (lightaime/sgas).",
        f"Top-1 error {_imagenet}% (lightaime/sgas)." if _imagenet else "",
    )

_FAIR_ACCURACY = {"a": "", "b": "97.49", "c": "97.50", "d": "97.51", "e": "", "f": "97.35", "g": "97.46"}
for _letter, _top1 in _FAIR_ACCURACY.items():
    PUBLISHED[f"fairdarts_{_letter}"] = Published(
        getattr(fairdarts, f"FAIRDARTS_{_letter.upper()}"),
        f"FairDARTS_{_letter}",
        _FAIR,
        f"Test accuracy {_top1}% (xiaomi-automl/FairDARTS, README)." if _top1 else "",
    )

for _name, _net in PUBLISHED.items():
    _style = MDENAS if _name == "mdenas" else DARTS
    classic(
        f"{_name}_cifar",
        partial(evaluation, _net.genotype, 20, 36, imagenet=False, style=_style),
        f"{_net.doc}\n20 cells, 36 filters, CIFAR-10. {_net.cifar}".rstrip(),
        input=(3, 32, 32),
        classes=10,
        aliases=(_name, f"{_net.label} CIFAR-10 (C=36,L=20)"),
    )
    classic(
        f"{_name}_imagenet",
        partial(evaluation, _net.genotype, 14, 48, imagenet=True, style=_style),
        f"{_net.doc}\n14 cells, 48 filters, ImageNet. {_net.imagenet}".rstrip(),
        aliases=(f"{_net.label} ImageNet (C=48,L=14)",),
    )
