"""AnyNet: stem, four stages of bottleneck blocks, head; every stage free (arXiv:2003.13678, section 3.2).

Radosavovic, Kosaraju, Girshick, He, Dollár: "Designing Network Design Spaces", 2020. The letters are the
paper's: depth d, width w, bottleneck ratio b (w / b channels inside a block), group width g.
"""

from __future__ import annotations

from collections.abc import Sequence

from cells.genome import Genome
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Invalid, Linear, Shape
from cells.residual import bottleneck
from cells.sketch import Sketch
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space

GROUPS = (1, 2, 4, 8, 16, 32)
RATIOS = (1, 2, 4)


def compatible(w: int, b: int, g: int) -> tuple[int, int, int]:
    """(w, v, g) with g dividing v = w / b: g at most v, then v rounded to a multiple of g, then w = v·b.

    The paper's appendix leaves the rule open; this is pycls's (its BOT_MUL is 1 / b).
    """
    v = max(1, w // b)
    g = min(g, v)
    v = max(g, round(v / g) * g)
    return v * b, v, g


def downsampling(
    input: Shape, stem: int | None, strides: Sequence[int] | None
) -> tuple[int, tuple[int, ...]]:
    """(stem stride, stage strides), where not given, for an input: never below 2x2.

    From 96 pixels on as for ImageNet: stem 2, stages 2, 2, 2, 2. Smaller inputs: stages 1, 2, 2, 2 behind
    a stem of stride 2, so that 32x32 becomes 16-8-4-2.
    """
    side = min(input[1:])
    first = 2 if stem is None else stem
    given = list(strides) if strides is not None else [2 if side >= 96 else 1, 2, 2, 2]

    def last() -> int:
        extent = -(-side // first)
        for stride in given:
            extent = -(-extent // stride)
        return extent

    if stem is None and last() < 2:
        first = 1
    for index in reversed(range(len(given))):
        if strides is None and last() < 2:
            given[index] = 1
    return first, tuple(given)


def network(
    kind: str,
    input: Shape,
    classes: int,
    *,
    d: Sequence[int],
    w: Sequence[int],
    b: Sequence[int],
    g: Sequence[int],
    se: float = 0,
    stem_width: int = 32,
    stem_stride: int | None = None,
    strides: Sequence[int] | None = None,
) -> Genome:
    """The network of given stages: a 3x3 stem, d_i blocks of width w_i, global pooling and a classifier."""
    if not len(d) == len(w) == len(b) == len(g):
        raise Invalid(f"{kind}: d, w, b and g must have one entry per stage")
    first, steps = downsampling(input, stem_stride, strides)
    if len(steps) != len(d):
        raise Invalid(f"{kind}: {len(steps)} stage strides for {len(d)} stages")
    s = Sketch(input, kind)
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(stem_width, 3, stride=first), bn=BatchNorm(), relu=RELU)
    for i, (depth, width, ratio, group) in enumerate(zip(d, w, b, g, strict=True)):
        w_i, v, g_i = compatible(width, ratio, group)
        for j in range(depth):
            stride = steps[i] if j == 0 else 1
            x = bottleneck(s, x, f"stages.{i}.{j}", w_i, w_b=v, g=g_i, stride=stride, se=se)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


@space(
    aliases=("anynet_a",),
    presets={
        "laptop": Preset({"d": (1, 8), "w": (8, 256), "stem_width": 16}, macs=(3_000_000, 6_000_000)),
        "gpu": Preset({"stem_width": 16, "stem_stride": 1}, macs=(30_000_000, 60_000_000)),
        "paper": Preset({"input": (3, 224, 224), "classes": 1000}, macs=(360_000_000, 400_000_000)),
    },
)
def anynet(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    d: tuple[int, int] = (1, 16),
    w: tuple[int, int] = (8, 1024),
    b: tuple[int, ...] = RATIOS,
    g: tuple[int, ...] = GROUPS,
    se: float = 0,
    stem_width: int = 32,
    stem_stride: int | None = None,
    strides: tuple[int, ...] | None = None,
) -> Genome:
    """AnyNetX_A: depth, width, bottleneck ratio and group width of each of four stages.

    Ranges (section 3.2): d_i <= 16, w_i <= 1024 in steps of 8, b_i in {1, 2, 4}, g_i in {1, 2, 4, 8, 16, 32},
    all log-uniform: (16·128·3·6)^4 answers.
    """
    stages = [f"stage{i}" for i in range(1, 5)]
    return network(
        "AnyNet",
        input,
        classes,
        d=[choose.integer(f"{stage}.d", *d, log=True) for stage in stages],
        w=[choose.integer(f"{stage}.w", *w, step=8, log=True) for stage in stages],
        b=[choose.pick(f"{stage}.b", b) for stage in stages],
        g=[choose.pick(f"{stage}.g", g) for stage in stages],
        se=se,
        stem_width=stem_width,
        stem_stride=stem_stride,
        strides=strides,
    )
