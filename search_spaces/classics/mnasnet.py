"""MnasNets (Tan et al. 2018, arXiv:1807.11626)."""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.mobile import rounded
from cells.ops import RELU, Shape
from search_spaces.mobile import Row, network, scaled
from search_spaces.registry import classic

# t, c, n, s, k, with squeeze-and-excitation or without (paper, figure 7; B1 and small in their code).
B1 = (
    Row(1, 16, 1, 1),
    Row(3, 24, 3, 2),
    Row(3, 40, 3, 2, 5),
    Row(6, 80, 3, 2, 5),
    Row(6, 96, 2, 1),
    Row(6, 192, 4, 2, 5),
    Row(6, 320, 1, 1),
)
A1 = (
    Row(1, 16, 1, 1),
    Row(6, 24, 2, 2),
    Row(3, 40, 3, 2, 5, se=True),
    Row(6, 80, 4, 2),
    Row(6, 112, 2, 1, se=True),
    Row(6, 160, 3, 2, 5, se=True),
    Row(6, 320, 1, 1),
)
SMALL = (
    Row(1, 8, 1, 1),
    Row(3, 16, 1, 2),
    Row(6, 16, 2, 2),
    Row(6, 32, 4, 2, 5, se=True),
    Row(6, 32, 3, 1, se=True),
    Row(6, 88, 3, 2, 5, se=True),
    Row(6, 144, 1, 1),
)


def mnasnet(
    rows: tuple[Row, ...],
    alpha: float = 1,
    *,
    stem: int = 32,
    input: Shape = (3, 224, 224),
    classes: int = 1000,
) -> Genome:
    """The rows `alpha` times as wide; squeeze-and-excitation has a quarter of a block's input channels."""
    return network("MnasNet", input, classes, scaled(rows, alpha), stem=rounded(stem * alpha), act=RELU)


for _alpha, _top1 in ((0.5, 67.7), (0.75, 71.2), (1.0, 73.5), (1.3, 76.5)):
    classic(
        f"mnasnet_{_alpha * 100:03.0f}",
        partial(mnasnet, B1, _alpha),
        f"""MnasNet-B1 {_alpha}x (Tan et al. 2018): searched block by block for accuracy and measured latency.

        ImageNet top-1 {_top1}% (torchvision).
        """,
        aliases=(
            f"MnasNet-B1 {_alpha}x",
            f"mnasnet{_alpha}".replace(".", "_"),
            *(("mnasnet_b1", "MnasNet-B1") if _alpha == 1 else ()),
        ),
    )
classic(
    "mnasnet_140",
    partial(mnasnet, B1, 1.4),
    "MnasNet-B1 1.4x (Tan et al. 2018): the width multiplier of MobileNetV2's largest network.",
    aliases=("MnasNet-B1 1.4x",),
)
for _alpha, _top1 in ((0.5, 68.9), (0.75, 73.3), (1.0, 75.2), (1.4, 77.2)):
    classic(
        f"semnasnet_{_alpha * 100:03.0f}",
        partial(mnasnet, A1, _alpha),
        f"""MnasNet-A1 {_alpha}x (Tan et al. 2018): the search with squeeze-and-excitation among its choices.

        ImageNet top-1 {_top1}% (tensorflow/tpu, mnasnet, README).
        """,
        aliases=(
            f"MnasNet-A1 {_alpha}x (SE)",
            f"MnasNet-A1 {_alpha}x",
            *(("mnasnet_a1", "MnasNet-A1") if _alpha == 1 else ()),
        ),
    )
classic(
    "mnasnet_small",
    partial(mnasnet, SMALL, stem=8),
    """MnasNet-small (Tan et al. 2018): the same search for a latency of 22 ms, not 75.

    ImageNet top-1 66.0% (arXiv:1807.11626, table 4, MnasNet-search2).
    """,
    aliases=("MnasNet-small",),
)
