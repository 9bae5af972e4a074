"""Vision transformers as a space, with patches or convolutions in front.

Dosovitskiy et al. 2020 (arXiv:2010.11929, table 1); the stem of convolutions: Xiao et al. 2021
(arXiv:2106.14881, section 4): strided 3x3 with doubled widths, then a 1x1.
"""

from __future__ import annotations

from cells.attention import encoder_block
from cells.genome import Genome
from cells.ops import (
    RELU,
    BatchNorm,
    ClassToken,
    Conv,
    LayerNorm,
    Linear,
    MeanTokens,
    Position,
    Shape,
    Take,
    Tokens,
)
from cells.sketch import Sketch, Value
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space


def _embedded(s: Sketch, patch: int, d: int, conv: bool) -> Value:
    """Tokens of width d, one for each patch."""
    with s.block("embed", "Embedding"):
        x, halvings = s.input, patch.bit_length() - 1
        if not conv:
            return s.chain(x, patches=Conv(d, patch, patch, 0, bias=True), tokens=Tokens())
        for i in range(halvings):
            step = Conv(max(8, d >> (halvings - i)), 3, stride=2)
            x = s.chain(x, **{f"conv{i}": step, f"bn{i}": BatchNorm(), f"relu{i}": RELU})
        return s.chain(x, pointwise=Conv(d, 1, bias=True), tokens=Tokens())


@space(
    presets={
        "laptop": Preset({"layers": (1, 6), "d": (32, 128), "patch": (4, 8)}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset({"layers": (2, 12), "d": (64, 256)}, macs=(30_000_000, 120_000_000)),
        "paper": Preset(
            {"input": (3, 224, 224), "classes": 1000, "patch": (16, 32), "layers": (6, 32), "d": (192, 1280)}
        ),
    },
)
def vit(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    patch: tuple[int, ...] = (2, 4, 8),
    layers: tuple[int, int] = (1, 12),
    d: tuple[int, int] = (32, 384),
    heads: tuple[int, ...] = (1, 2, 4, 8),
) -> Genome:
    """Vision transformers: patch, width D, layers, heads, MLP ratio, stem, and what the classifier reads.

    A patch is a power of two, so that a stem of convolutions can take its place.
    """
    side = choose.pick("patch", patch)
    width = choose.integer("D", *d, step=32)
    h = choose.pick("heads", heads)
    ratio = choose.pick("ratio", [1, 2, 3, 4])
    conv = choose.pick("stem", ["patches", "conv"]) == "conv"
    token = choose.pick("summary", ["token", "mean"]) == "token"
    s = Sketch(input, "ViT")
    x = _embedded(s, side, width, conv)
    if token:
        x = s.add("class_token", ClassToken(), x)
    x = s.add("position", Position(), x)
    for i in range(choose.integer("layers", *layers)):
        x = encoder_block(s, x, f"blocks.{i}", head_width=width // h, ratio=ratio)
    with s.block("head", "Head"):
        x = s.chain(x, norm=LayerNorm(), summary=Take(0) if token else MeanTokens(), fc=Linear(classes))
    return s.genome(x)
