"""AnyNet: stem, four stages of like blocks, head; all free (arXiv:2003.13678, section 3.2, table 1).

Radosavovic, Kosaraju, Girshick, He, Dollár: "Designing Network Design Spaces", 2020. The letters are the
paper's: depth d, width w, bottleneck ratio b (w / b channels inside a block), group width g.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from cells.genome import Genome
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Invalid, Linear, Shape
from cells.residual import basic, bottleneck, plain, single
from cells.sketch import Sketch, Value
from search_spaces.choose import Chooser, SpaceError
from search_spaces.registry import Preset, space
from search_spaces.stages import BOTTLENECKS, GROUPED, compatible, different, downsampling

GROUPS = (1, 2, 4, 8, 16, 32)
RATIOS = (1, 2, 4)

SIMPLE: dict[str, Callable[..., Value]] = {
    "V": single,
    "VR": partial(single, residual=True),
    "vanilla": plain,
    "res_basic": basic,
}
"""Blocks that have neither b nor g: the paper's with one 3x3 convolution, pycls's with two."""

BLOCKS = (*BOTTLENECKS, *SIMPLE)


def network(
    kind: str,
    input: Shape,
    classes: int,
    *,
    d: Sequence[int],
    w: Sequence[int],
    b: Sequence[float] = (),
    g: Sequence[int] = (),
    block: str = "X",
    se: float = 0,
    stem_width: int = 32,
    stem_stride: int | None = None,
    strides: Sequence[int] | None = None,
) -> Genome:
    """The network of given stages: a 3x3 stem, d_i blocks of width w_i, global pooling and a classifier.

    Args:
        b: only where the block is a bottleneck: X, Y or R.
        g: only for X and Y.
        se: of X blocks; that of a Y block is a quarter.
    """
    read = [w, *([b] if block in BOTTLENECKS else ()), *([g] if block in GROUPED else ())]
    if any(len(values) != len(d) for values in read):
        raise Invalid(f"{kind}: d, w, b and g must have one entry per stage")
    if block == "Y":
        se = 0.25
    first, steps = downsampling(input, stem_stride, strides)
    if len(steps) != len(d):
        raise Invalid(f"{kind}: {len(steps)} stage strides for {len(d)} stages")
    s = Sketch(input, kind)
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(stem_width, 3, stride=first), bn=BatchNorm(), relu=RELU)
    for i, (depth, width) in enumerate(zip(d, w, strict=True)):
        if block in SIMPLE:
            draw = partial(SIMPLE[block], s, w=width)
        else:
            width, v, g_i = compatible(width, b[i], g[i] if block in GROUPED else 1)
            draw = partial(bottleneck, s, w=width, w_b=v, g=g_i if block in GROUPED else None, se=se)
        for j in range(depth):
            x = draw(x=x, name=f"stages.{i}.{j}", stride=steps[i] if j == 0 else 1)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


PRESETS = {
    "laptop": Preset({"d": (1, 8), "w": (8, 256), "stem_width": 16}, macs=(3_000_000, 6_000_000)),
    "small": Preset({"d": (1, 8), "w": (8, 256)}),
    "gpu": Preset({"stem_width": 16, "stem_stride": 1}, macs=(30_000_000, 60_000_000)),
    "paper": Preset({"input": (3, 224, 224), "classes": 1000}, macs=(360_000_000, 400_000_000)),
}


def each(letter: str) -> list[str]:
    """The questions of all stages for a letter, such as `stage1.w` to `stage4.w`."""
    return [f"stage{i}.{letter}" for i in range(1, 5)]


@space(aliases=("anynet_a",), presets=PRESETS, all_live=True, networks=different())
def anynet(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    d: tuple[int, int] = (1, 16),
    w: tuple[int, int] = (8, 1024),
    b: tuple[float, ...] = RATIOS,
    g: tuple[int, ...] = GROUPS,
    block: str = "X",
    stem_width: int = 32,
    stem_stride: int | None = None,
    strides: tuple[int, ...] | None = None,
) -> Genome:
    """AnyNetX_A: depth, width, bottleneck ratio and group width of each of four stages.

    Ranges (section 3.2): d_i <= 16, w_i <= 1024 in steps of 8, b_i in {1, 2, 4}, g_i in {1, 2, 4, 8, 16, 32},
    all log-uniform: (16·128·3·6)^4 answers. What the kind of block (X, Y, R, V, VR, res_basic or vanilla)
    does not have is not asked.
    """
    if block not in BLOCKS:
        raise SpaceError(f"anynet: no block is called {block!r}: there are {', '.join(BLOCKS)}")
    return network(
        "AnyNet",
        input,
        classes,
        d=[choose.integer(name, *d, log=True) for name in each("d")],
        w=[choose.integer(name, *w, step=8, log=True) for name in each("w")],
        b=[choose.pick(name, b) for name in each("b")] if block in BOTTLENECKS else (),
        g=[choose.pick(name, g) for name in each("g")] if block in GROUPED else (),
        block=block,
        stem_width=stem_width,
        stem_stride=stem_stride,
        strides=strides,
    )
