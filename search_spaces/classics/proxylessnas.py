"""ProxylessNAS (Cai et al. 2018, arXiv:1812.00332)."""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.ops import Shape
from search_spaces.mobile import Row, network
from search_spaces.registry import classic

# Stem, head, ImageNet top-1, and for each width c and stride s the blocks, written as expansion and kernel
# (figure 4; the networks in their repository, as imgclsmob lists them).
PUBLISHED: dict[str, tuple[int, int, float, tuple[tuple[int, int, str], ...]]] = {
    "cpu": (
        *(40, 1432, 75.3),
        (
            (24, 1, "13"),
            (32, 2, "63 33 33 33"),
            (48, 2, "63 33 33 35"),
            (88, 2, "63 33"),
            (104, 1, "65 33 33 33"),
            (216, 2, "65 35 35 33"),
            (360, 1, "65"),
        ),
    ),
    "gpu": (
        *(40, 1728, 75.1),
        (
            (24, 1, "13"),
            (32, 2, "35"),
            (56, 2, "37 33"),
            (112, 2, "67 35"),
            (128, 1, "65 33 35"),
            (256, 2, "67 67 67 65"),
            (432, 1, "67"),
        ),
    ),
    "mobile": (
        *(32, 1280, 74.6),
        (
            (16, 1, "13"),
            (32, 2, "35 33"),
            (40, 2, "37 33 35 35"),
            (80, 2, "67 35 35 35"),
            (96, 1, "65 35 35 35"),
            (192, 2, "67 67 37 37"),
            (320, 1, "67"),
        ),
    ),
    "mobile14": (
        *(48, 1792, 76.7),
        (
            (24, 1, "13"),
            (40, 2, "35 33"),
            (56, 2, "37 33 35 35"),
            (112, 2, "67 35 35 35"),
            (136, 1, "65 35 35 35"),
            (256, 2, "67 67 37 37"),
            (448, 1, "67"),
        ),
    ),
}


def proxylessnas(name: str, *, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
    """The network found for a kind of device."""
    stem, head, _, stages = PUBLISHED[name]
    rows = [
        Row(int(block[0]), c, 1, s if i == 0 else 1, int(block[1]))
        for c, s, blocks in stages
        for i, block in enumerate(blocks.split())
    ]
    return network("ProxylessNAS", input, classes, rows, stem=stem, head=head, dropout=0)


for _name, _settings in PUBLISHED.items():
    _label = {"cpu": "CPU", "gpu": "GPU", "mobile": "Mobile", "mobile14": "Mobile-14"}[_name]
    classic(
        f"proxylessnas_{_name}",
        partial(proxylessnas, _name),
        f"""ProxylessNAS-{_label} (Cai et al. 2018): searched on ImageNet and the device themselves.

        ImageNet top-1 {_settings[2]}% (their repository).
        """,
        aliases=(f"ProxylessNAS-{_label}",),
    )
