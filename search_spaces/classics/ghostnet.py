"""GhostNet (Han et al. 2019, arXiv:1911.11907)."""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.mobile import ghost_bottleneck, rounded
from cells.ops import RELU, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic

# Kernel, #exp, #out, squeeze-and-excitation, stride of each bottleneck (table 1), by resolution.
STAGES = (
    ((3, 16, 16, False, 1),),
    ((3, 48, 24, False, 2), (3, 72, 24, False, 1)),
    ((5, 72, 40, True, 2), (5, 120, 40, True, 1)),
    (
        (3, 240, 80, False, 2),
        (3, 200, 80, False, 1),
        (3, 184, 80, False, 1),
        (3, 184, 80, False, 1),
        (3, 480, 112, True, 1),
        (3, 672, 112, True, 1),
    ),
    (
        (5, 672, 160, True, 2),
        (5, 960, 160, False, 1),
        (5, 960, 160, True, 1),
        (5, 960, 160, False, 1),
        (5, 960, 160, True, 1),
    ),
)


def ghostnet(alpha: float, *, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
    """Table 1 `alpha` times as wide, all widths rounded to multiples of 4."""
    s = Sketch(input, "GhostNet")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(rounded(16 * alpha, 4), 3, stride=2), bn=BatchNorm(), relu=RELU)
    for i, stage in enumerate(STAGES):
        for j, (k, exp, out, se, stride) in enumerate(stage):
            w = rounded(exp * alpha, 4)
            x = ghost_bottleneck(
                s,
                x,
                f"stages.{i}.{j}",
                rounded(out * alpha, 4),
                w=w,
                k=k,
                stride=stride,
                se=rounded(w / 4, 4) if se else 0,
            )
    with s.block("head", "Head"):
        x = s.chain(
            x,
            conv=Conv(rounded(960 * alpha, 4), 1),
            bn=BatchNorm(),
            relu=RELU,
            pool=GlobalPool(),
            hidden=Conv(1280, 1, bias=True),
            hidden_relu=RELU,
            flatten=Flatten(),
            dropout=Dropout(0.2),
            fc=Linear(classes),
        )
    return s.genome(x)


for _alpha, _top1 in ((0.5, 66.2), (1.0, 73.9), (1.3, 75.7)):
    classic(
        f"ghostnet_{_alpha * 100:03.0f}",
        partial(ghostnet, _alpha),
        f"""GhostNet {_alpha}x (Han et al. 2019): half of the feature maps are cheap transforms of the others.

        ImageNet top-1 {_top1}% (arXiv:1911.11907, table 7).
        """,
        aliases=(f"GhostNet {_alpha}x",),
    )
