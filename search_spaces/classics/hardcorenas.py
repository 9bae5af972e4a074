"""HardCoRe-NAS (Nayman et al. 2021, arXiv:2102.11646)."""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.ops import RELU, Shape
from search_spaces.classics.mobilenet import searched_network
from search_spaces.mobile import Row
from search_spaces.registry import classic

# For each stage its blocks, written as kernel, expansion and s for squeeze-and-excitation (their code).
PUBLISHED = {
    "a": ("53 53s", "53 56s", "56s 56s", "56s 56s", "56s 56s"),
    "b": ("53 53s 33", "53 53 53", "53 53 33 33", "53 33 33 33", "56s 56s 33s"),
    "c": ("53 53s", "53 53 53 53", "54 56s 33 33", "56s 33 33 33", "56s 56s 33s"),
    "d": ("53s 53s", "53s 54s 33s", "54s 33s 33s 33s", "34s 54s 33s 53s", "56s 56s 56s 36s"),
    "e": ("53s 53s", "56s 54s 54s 33s", "54s 36s", "56s 56s 56s 53s", "56s 56s 56s 36s"),
    "f": ("53s 53s", "56s 56s", "56s 56s 33s 33s", "36s 56s 56s 33s", "56s 56s 36s 36s"),
}

# Width, stride of the stages; those with ReLU instead of hard-swish.
STAGES = ((24, 2, True), (40, 2, True), (80, 2, False), (112, 1, False), (192, 2, False))


def hardcorenas(name: str, *, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
    """MobileNetV3's stem, gates and head around the blocks found for a latency."""
    rows = [Row(1, 16, 1, 1, act=RELU)]
    for (c, s, relu), blocks in zip(STAGES, PUBLISHED[name], strict=True):
        for j, block in enumerate(blocks.split()):
            k, t, se = int(block[0]), int(block[1]), block.endswith("s")
            rows.append(Row(t, c, 1, s if j == 0 else 1, k, se, RELU if relu else None))
    return searched_network("HardCoReNAS", input, classes, rows, stem=32, head=960, hidden=1280)


for _name in PUBLISHED:
    classic(
        f"hardcorenas_{_name}",
        partial(hardcorenas, _name),
        f"HardCoRe-NAS-{_name.upper()} (Nayman et al. 2021): a search that never leaves its latency bound.",
        aliases=(f"HardCoRe-NAS-{_name.upper()}",),
    )
