"""MobileNetV4, the convolutional ones (Qin et al. 2024, arXiv:2404.10518)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells.genome import Genome
from cells.mobile import fused_inverted_residual, universal_inverted_bottleneck
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic

# Stages of universal inverted bottlenecks: width, and for each block the kernels of its two depthwise
# convolutions (0: none) and the expansion factor. The first block halves the extent.
SMALL = (
    (96, ((5, 5, 3), *[(0, 3, 2)] * 4, (3, 0, 4))),
    (128, ((3, 3, 6), (5, 5, 4), (0, 5, 4), (0, 5, 3), (0, 3, 4), (0, 3, 4))),
)
MEDIUM = (
    (80, ((3, 5, 4), (3, 3, 2))),
    (160, ((3, 5, 6), (3, 3, 4), (3, 3, 4), (3, 5, 4), (3, 3, 4), (3, 0, 4), (0, 0, 2), (3, 0, 4))),
    (
        256,
        (
            *((5, 5, 6), (5, 5, 4), (3, 5, 4), (3, 5, 4), (0, 0, 4), (3, 0, 4)),
            *((3, 5, 2), (5, 5, 4), (0, 0, 4), (0, 0, 4), (5, 0, 2)),
        ),
    ),
)
LARGE = (
    (96, ((3, 5, 4), (3, 3, 4))),
    (192, ((3, 5, 4), *[(3, 3, 4)] * 3, (3, 5, 4), *[(5, 3, 4)] * 5, (3, 0, 4))),
    (
        512,
        (
            *[(5, 5, 4)] * 4,
            *((5, 0, 4), (5, 3, 4), (5, 0, 4), (5, 0, 4), (5, 3, 4), (5, 5, 4)),
            *[(5, 0, 4)] * 3,
        ),
    ),
)

Stages = Sequence[tuple[int, Sequence[tuple[int, int, int]]]]


def mobilenet_v4(
    stages: Stages, *, stem: int = 32, small: bool = False, input: Shape = (3, 224, 224), classes: int = 1000
) -> Genome:
    """A stem, dense convolutions at high resolution, universal inverted bottlenecks, a head as in v3.

    Args:
        small: the dense convolutions are two pairs of a 3x3 and a 1x1, not one fused inverted bottleneck.
    """
    s = Sketch(input, "MobileNetV4")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(stem, 3, stride=2), bn=BatchNorm(), relu=RELU)
    if small:
        for i, (w, c) in enumerate(((32, 32), (96, 64))):
            with s.block(f"dense.{i}", "DensePair"):
                x = s.chain(x, conv1=Conv(w, 3, stride=2), bn1=BatchNorm(), relu1=RELU)
                x = s.chain(x, conv2=Conv(c, 1), bn2=BatchNorm(), relu2=RELU)
    else:
        x = fused_inverted_residual(s, x, "dense.0", 48, t=4, stride=2, act=RELU)
    for i, (c, blocks) in enumerate(stages):
        for j, (start, mid, t) in enumerate(blocks):
            stride = 2 if j == 0 else 1
            x = universal_inverted_bottleneck(
                s, x, f"stages.{i}.{j}", c, t=t, start=start, mid=mid, stride=stride
            )
    with s.block("head", "Head"):
        x = s.chain(x, conv1=Conv(960, 1), bn1=BatchNorm(), relu1=RELU, pool=GlobalPool())
        x = s.chain(x, conv2=Conv(1280, 1), bn2=BatchNorm(), relu2=RELU)
        x = s.chain(x, flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


for _name, _r, _build in (
    ("small", 224, partial(mobilenet_v4, SMALL, small=True)),
    ("medium", 256, partial(mobilenet_v4, MEDIUM)),
    ("large", 384, partial(mobilenet_v4, LARGE, stem=24)),
):
    _label = f"MobileNetV4-Conv-{_name[0].upper()}"
    classic(
        f"mobilenetv4_conv_{_name}",
        _build,
        f"{_label} (Qin et al. 2024): one block in four forms, for all mobile chips.",
        input=(3, _r, _r),
        aliases=(_label,),
    )
