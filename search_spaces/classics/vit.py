"""Transformers on patches (Dosovitskiy et al. 2020, arXiv:2010.11929), and the first Transformer's block."""

from __future__ import annotations

from functools import partial

from cells.attention import encoder_block, transformer_block
from cells.genome import Genome
from cells.ops import ClassToken, Conv, LayerNorm, Linear, MeanTokens, Position, Shape, Take, Tokens
from cells.sketch import Sketch
from search_spaces.registry import classic


def vit(*, input: Shape, classes: int, patch: int, layers: int, d: int, heads: int) -> Genome:
    """P x P patches as tokens of width D, a class token, learned positions, L encoder blocks (table 1).

    The MLPs are four times as wide as the tokens. What a patch does not fill at the edges is left out.
    """
    s = Sketch(input, "ViT")
    with s.block("embed", "Embedding"):
        x = s.chain(
            s.input,
            patches=Conv(d, patch, stride=patch, padding=0, bias=True),
            tokens=Tokens(),
            class_token=ClassToken(),
            position=Position(),
        )
    for i in range(layers):
        x = encoder_block(s, x, f"blocks.{i}", head_width=d // heads)
    x = s.chain(x, norm=LayerNorm(), take=Take(0), head=Linear(classes))
    return s.genome(x)


def transformer(*, input: Shape, classes: int, heads: int, d_ff: int) -> Genome:
    """One encoder block on the positions of the input, and a classifier on the mean of its tokens."""
    s = Sketch(input, "Transformer")
    x = transformer_block(s, s.add("tokens", Tokens(), s.input), "block", heads=heads, d_ff=d_ff)
    return s.genome(s.chain(x, mean=MeanTokens(), fc=Linear(classes)))


# L, D and heads (table 1; Ti and S: Touvron et al. 2020, arXiv:2012.12877, table 1).
_SIZES = {
    "tiny": (12, 192, 3),
    "small": (12, 384, 6),
    "base": (12, 768, 12),
    "large": (24, 1024, 16),
    "huge": (32, 1280, 16),
}
# ImageNet top-1, fine-tuned at 384 after JFT-300M: table 5 of the paper.
_FIGURES = {
    ("base", 16): 84.15,
    ("base", 32): 80.73,
    ("large", 16): 87.12,
    ("large", 32): 84.37,
    ("huge", 14): 88.04,
}

for _name, _patch in (("tiny", 16), ("small", 16), ("small", 32), *_FIGURES):
    _layers, _d, _heads = _SIZES[_name]
    _letter = "Ti" if _name == "tiny" else _name[0].upper()
    _figure = _FIGURES.get((_name, _patch))
    classic(
        f"vit_{_name}_patch{_patch}_224",
        partial(vit, patch=_patch, layers=_layers, d=_d, heads=_heads),
        f"ViT-{_letter}/{_patch} (Dosovitskiy et al. 2020): an image is a sequence of patches."
        + (
            f"\n\nImageNet top-1 {_figure}% at 384 after JFT-300M (arXiv:2010.11929, table 5)."
            if _figure
            else ""
        ),
        aliases=(f"ViT-{_letter}/{_patch}", *((f"vit_{_name[0]}_{_patch}",) if _figure else ())),
    )

classic(
    "transformer_block",
    partial(transformer, heads=8, d_ff=2048),
    "The Transformer's encoder block (Vaswani et al. 2017): attention in the place of recurrence.\n\n"
    "The base model's (arXiv:1706.03762, table 3), d = 512, h = 8, d_ff = 2048: 3,152,384 parameters in the\n"
    "block, here on 8x8 tokens of 512 channels.",
    input=(512, 8, 8),
    classes=10,
)
