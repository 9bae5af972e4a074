"""Networks on patches without attention or convolution: MLP-Mixer, ResMLP, gMLP (all of 2021)."""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.mixer import gmlp_block, mixer_block, resmlp_block
from cells.ops import Affine, Conv, LayerNorm, Linear, MeanTokens, Op, Shape, Tokens
from cells.sketch import Sketch, Value
from search_spaces.registry import classic


def _embed(s: Sketch, patch: int, width: int) -> Value:
    """P x P patches as tokens; what a patch does not fill at the edges is left out."""
    with s.block("embed", "Embedding"):
        patches = Conv(width, patch, stride=patch, padding=0, bias=True)
        return s.chain(s.input, patches=patches, tokens=Tokens())


def _head(s: Sketch, x: Value, norm: Op, classes: int) -> Genome:
    with s.block("head", "Head"):
        x = s.chain(x, norm=norm, mean=MeanTokens(), fc=Linear(classes))
    return s.genome(x)


def mixer(*, input: Shape, classes: int, patch: int, layers: int, c: int) -> Genome:
    """Tokens of width C, half of it as hidden width D_S across tokens, 4 C as D_C (table 1)."""
    s = Sketch(input, "Mixer")
    x = _embed(s, patch, c)
    for i in range(layers):
        x = mixer_block(s, x, f"blocks.{i}", d_s=c // 2, d_c=4 * c)
    return _head(s, x, LayerNorm(), classes)


def resmlp(*, input: Shape, classes: int, patch: int, layers: int, d: int, init: float) -> Genome:
    """Tokens of width d; `init` of the layer scale (arXiv:2105.03404, section 2)."""
    s = Sketch(input, "ResMLP")
    x = _embed(s, patch, d)
    for i in range(layers):
        x = resmlp_block(s, x, f"blocks.{i}", init=init)
    return _head(s, x, Affine(), classes)


def gmlp(*, input: Shape, classes: int, patch: int, layers: int, d_model: int) -> Genome:
    """Tokens of width d_model, d_ffn six times that (arXiv:2105.08050, table 1)."""
    s = Sketch(input, "GMLP")
    x = _embed(s, patch, d_model)
    for i in range(layers):
        x = gmlp_block(s, x, f"blocks.{i}", d_ffn=6 * d_model)
    return _head(s, x, LayerNorm(), classes)


# Layers and C (arXiv:2105.01601, table 1).
for _size, _patch, _layers, _c, _figure in (
    ("s", 32, 8, 512, ""),
    ("s", 16, 8, 512, ""),
    ("b", 32, 12, 768, ""),
    ("b", 16, 12, 768, "76.4%"),
    ("l", 32, 24, 1024, ""),
    ("l", 16, 24, 1024, "71.8%"),
):
    classic(
        f"mixer_{_size}{_patch}_224",
        partial(mixer, patch=_patch, layers=_layers, c=_c),
        f"Mixer-{_size.upper()}/{_patch} (Tolstikhin et al. 2021): MLPs in turn across tokens and channels."
        + (f"\n\nImageNet top-1 {_figure}, no further data (arXiv:2105.01601, table 3)." if _figure else ""),
        aliases=(f"MLP-Mixer-{_size.upper()}/{_patch}",),
    )

for _layers, _init, _figure in ((12, 1e-4, "76.6%"), (24, 1e-5, "79.4%"), (36, 1e-6, "79.7%")):
    classic(
        f"resmlp_{_layers}_224",
        partial(resmlp, patch=16, layers=_layers, d=384, init=_init),
        f"ResMLP-S{_layers} (Touvron et al. 2021): one linear layer across patches, and no norms.\n\n"
        f"ImageNet top-1 {_figure} (arXiv:2105.03404, table 1).",
        aliases=(f"ResMLP-S{_layers}",),
    )

for _size, _d, _figure in (("ti", 128, "72.3%"), ("s", 256, "79.6%"), ("b", 512, "81.6%")):
    classic(
        f"gmlp_{_size}16_224",
        partial(gmlp, patch=16, layers=30, d_model=_d),
        f"gMLP-{_size.title()}/16 (Liu et al. 2021): a gate across positions does what attention does.\n\n"
        f"ImageNet top-1 {_figure} (arXiv:2105.08050, table 2).",
        aliases=(f"gMLP-{_size.title()}/16",),
    )
