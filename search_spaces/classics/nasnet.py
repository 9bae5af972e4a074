"""NASNet-A, AmoebaNet-A and -D, PNASNet-5: cells found on CIFAR-10 and scaled to ImageNet.

Zoph et al. 2018 (arXiv:1707.07012), Real et al. 2019 (arXiv:1802.01548), Liu et al. 2018 (arXiv:1712.00559),
as TensorFlow's code has them (models/slim, tpu), with its "SAME" padding. A network is called n @ p: n normal
cells per stage, p filters in the last feature map; f, the filters of the first stage's cells, is p / 24 for
NASNet-A. TF-Slim gives an odd f / 2 or f / 4 in a factorized reduction its odd filter.
"""

from __future__ import annotations

from functools import partial

from cells.cell import Genotype
from cells.cell_ops import NASNET, TORCHGPIPE
from cells.genome import Genome
from cells.ops import RELU, BatchNorm, Conv, Shape
from cells.sketch import Sketch, Value
from search_spaces.cell_networks import STEMS, Aux, Draw, Stem, cells_of, cifar_stem, network
from search_spaces.classics.genotypes.nasnet import (
    AMOEBANET_A,
    AMOEBANET_D,
    AMOEBANET_D_GPIPE,
    NASNET_A,
    PNASNET_5,
)
from search_spaces.registry import classic

CIFAR: Shape = (3, 32, 32)


def _slim(
    kind: str,
    genotype: Genotype,
    n: int | tuple[int, ...],
    f: int,
    stem: Stem,
    *,
    dropout: float = 0,
    skip_reduction: bool = False,
    input: Shape,
    classes: int,
) -> Genome:
    """A network as TF-Slim builds it: a ReLU in front of the classifier, one auxiliary head."""
    return network(
        kind,
        cells_of(genotype, NASNET),
        stem,
        n=n,
        f=f,
        input=input,
        classes=classes,
        dropout=dropout,
        skip_reduction=skip_reduction,
        aux=Aux(after=-1),
    )


_small, _large = STEMS["nasnet"], STEMS["nasnet_large"]

_NASNET = (
    "NASNet-A (Zoph et al. 2018): a cell is searched, not a network, and moves from CIFAR-10 to ImageNet."
)

classic(
    "nasnetalarge",
    partial(_slim, "NASNet", NASNET_A, 6, 168, _large, dropout=0.5, skip_reduction=True),
    f"{_NASNET}\n6 @ 4032. ImageNet top-1 82.7% (paper, table 2).",
    input=(3, 331, 331),
    aliases=("NASNet-A Large (6@4032)", "NASNet-A Large (6@4032, TF padding)", "nasnet_large"),
)
classic(
    "nasnetamobile",
    partial(_slim, "NASNet", NASNET_A, 4, 44, _small, dropout=0.5),
    f"{_NASNET}\n4 @ 1056. ImageNet top-1 74.0% (paper, table 3).",
    aliases=("NASNet-A Mobile (4@1056)", "nasnet_mobile"),
)
for _n, _f in ((5, 64), (7, 80)):
    classic(
        f"nasneta_{_n}_{24 * _f}",
        partial(_slim, "NASNet", NASNET_A, _n, _f, _small, dropout=0.5),
        f"{_NASNET}\n{_n} @ {24 * _f}, with the stem of the mobile network: the paper does not tell its own.",
        input=(3, 299, 299),
        aliases=(f"NASNet-A ImageNet ({_n}@{24 * _f} @299)",),
    )
for _n, _f, _error, _cutout in ((6, 32, "3.41%", "2.65%"), (7, 96, "2.97%", "2.40%")):
    classic(
        f"nasneta_cifar_{_n}_{24 * _f}",
        partial(_slim, "NASNet", NASNET_A, _n, _f, cifar_stem),
        f"{_NASNET}\n{_n} @ {24 * _f} on CIFAR-10. Test error {_error}, with cutout {_cutout} (table 1).",
        input=CIFAR,
        classes=10,
        aliases=(f"NASNet-A CIFAR-10 ({_n}@{24 * _f})",),
    )

_PNASNET = (
    "PNASNet-5 (Liu et al. 2018): cells searched from simple to complex, led by a predictor of accuracy."
)

classic(
    "pnasnet5large",
    partial(_slim, "PNASNet", PNASNET_5, (4, 3, 3), 216, _large, dropout=0.5),
    f"{_PNASNET}\nN = 4, F = 216. ImageNet top-1 82.9% (paper).",
    input=(3, 331, 331),
    aliases=("PNASNet-5 Large (4,216)", "pnasnet_large"),
)
classic(
    "pnasnet5mobile",
    partial(_slim, "PNASNet", PNASNET_5, (3, 2, 2), 54, _small, dropout=0.5),
    f"{_PNASNET}\nN = 3, F = 54. ImageNet top-1 74.2% (paper).",
    aliases=("PNASNet-5 Mobile (3,54)", "pnasnet_mobile"),
)
for _f, _figure in ((48, " Test error 3.41% (paper)."), (128, "")):
    classic(
        f"pnasnet5_cifar_3_{_f}",
        partial(_slim, "PNASNet", PNASNET_5, (3, 2, 2), _f, cifar_stem),
        f"{_PNASNET}\nN = 3, F = {_f} on CIFAR-10.{_figure}",
        input=CIFAR,
        classes=10,
        aliases=(f"PNASNet-5 CIFAR-10 (N=3,F={_f})",),
    )

_AMOEBANET = {
    "A": (AMOEBANET_A, "AmoebaNet-A (Real et al. 2019): cells found by evolution that lets the oldest die."),
    "D": (
        AMOEBANET_D,
        "AmoebaNet-D (Real et al. 2019): evolution continued by hand, for speed of training.",
    ),
}

for _letter, _n, _f, _side, _figure in (
    ("A", 4, 50, 224, "ImageNet top-1 74.5% (paper)."),
    ("A", 6, 190, 331, "ImageNet top-1 82.8% (paper)."),
    ("A", 6, 448, 331, "ImageNet top-1 83.9% (paper)."),
    ("D", 6, 190, 331, ""),
    ("D", 6, 256, 299, ""),
):
    _genotype, _doc = _AMOEBANET[_letter]
    classic(
        f"amoebanet{_letter.lower()}_{_n}_{_f}",
        partial(_slim, "AmoebaNet", _genotype, _n, _f, _small),
        f"{_doc}\nN = {_n}, F = {_f}. {_figure}".rstrip(),
        input=(3, _side, _side),
        aliases=(f"AmoebaNet-{_letter} (N={_n},F={_f}) @{_side}",),
    )
for _letter, _n, _f, _figure in (
    ("A", 6, 32, "Test error 3.40% ± 0.08 (paper)."),
    ("A", 6, 36, "Test error 3.34% ± 0.06 (paper)."),
    ("D", 6, 36, ""),
):
    _genotype, _doc = _AMOEBANET[_letter]
    classic(
        f"amoebanet{_letter.lower()}_cifar_{_n}_{_f}",
        partial(_slim, "AmoebaNet", _genotype, _n, _f, cifar_stem),
        f"{_doc}\nN = {_n}, F = {_f} on CIFAR-10. {_figure}".rstrip(),
        input=CIFAR,
        classes=10,
        aliases=(f"AmoebaNet-{_letter} CIFAR-10 (N={_n},F={_f})",),
    )


def _gpipe_stem(s: Sketch, f: int, reduce: Draw) -> tuple[Value, Value]:
    """torchgpipe: a strided 3x3 convolution of f/4 filters, two reduction cells of f/2 and f."""
    with s.block("stem", "Stem"):
        x = s.chain(s.input, relu=RELU, conv=Conv(f // 4, 3, stride=2), bn=BatchNorm())
    y = reduce(s, x, x, "stem_cells.0", f // 2)
    return y, reduce(s, x, y, "stem_cells.1", f)


def _torchgpipe(layers: int, d: int, *, input: Shape, classes: int) -> Genome:
    """(L, D) of GPipe: L normal cells in all, D filters."""
    return network(
        "AmoebaNet",
        cells_of(AMOEBANET_D_GPIPE, TORCHGPIPE),
        _gpipe_stem,
        n=layers // 3,
        f=d,
        input=input,
        classes=classes,
        relu=False,
    )


for _l, _d in ((18, 208), (18, 256), (18, 416), (18, 544), (36, 544), (72, 512)):
    classic(
        f"amoebanetd_l{_l}_d{_d}",
        partial(_torchgpipe, _l, _d),
        "AmoebaNet-D of GPipe (Huang et al. 2019, arXiv:1811.06965): a network cut over many accelerators.\n"
        f"L = {_l}, D = {_d}, as kakaobrain/torchgpipe builds it: even padding, means for maxima.",
        aliases=(f"AmoebaNet-D (L={_l},D={_d}) torchgpipe",),
    )
