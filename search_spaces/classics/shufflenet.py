"""ShuffleNets: v1 (Zhang et al. 2017, arXiv:1707.01083) and v2 (Ma et al. 2018, arXiv:1807.11164)."""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Linear, MaxPool, Shape
from cells.shuffle import shuffle_unit, shuffle_v2, shuffle_v2_downsample
from cells.sketch import Sketch, Value
from search_spaces.registry import classic

DEPTHS = (4, 8, 4)
"""Units of stages 2, 3 and 4, in v1 and in v2."""

# Groups -> output channels of stage 2, which double in stage 3 and in stage 4 (v1, table 1).
WIDTHS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}

# Output channels of stages 2, 3, 4 and of the last convolution (v2, table 5).
V2 = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}


def _stem(s: Sketch, width: int) -> Value:
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(width, 3, stride=2), bn=BatchNorm(), relu=RELU)
        return s.add("pool", MaxPool(3, 2, padding=1), x)


def shufflenet_v1(
    g: int, scale: float, *, stem: int, bias: bool, input: Shape = (3, 224, 224), classes: int = 1000
) -> Genome:
    """Table 1 with g groups, `scale` times as wide.

    The first 1x1 of stage 2 is not grouped, its input being narrow (section 3.3).

    Args:
        stem: channels of the first convolution.
        bias: the classifier has one.
    """
    s = Sketch(input, "ShuffleNet")
    x = _stem(s, stem)
    for i, depth in enumerate(DEPTHS):
        width = int(scale * WIDTHS[g]) * 2**i
        for j in range(depth):
            first, stride = (1 if i == j == 0 else g), (2 if j == 0 else 1)
            x = shuffle_unit(s, x, f"stages.{i}.{j}", width, g=g, g_first=first, stride=stride)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes, bias=bias))
    return s.genome(x)


def shufflenet_v2(
    widths: tuple[int, ...],
    *,
    megvii: bool = False,
    input: Shape = (3, 224, 224),
    classes: int = 1000,
) -> Genome:
    """Table 5: three stages of units, a 1x1 convolution, global pooling and a classifier.

    Args:
        megvii: as in the authors' repository, where the left branch of a downsampling unit keeps the number
            of its input channels and the classifier has no bias; else each branch makes half (torchvision).
    """
    s = Sketch(input, "ShuffleNetV2")
    x = _stem(s, 24)
    for i, (depth, c) in enumerate(zip(DEPTHS, widths[:3], strict=True)):
        left = x.shape[0] if megvii else c // 2
        x = shuffle_v2_downsample(s, x, f"stages.{i}.0", c, left=left)
        for j in range(1, depth):
            x = shuffle_v2(s, x, f"stages.{i}.{j}", c)
    with s.block("head", "Head"):
        x = s.chain(x, conv=Conv(widths[3], 1), bn=BatchNorm(), relu=RELU)
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes, bias=not megvii))
    return s.genome(x)


_V1 = "grouped 1x1 convolutions, and a shuffle that lets their groups exchange channels"
# ImageNet top-1 error by groups and scale (v1, table 2).
_ERRORS = {
    **{(1, 0.25): 57.1, (1, 0.5): 45.1, (1, 1.0): 33.6},
    **{(3, 0.25): 55.0, (3, 0.5): 43.2, (3, 1.0): 32.6},
    **{(2, 1.0): 32.7, (4, 1.0): 32.8, (8, 1.0): 32.4},
}
# imgclsmob's form: the stem is scaled with the rest, the classifier has a bias.
for _g in (1, 2, 3, 4, 8):
    for _scale, _name in ((0.25, "wd4"), (0.5, "wd2"), (0.75, "w3d4"), (1.0, "w1")):
        if _scale < 1 and _g not in (1, 3):
            continue
        # The rows of these two are in the authors' form, below.
        _row = () if _g in (3, 8) and _scale in (0.5, 1) else (f"ShuffleNetV1 {_scale}x g={_g}",)
        _top1 = _ERRORS.get((_g, _scale))
        _figure = f"\n\nImageNet top-1 error {_top1}% (arXiv:1707.01083, table 2)." if _top1 else ""
        classic(
            f"shufflenet_g{_g}_{_name}",
            partial(shufflenet_v1, _g, _scale, stem=int(24 * _scale), bias=True),
            f"ShuffleNet {_scale}x, g = {_g} (Zhang et al. 2017): {_V1}.{_figure}",
            aliases=_row,
        )
# The authors' form: stems of their own, a classifier without bias.
for _g, _stems in ((3, (12, 24, 24, 48)), (8, (16, 24, 24, 48))):
    for _scale, _width in zip((0.5, 1.0, 1.5, 2.0), _stems, strict=True):
        classic(
            f"shufflenet_v1_x{_scale}_g{_g}".replace(".", "_"),
            partial(shufflenet_v1, _g, _scale, stem=_width, bias=False),
            f"ShuffleNet {_scale}x, g = {_g}, as in the authors' repository (Zhang et al. 2017): {_V1}.",
            aliases=(f"ShuffleNetV1 {_scale}x g={_g}",),
        )
_V2 = "no grouped 1x1; channels are split, half of them pass by"
for (_scale, _widths), _error in zip(V2.items(), (39.7, 30.6, 27.4, 25.1), strict=True):
    _name = f"shufflenet_v2_x{_scale}".replace(".", "_")
    classic(
        _name,
        partial(shufflenet_v2, _widths),
        f"""ShuffleNetV2 {_scale}x (Ma et al. 2018): {_V2}.

        ImageNet top-1 error {_error}% (arXiv:1807.11164, table 8).
        """,
        aliases=(f"ShuffleNetV2 {_scale}x (torchvision)", f"ShuffleNetV2 {_scale}x"),
    )
    classic(
        f"{_name}_megvii",
        partial(shufflenet_v2, _widths, megvii=True),
        f"ShuffleNetV2 {_scale}x as in the authors' repository (Ma et al. 2018): {_V2}.",
        aliases=(f"ShuffleNetV2 {_scale}x (megvii)",),
    )
classic(
    "shufflenetv2_w3d2",
    partial(shufflenet_v2, (176, 352, 704, 1553)),
    f"ShuffleNetV2 1.5x as in imgclsmob, whose last convolution is scaled too (Ma et al. 2018): {_V2}.",
)
