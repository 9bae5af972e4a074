"""ConvNeXt: a ResNet made modern step by step (Liu et al. 2022, arXiv:2201.03545), and its V2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells.convnext import convnext_block, downsample
from cells.genome import Genome
from cells.ops import Conv, Flatten, GlobalPool, LayerNorm, LayerNorm2d, Linear, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic


def convnext(
    *,
    input: Shape,
    classes: int,
    channels: Sequence[int],
    blocks: Sequence[int],
    response_norm: bool = False,
) -> Genome:
    """C and B of section 3: channels and number of blocks of each stage, behind 4x4 patches.

    Args:
        response_norm: V2's blocks.
    """
    s = Sketch(input, "ConvNeXtV2" if response_norm else "ConvNeXt")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(channels[0], 4, stride=4, padding=0, bias=True), norm=LayerNorm2d())
    for i, (width, count) in enumerate(zip(channels, blocks, strict=True)):
        names = iter(range(count + 1))
        if i:
            x = downsample(s, x, f"stages.{i}.{next(names)}", width)
        for _ in range(count):
            x = convnext_block(s, x, f"stages.{i}.{next(names)}", response_norm=response_norm)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), norm=LayerNorm(), fc=Linear(classes))
    return s.genome(x)


def _doubling(width: int) -> tuple[int, ...]:
    return tuple(width << i for i in range(4))


# C, B and ImageNet-1k top-1 at 224 (table 1; XL after ImageNet-22k).
for _name, _width, _blocks, _figure in (
    ("tiny", 96, (3, 3, 9, 3), "82.1%"),
    ("small", 96, (3, 3, 27, 3), "83.1%"),
    ("base", 128, (3, 3, 27, 3), "83.8%"),
    ("large", 192, (3, 3, 27, 3), "84.3%"),
    ("xlarge", 256, (3, 3, 27, 3), "87.0%, pre-trained on ImageNet-22k"),
):
    _letter = "XL" if _name == "xlarge" else _name[0].upper()
    classic(
        f"convnext_{_name}",
        partial(convnext, channels=_doubling(_width), blocks=_blocks),
        f"ConvNeXt-{_letter} (Liu et al. 2022): a Transformer's proportions, and only convolutions.\n\n"
        f"ImageNet top-1 {_figure} (arXiv:2201.03545, table 1).",
        aliases=(f"ConvNeXt-{_letter}",),
    )

for _name, _letter, _width, _blocks, _figure in (
    ("atto", "Atto", 40, (2, 2, 6, 2), "76.7%"),
    ("femto", "Femto", 48, (2, 2, 6, 2), "78.5%"),
    ("pico", "Pico", 64, (2, 2, 6, 2), "80.3%"),
    ("nano", "Nano", 80, (2, 2, 8, 2), "81.9%"),
    ("tiny", "T", 96, (3, 3, 9, 3), "83.0%"),
    ("base", "B", 128, (3, 3, 27, 3), "84.9%"),
    ("large", "L", 192, (3, 3, 27, 3), "85.8%"),
    ("huge", "H", 352, (3, 3, 27, 3), "86.3%"),
):
    classic(
        f"convnextv2_{_name}",
        partial(convnext, channels=_doubling(_width), blocks=_blocks, response_norm=True),
        f"ConvNeXt V2-{_letter} (Woo et al. 2023): global response norm, for masked pre-training.\n\n"
        f"ImageNet top-1 {_figure} after masked pre-training (arXiv:2301.00808, README of its repository).",
        aliases=(f"ConvNeXtV2-{_letter}",),
    )
