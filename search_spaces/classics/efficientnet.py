"""EfficientNets (Tan & Le 2019, arXiv:1905.11946): one small network and one rule that scales it."""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.mobile import RELU6, SILU, rounded
from cells.ops import RELU, SIGMOID, Shape
from search_spaces.mobile import Row, network, scaled
from search_spaces.registry import classic

# t, c, n, s, k of B0 (table 1); every block has squeeze-and-excitation.
B0 = (
    Row(1, 16, 1, 1, 3, se=True),
    Row(6, 24, 2, 2, 3, se=True),
    Row(6, 40, 2, 2, 5, se=True),
    Row(6, 80, 3, 2, 3, se=True),
    Row(6, 112, 3, 1, 5, se=True),
    Row(6, 192, 4, 2, 5, se=True),
    Row(6, 320, 1, 1, 3, se=True),
)

# Width, depth, resolution and dropout as published (their code, efficientnet_builder.py), and the paper's
# ImageNet top-1 (table 2). These are no powers of 1.1, 1.2 and 1.15: docs/efficientnet-scaling.md.
PUBLISHED = {
    "b0": (1.0, 1.0, 224, 0.2, 77.1),
    "b1": (1.0, 1.1, 240, 0.2, 79.1),
    "b2": (1.1, 1.2, 260, 0.3, 80.1),
    "b3": (1.2, 1.4, 300, 0.3, 81.6),
    "b4": (1.4, 1.8, 380, 0.4, 82.9),
    "b5": (1.6, 2.2, 456, 0.4, 83.6),
    "b6": (1.8, 2.6, 528, 0.5, 84.0),
    "b7": (2.0, 3.1, 600, 0.5, 84.3),
}

# Larger ones of later papers, from the same code: AdvProp (Xie et al. 2019, arXiv:1911.09665) and Noisy
# Student (Xie et al. 2019, arXiv:1911.04252), with the top-1 reported there.
LARGER = {"b8": (2.2, 3.6, 672, 0.5, 85.5), "l2": (4.3, 5.3, 800, 0.5, 88.4)}

# Networks without squeeze-and-excitation whose stem, head and first and last rows are not scaled up.
LITE = {
    "lite0": (1.0, 1.0, 224),
    "lite1": (1.0, 1.1, 240),
    "lite2": (1.1, 1.2, 260),
    "lite3": (1.2, 1.4, 280),
    "lite4": (1.4, 1.8, 300),
}

# Width, depth and resolution of TinyNets (Han et al. 2020, arXiv:2010.14819), which scale B0 down.
TINY = {
    "a": (1.0, 1.2, 192),
    "b": (0.75, 1.1, 188),
    "c": (0.54, 0.85, 184),
    "d": (0.54, 0.695, 152),
    "e": (0.51, 0.6, 106),
}

# EfficientNet-EdgeTPU-S (Gupta & Tan 2019).
EDGE = (
    Row(3, 24, 1, 1, fused=True),
    Row(8, 32, 2, 2, fused=True),
    Row(8, 48, 4, 2, fused=True),
    Row(8, 96, 5, 2, 5),
    Row(8, 144, 4, 1, 5),
    Row(8, 192, 2, 2, 5),
)

# EfficientNetV2 (Tan & Le 2021, arXiv:2104.00298): table 4, and their code for M and L.
V2_S = (
    Row(1, 24, 2, 1, fused=True),
    Row(4, 48, 4, 2, fused=True),
    Row(4, 64, 4, 2, fused=True),
    Row(4, 128, 6, 2, se=True),
    Row(6, 160, 9, 1, se=True),
    Row(6, 256, 15, 2, se=True),
)
V2_M = (
    Row(1, 24, 3, 1, fused=True),
    Row(4, 48, 5, 2, fused=True),
    Row(4, 80, 5, 2, fused=True),
    Row(4, 160, 7, 2, se=True),
    Row(6, 176, 14, 1, se=True),
    Row(6, 304, 18, 2, se=True),
    Row(6, 512, 5, 1, se=True),
)
V2_L = (
    Row(1, 32, 4, 1, fused=True),
    Row(4, 64, 7, 2, fused=True),
    Row(4, 96, 7, 2, fused=True),
    Row(4, 192, 10, 2, se=True),
    Row(6, 224, 19, 1, se=True),
    Row(6, 384, 25, 2, se=True),
    Row(6, 640, 7, 1, se=True),
)


def efficientnet(
    w: float, d: float, dropout: float = 0.2, *, input: Shape = (3, 224, 224), classes: int = 1000
) -> Genome:
    """B0 w times as wide and d times as deep; the resolution is the input's."""
    return network(
        "EfficientNet",
        input,
        classes,
        scaled(B0, w, d),
        stem=rounded(32 * w),
        head=rounded(1280 * w),
        act=SILU,
        gate=(SILU, SIGMOID),
        dropout=dropout,
    )


def efficientnet_lite(w: float, d: float, *, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
    """B0 of parts that any device runs fast: no squeeze-and-excitation, ReLU6, a stem that does not grow."""
    rows = [row._replace(se=False) for row in scaled(B0, w, d)]
    rows[0], rows[-1] = rows[0]._replace(n=1), rows[-1]._replace(n=1)
    return network("EfficientNetLite", input, classes, rows, act=RELU6)


def tinynet(w: float, d: float, *, input: Shape = (3, 192, 192), classes: int = 1000) -> Genome:
    """B0 w times as wide and d times as deep, depths rounded to nearest; stem and head stay as they are."""
    rows = scaled(B0, w, d, whole=round)
    return network("TinyNet", input, classes, rows, act=SILU, gate=(SILU, SIGMOID))


for _name, (_w, _d, _r, _p, _top1) in PUBLISHED.items():
    classic(
        f"efficientnet_{_name}",
        partial(efficientnet, _w, _d, _p),
        f"""EfficientNet-{_name.upper()} (Tan & Le 2019): width, depth and resolution scaled up together.

        ImageNet top-1 {_top1}% (arXiv:1905.11946, table 2).
        """,
        input=(3, _r, _r),
        aliases=(
            f"EfficientNet-{_name.upper()}",
            f"EfficientNet-{_name.upper()} @{_r}",
            f"tf_efficientnet_{_name}",
        ),
    )
for _name, (_w, _d, _r, _p, _top1) in LARGER.items():
    _source = "arXiv:1911.09665" if _name == "b8" else "with unlabelled images, arXiv:1911.04252"
    classic(
        f"efficientnet_{_name}",
        partial(efficientnet, _w, _d, _p),
        f"""EfficientNet-{_name.upper()} (Xie et al. 2019): B0 scaled further, for more or noisier data.

        ImageNet top-1 {_top1}% ({_source}).
        """,
        input=(3, _r, _r),
        aliases=(f"EfficientNet-{_name.upper()}", f"tf_efficientnet_{_name}"),
    )
for _name, (_w, _d, _r) in LITE.items():
    classic(
        f"efficientnet_{_name}",
        partial(efficientnet_lite, _w, _d),
        f"EfficientNet-{_name.capitalize()} (Liu 2020, tensorflow/tpu): EfficientNet for integer arithmetic.",
        input=(3, _r, _r),
        aliases=(f"EfficientNet-{_name.capitalize()}", f"tf_efficientnet_{_name}"),
    )
for _name, (_w, _d, _r) in TINY.items():
    classic(
        f"tinynet_{_name}",
        partial(tinynet, _w, _d),
        f"TinyNet-{_name.upper()} (Han et al. 2020): B0 scaled down by a fitted rule.",
        input=(3, _r, _r),
        aliases=(f"TinyNet-{_name.upper()}", f"TinyNet-{_name.upper()} @{_r}"),
    )
classic(
    "efficientnet_es",
    partial(network, "EfficientNetEdgeTPU", rows=EDGE, act=RELU),
    "EfficientNet-EdgeTPU-S (Gupta & Tan 2019): dense convolutions where accelerators run them faster.",
    aliases=("EfficientNet-EdgeTPU-S",),
)
for _name, _rows, _stem, _r, _top1 in (
    ("s", V2_S, 24, 384, 83.9),
    ("m", V2_M, 24, 480, 85.1),
    ("l", V2_L, 32, 480, 85.7),
):
    classic(
        f"efficientnetv2_{_name}",
        partial(network, "EfficientNetV2", rows=_rows, stem=_stem, act=SILU, gate=(SILU, SIGMOID)),
        f"""EfficientNetV2-{_name.upper()} (Tan & Le 2021): fused first stages, searched to train fast.

        ImageNet top-1 {_top1}% (arXiv:2104.00298, table 7).
        """,
        input=(3, _r, _r),
        aliases=(f"EfficientNetV2-{_name.upper()}", f"efficientnet_v2_{_name}"),
    )
