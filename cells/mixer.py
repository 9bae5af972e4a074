"""Blocks that mix tokens by linear layers, in the place of attention: MLP-Mixer, ResMLP, gMLP."""

from __future__ import annotations

from cells.attention import mlp
from cells.ops import Activation, Add, Affine, LayerNorm, LayerScale, Linear, SpatialGate, Transpose
from cells.sketch import Sketch, Value


def mixer_block(s: Sketch, x: Value, name: str, *, d_s: int, d_c: int) -> Value:
    """An MLP across tokens, then one across channels: Tolstikhin et al. 2021 (arXiv:2105.01601), equation 1.

    Args:
        d_s: hidden width of token mixing.
        d_c: hidden width of channel mixing.
    """
    with s.block(name, "MixerBlock"):
        y = s.chain(x, norm1=LayerNorm(), turn=Transpose())
        y = s.chain(mlp(s, y, d_s, "token_mixing"), turn_back=Transpose())
        x = s.add("add1", Add(), x, y)
        y = mlp(s, s.add("norm2", LayerNorm(), x), d_c, "channel_mixing")
        return s.add("add2", Add(), x, y)


def resmlp_block(s: Sketch, x: Value, name: str, *, init: float) -> Value:
    """One linear layer across tokens, then an MLP across channels, with affine maps for norms.

    Touvron et al. 2021 (arXiv:2105.03404), equations 2 and 3.

    Args:
        init: of the layer scale.
    """
    with s.block(name, "ResMLPBlock"):
        y = s.chain(x, norm1=Affine(), turn=Transpose(), linear=Linear(x.shape[0]))
        y = s.chain(y, turn_back=Transpose(), scale1=LayerScale(init))
        x = s.add("add1", Add(), x, y)
        y = mlp(s, s.add("norm2", Affine(), x), 4 * x.shape[1])
        return s.add("add2", Add(), x, s.add("scale2", LayerScale(init), y))


def gmlp_block(s: Sketch, x: Value, name: str, *, d_ffn: int) -> Value:
    """A linear layer, GELU, the spatial gating unit, a linear layer: Liu et al. 2021 (arXiv:2105.08050).

    Args:
        d_ffn: channels in front of the gate, which halves them.
    """
    with s.block(name, "GMLPBlock"):
        y = s.chain(x, norm=LayerNorm(), fc1=Linear(d_ffn), act=Activation("gelu"))
        y = s.chain(y, gate=SpatialGate(), fc2=Linear(x.shape[-1]))
        return s.add("add", Add(), x, y)
