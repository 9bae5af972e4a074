"""Transformer blocks: attention among all tokens (Vaswani et al. 2017), or in shifted windows (Swin)."""

from __future__ import annotations

from cells.ops import (
    Activation,
    Add,
    Attention,
    LayerNorm,
    LayerNorm2d,
    Linear,
    Op,
    SpaceToDepth,
    Tokens,
    ToMap,
    Unwindow,
    WindowAttention,
    Windows,
)
from cells.ops.pointwise import Kind
from cells.sketch import Sketch, Value


def mlp(s: Sketch, x: Value, width: int, name: str = "mlp", act: Kind = "gelu") -> Value:
    """Two linear layers on the last dimension, with `width` hidden channels in between."""
    with s.block(name, "MLP"):
        return s.chain(x, fc1=Linear(width), act=Activation(act), fc2=Linear(x.shape[-1]))


def self_attention(s: Sketch, x: Value, attention: Op) -> Value:
    """Multi-head attention: one linear layer makes queries, keys and values, another joins the heads."""
    width = x.shape[-1]
    with s.block("attn", "SelfAttention"):
        return s.chain(x, qkv=Linear(3 * width), attention=attention, proj=Linear(width))


def encoder_block(s: Sketch, x: Value, name: str, *, head_width: int, ratio: float = 4) -> Value:
    """The encoder block of ViT: each branch normalises its own input.

    z' = MSA(LN(z)) + z, then MLP(LN(z')) + z': Dosovitskiy et al. 2020 (arXiv:2010.11929), equations 2, 3.

    Args:
        head_width: channels of a head, D_h in the paper.
        ratio: hidden channels of the MLP by those of the tokens.
    """
    with s.block(name, "EncoderBlock"):
        y = self_attention(s, s.add("norm1", LayerNorm(), x), Attention(head_width))
        x = s.add("add1", Add(), x, y)
        y = mlp(s, s.add("norm2", LayerNorm(), x), round(ratio * x.shape[-1]))
        return s.add("add2", Add(), x, y)


def transformer_block(s: Sketch, x: Value, name: str, *, heads: int, d_ff: int) -> Value:
    """The encoder block of the first Transformer: each sum is normalised.

    LN(x + MultiHead(x)), then LN(x + FFN(x)) with ReLU: Vaswani et al. 2017 (arXiv:1706.03762), section 3.1.

    Args:
        heads: h in the paper.
        d_ff: hidden channels of the feed-forward network.
    """
    with s.block(name, "TransformerBlock"):
        y = self_attention(s, x, Attention(x.shape[-1] // heads))
        x = s.chain(s.add("add1", Add(), x, y), norm1=LayerNorm(1e-5))
        y = mlp(s, x, d_ff, "ffn", "relu")
        return s.chain(s.add("add2", Add(), x, y), norm2=LayerNorm(1e-5))


def swin_block(
    s: Sketch, x: Value, name: str, *, head_width: int, window: int, shift: int, ratio: float = 4
) -> Value:
    """An encoder block on a feature map, whose attention looks into windows.

    Liu et al. 2021 (arXiv:2103.14030), equation 3: W-MSA without a shift, SW-MSA with one.

    Args:
        head_width: d in the paper.
        window: M in the paper: windows have M x M positions.
        shift: how far the windows lie from the corner; half of M in every second block.
    """
    with s.block(name, "SwinBlock"):
        y = s.chain(x, norm1=LayerNorm2d(1e-5), windows=Windows(window, shift))
        y = self_attention(s, y, WindowAttention(head_width, window, shift))
        x = s.add("add1", Add(), x, s.add("unwindow", Unwindow(window, shift), y, x))
        y = mlp(s, s.chain(x, norm2=LayerNorm2d(1e-5), tokens=Tokens()), round(ratio * x.shape[0]))
        return s.add("add2", Add(), x, s.add("map", ToMap(), y, x))


def patch_merging(s: Sketch, x: Value, name: str) -> Value:
    """Half the extent and twice the channels, each from a 2x2 patch: Liu et al. 2021, section 3.1."""
    with s.block(name, "PatchMerging"):
        x = s.chain(x, merge=SpaceToDepth(), norm=LayerNorm2d(1e-5))
        y = s.chain(x, tokens=Tokens(), reduction=Linear(x.shape[0] // 2, bias=False))
        return s.add("map", ToMap(), y, x)
