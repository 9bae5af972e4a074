"""FBNet-C (Wu et al. 2018, arXiv:1812.03443)."""

from __future__ import annotations

from cells.genome import Genome
from cells.mobile import universal_inverted_bottleneck
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic

# Width and stride of each stage (table 1) and the kernel and expansion of its blocks (figure 4, as in timm).
STAGES = (
    (16, 1, ((3, 1),)),
    (24, 2, ((3, 6), (3, 1), (3, 1))),
    (32, 2, ((5, 6), (5, 3), (5, 6), (3, 6))),
    (64, 2, ((5, 6), (5, 3), (5, 6), (5, 6))),
    (112, 1, ((5, 6), (5, 6), (5, 6), (5, 3))),
    (184, 2, ((5, 6), (5, 6), (5, 6), (5, 6))),
    (352, 1, ((3, 6),)),
)


def fbnet_c(*, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
    """A stem of 16, inverted bottlenecks that have their first 1x1 even with expansion 1, a head of 1984."""
    s = Sketch(input, "FBNet")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(16, 3, stride=2), bn=BatchNorm(), relu=RELU)
    for i, (c, stride, blocks) in enumerate(STAGES):
        for j, (k, e) in enumerate(blocks):
            x = universal_inverted_bottleneck(
                s, x, f"stages.{i}.{j}", c, t=e, mid=k, stride=stride if j == 0 else 1
            )
    with s.block("head", "Head"):
        x = s.chain(x, conv=Conv(1984, 1), bn=BatchNorm(), relu=RELU)
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


classic(
    "fbnetc_100",
    fbnet_c,
    """FBNet-C (Wu et al. 2018): differentiable search against a table of measured latencies.

    ImageNet top-1 74.9% (arXiv:1812.03443, table 3).
    """,
    aliases=("FBNet-C",),
)
