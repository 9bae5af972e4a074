"""Blocks on tokens: their emitted modules against torch's own or written out by hand, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.attention import encoder_block, patch_merging, swin_block, transformer_block
from cells.convnext import convnext_block, depthwise_first, downsample, inverted_bottleneck, resnext_block
from cells.emit import emit
from cells.genome import Genome
from cells.infer import Costs, infer
from cells.mixer import gmlp_block, mixer_block, resmlp_block
from cells.ops import (
    Add,
    Attention,
    ClassToken,
    Conv,
    GlobalPool,
    Identity,
    Invalid,
    LayerNorm,
    LayerNorm2d,
    Linear,
    MeanTokens,
    Op,
    Position,
    SpaceToDepth,
    SpatialGate,
    Take,
    Tokens,
    ToMap,
    Transpose,
    Unwindow,
    WindowAttention,
    Windows,
    facts,
)
from cells.sketch import Sketch
from nas.build import build
from search_spaces import Fixed, find

Weights = dict[str, Tensor]


def built(input: tuple[int, int, int], block: Callable[..., Any], **letters: Any) -> nn.Module:
    """The emitted module of one block called `b`, all weights random: 1e-6 would hide a branch."""
    s = Sketch(input)
    module = build(s.genome(block(s, s.input, "b", **letters)))
    return randomised(module)


def on_tokens(input: tuple[int, int, int], block: Callable[..., Any], **letters: Any) -> nn.Module:
    s = Sketch(input)
    return randomised(build(s.genome(block(s, s.add("tokens", Tokens(), s.input), "b", **letters))))


def randomised(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5 if parameter.ndim < 2 else 0.2)
    return module.eval()


def weights(module: nn.Module) -> Weights:
    return {name.removeprefix("b."): value.detach() for name, value in module.named_parameters()}


def images(*shape: int) -> Tensor:
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))


def close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def mlp(w: Weights, name: str, x: Tensor) -> Tensor:
    hidden = functional.gelu(functional.linear(x, w[f"{name}.fc1.weight"], w[f"{name}.fc1.bias"]))
    return functional.linear(hidden, w[f"{name}.fc2.weight"], w[f"{name}.fc2.bias"])


def norm(w: Weights, name: str, x: Tensor, eps: float) -> Tensor:
    """Layer norm on the last dimension, written out."""
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


TORCH_NAMES = {
    "attn.qkv.weight": "self_attn.in_proj_weight",
    "attn.qkv.bias": "self_attn.in_proj_bias",
    "attn.proj": "self_attn.out_proj",
    "mlp.fc1": "linear1",
    "mlp.fc2": "linear2",
    "ffn.fc1": "linear1",
    "ffn.fc2": "linear2",
}


def torch_block(w: Weights, **settings: Any) -> nn.Module:
    """torch's encoder block with our weights."""
    block = nn.TransformerEncoderLayer(24, 4, dropout=0.0, batch_first=True, **settings)
    renamed = {}
    for name, value in w.items():
        for ours, theirs in TORCH_NAMES.items():
            name = name.replace(ours, theirs)
        renamed[name] = value
    block.load_state_dict(renamed)
    return block.eval()


def test_encoder_block_is_torchs_with_the_norm_first() -> None:
    module = on_tokens((24, 3, 5), encoder_block, head_width=6)
    reference = torch_block(
        weights(module), dim_feedforward=96, activation="gelu", norm_first=True, layer_norm_eps=1e-6
    )
    x = images(24, 3, 5)
    close(module(x), reference(x.flatten(2).transpose(1, 2)))


def test_transformer_block_is_torchs_with_the_norm_last() -> None:
    module = on_tokens((24, 3, 5), transformer_block, heads=4, d_ff=50)
    reference = torch_block(weights(module), dim_feedforward=50)
    x = images(24, 3, 5)
    close(module(x), reference(x.flatten(2).transpose(1, 2)))


def swin_reference(w: Weights, x: Tensor, m: int, shift: int, heads: int) -> Tensor:
    """Dense attention over the filled-up map, but only between positions of one window, shifted for real."""
    x = x.permute(0, 2, 3, 1)
    _, height, width, c = x.shape
    y = functional.pad(norm(w, "norm1", x, 1e-5), (0, 0, 0, -width % m, 0, -height % m))
    h, v = y.shape[1:3]
    row, column = (i.flatten() for i in torch.meshgrid(torch.arange(h), torch.arange(v), indexing="ij"))
    down, right = (shift if h > m else 0), (shift if v > m else 0)
    window = torch.stack(
        [(row - down).div(m, rounding_mode="floor"), (column - right).div(m, rounding_mode="floor")]
    )
    together = (window[:, :, None] == window[:, None]).all(0)
    # Outside a window the index means nothing, but has to be legal.
    dy = (row[:, None] - row + m - 1).clamp(0, 2 * m - 2)
    dx = (column[:, None] - column + m - 1).clamp(0, 2 * m - 2)
    bias = w["attn.attention.bias"][dy * (2 * m - 1) + dx].permute(2, 0, 1)
    qkv = functional.linear(y.flatten(1, 2), w["attn.qkv.weight"], w["attn.qkv.bias"])
    q, k, values = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in qkv.split(c, 2))
    scores = q @ k.transpose(2, 3) / (c // heads) ** 0.5 + bias
    scores = scores.masked_fill(~together, float("-inf"))
    y = (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)
    y = functional.linear(y, w["attn.proj.weight"], w["attn.proj.bias"]).unflatten(1, (h, v))
    x = x + y[:, :height, :width]
    return (x + mlp(w, "mlp", norm(w, "norm2", x, 1e-5))).permute(0, 3, 1, 2)


@pytest.mark.parametrize("extent", [(8, 12), (7, 9), (4, 8), (3, 4)])
@pytest.mark.parametrize("shift", [0, 2])
def test_swin_block(extent: tuple[int, int], shift: int) -> None:
    module = built((12, *extent), swin_block, head_width=4, window=4, shift=shift)
    x = images(12, *extent)
    close(module(x), swin_reference(weights(module), x, 4, shift, 3))


@pytest.mark.parametrize("extent", [(4, 6), (5, 3)])
def test_patch_merging(extent: tuple[int, int]) -> None:
    module = built((6, *extent), patch_merging)
    w = weights(module)
    x = images(6, *extent)
    y = functional.pad(x, (0, extent[1] % 2, 0, extent[0] % 2)).permute(0, 2, 3, 1)
    y = torch.cat([y[:, 0::2, 0::2], y[:, 1::2, 0::2], y[:, 0::2, 1::2], y[:, 1::2, 1::2]], -1)
    close(module(x), functional.linear(norm(w, "norm", y, 1e-5), w["reduction.weight"]).permute(0, 3, 1, 2))


@pytest.mark.parametrize("response_norm", [False, True])
def test_convnext_block(response_norm: bool) -> None:
    module = built((8, 5, 6), convnext_block, response_norm=response_norm)
    w = weights(module)
    x = images(8, 5, 6)
    y = functional.conv2d(x, w["dwconv.weight"], w["dwconv.bias"], padding=3, groups=8).permute(0, 2, 3, 1)
    y = functional.linear(norm(w, "norm", y, 1e-6), w["pwconv1.weight"], w["pwconv1.bias"])
    y = functional.gelu(y)
    if response_norm:
        g = y.square().sum((1, 2), keepdim=True).sqrt()
        y = y + w["grn.gamma"] * (y * g / (g.mean(-1, keepdim=True) + 1e-6)) + w["grn.beta"]
    y = functional.linear(y, w["pwconv2.weight"], w["pwconv2.bias"])
    close(module(x), x + (y if response_norm else y * w["scale.scale"]).permute(0, 3, 1, 2))


def test_convnext_downsampling() -> None:
    module = built((8, 5, 6), downsample, width=12)
    w = weights(module)
    x = images(8, 5, 6)
    y = norm(w, "norm", x.permute(0, 2, 3, 1), 1e-6).permute(0, 3, 1, 2)
    close(module(x), functional.conv2d(y, w["conv.weight"], w["conv.bias"], stride=2))


def test_mixer_block() -> None:
    module = on_tokens((8, 2, 3), mixer_block, d_s=5, d_c=7)
    w = weights(module)
    x = images(8, 2, 3)
    t = x.flatten(2).transpose(1, 2)
    t = t + mlp(w, "token_mixing", norm(w, "norm1", t, 1e-6).transpose(1, 2)).transpose(1, 2)
    close(module(x), t + mlp(w, "channel_mixing", norm(w, "norm2", t, 1e-6)))


def test_resmlp_block() -> None:
    module = on_tokens((8, 2, 3), resmlp_block, init=1e-4)
    w = weights(module)
    x = images(8, 2, 3)
    t = x.flatten(2).transpose(1, 2)
    y = w["linear.weight"] @ (w["norm1.alpha"] * t + w["norm1.beta"]) + w["linear.bias"][:, None]
    t = t + w["scale1.scale"] * y
    close(module(x), t + w["scale2.scale"] * mlp(w, "mlp", w["norm2.alpha"] * t + w["norm2.beta"]))


def test_gmlp_block() -> None:
    module = on_tokens((8, 2, 3), gmlp_block, d_ffn=20)
    w = weights(module)
    x = images(8, 2, 3)
    t = x.flatten(2).transpose(1, 2)
    z = functional.gelu(functional.linear(norm(w, "norm", t, 1e-6), w["fc1.weight"], w["fc1.bias"]))
    v = norm(w, "gate.norm", z[..., 10:], 1e-6)
    z = z[..., :10] * (torch.einsum("nm,bmc->bnc", w["gate.weight"], v) + w["gate.bias"])
    close(module(x), t + functional.linear(z, w["fc2.weight"], w["fc2.bias"]))


def test_vit_embeds_patches_behind_a_class_token_and_reads_that_token() -> None:
    s = Sketch((3, 6, 4))
    x = s.chain(s.input, patches=Conv(5, 2, stride=2, padding=0, bias=True), tokens=Tokens())
    x = s.chain(x, cls=ClassToken(), position=Position())
    assert x.shape == (7, 5)
    module = randomised(build(s.genome(x)))
    w = weights(module)
    image = images(3, 6, 4)
    patches = functional.conv2d(image, w["patches.weight"], w["patches.bias"], stride=2)
    rows = [w["cls.token"].expand(2, 5), *(patches[:, :, i, j] for i in range(3) for j in range(2))]
    close(module(image), torch.stack(rows, 1) + w["position.position"])
    reader = build(s.genome(s.add("take", Take(0), x)))
    reader.load_state_dict(module.state_dict())
    close(reader(image), (w["cls.token"] + w["position.position"][0]).expand(2, 5))


def test_fresh_weights_are_the_papers() -> None:
    """Branches of ConvNeXt begin at almost nothing, gMLP's gate at passing its input on."""
    s = Sketch((8, 5, 6))
    block = build(s.genome(convnext_block(s, s.input, "b")))
    x = images(8, 5, 6)
    torch.testing.assert_close(block(x), x, atol=1e-4, rtol=0)
    s = Sketch((8, 2, 3))
    gate = build(s.genome(s.chain(s.input, tokens=Tokens(), gate=SpatialGate())))
    x = images(8, 2, 3)
    torch.testing.assert_close(gate(x), x.flatten(2).mT[..., :4], atol=1e-3, rtol=0)


def test_alphago_has_a_bias_for_each_point() -> None:
    genome = find("alphago_192").draw(Fixed())
    costs = infer(genome)
    assert costs.output == (361,)
    assert costs.depth == 13
    bias = next(layer for layer in costs.layers if genome.nodes[layer.index].path == "head.bias")
    assert (bias.params, bias.shape) == (361, (1, 19, 19))
    with pytest.raises(Invalid, match="361 moves"):
        find("alphago_192").bind(classes=10).draw(Fixed())


def costs(
    input: tuple[int, int, int], block: Callable[..., Any], tokens: bool = False, **letters: Any
) -> Costs:
    s = Sketch(input)
    x = s.add("tokens", Tokens(), s.input) if tokens else s.input
    return infer(s.genome(block(s, x, "b", **letters)))


def test_encoder_block_costs() -> None:
    """12 D² N for the linear layers and 2 D N² for the two products; 12 D² + 13 D parameters."""
    n, d = 196, 768
    found = costs((d, 14, 14), encoder_block, tokens=True, head_width=64)
    assert found.macs == 12 * d * d * n + 2 * d * n * n
    assert found.params == 12 * d * d + 13 * d
    assert (found.depth, found.activations) == (4, 0)


def test_base_transformer_block_has_3_152_384_parameters() -> None:
    assert costs((512, 8, 8), transformer_block, tokens=True, heads=8, d_ff=2048).params == 3_152_384


def test_window_attention_grows_with_the_map_not_with_its_square() -> None:
    """Liu et al. 2021, equations 1 and 2: 12 h w C² + 2 M² h w C with the MLP's 8 h w C²."""
    for side in (14, 28, 56):
        found = costs((96, side, side), swin_block, head_width=32, window=7, shift=3)
        assert found.macs == 12 * side**2 * 96**2 + 2 * 49 * side**2 * 96


def test_attention_and_token_mixing_are_global_context() -> None:
    assert costs((8, 4, 4), encoder_block, tokens=True, head_width=4).global_context
    assert costs((8, 4, 4), mixer_block, tokens=True, d_s=8, d_c=8).global_context
    assert costs((8, 4, 4), swin_block, head_width=4, window=2, shift=1).global_context
    assert costs((8, 4, 4), convnext_block, response_norm=True).global_context
    plain = costs((8, 4, 4), convnext_block)
    assert not plain.global_context
    assert plain.receptive_field == 7
    s = Sketch((8, 4, 4))
    assert not infer(s.genome(s.chain(s.input, tokens=Tokens(), mean=MeanTokens()))).global_context


def test_three_blocks_on_the_way_to_convnext() -> None:
    """Figure 3 of the paper, at its widths 96 and 384: the 1x1 cost 8 C² in all, the 3x3 9 or 36 C."""
    side, c = 56, 96
    area = side * side
    assert costs((4 * c, side, side), resnext_block).macs == area * (8 * c * c + 9 * c)
    assert costs((c, side, side), inverted_bottleneck).macs == area * (8 * c * c + 9 * 4 * c)
    assert costs((c, side, side), depthwise_first).macs == area * (8 * c * c + 9 * c)
    assert costs((c, side, side), depthwise_first, kernel=7).macs == area * (8 * c * c + 49 * c)
    assert costs((c, side, side), convnext_block).macs == area * (8 * c * c + 49 * c)


def test_three_blocks_keep_their_shape_and_build() -> None:
    for block in (resnext_block, inverted_bottleneck, depthwise_first):
        module = built((16, 4, 4), block)
        assert module(images(16, 4, 4)).shape == (2, 16, 4, 4)


def test_shifts_that_do_nothing_are_the_same_network() -> None:
    def key(extent: int, shift: int) -> str:
        s = Sketch((8, extent, extent))
        return s.genome(swin_block(s, s.input, "b", head_width=4, window=4, shift=shift)).key

    assert key(4, 2) == key(4, 0)
    assert key(8, 2) != key(8, 0)


@pytest.mark.parametrize(
    ("op", "inputs", "reason"),
    [
        (Attention(4), ((6, 20),), "queries, keys and values"),
        (Attention(5), ((6, 24),), "heads of 5"),
        (Attention(4), ((24, 2, 3),), "needs tokens"),
        (LayerNorm(), ((8, 2, 2),), "channels last"),
        (LayerNorm2d(), ((4, 8),), "feature map"),
        (ToMap(), ((6, 8), (3, 2, 2)), "6 tokens"),
        (Take(6), ((6, 8),), "no token 6"),
        (Windows(4, 4), ((3, 8, 8),), "shift of 4"),
        (Windows(0), ((3, 8, 8),), "window of 0"),
        (WindowAttention(4, 4), ((2, 2, 9, 24),), "needs windows"),
        (Unwindow(4), ((2, 2, 16, 8), (8, 12, 8)), "do not cover"),
        (SpatialGate(), ((6, 5),), "halves"),
    ],
)
def test_illegal_inputs_are_refused_in_words(op: Op, inputs: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        facts(op, inputs)


def test_windows_come_back_where_they_were() -> None:
    s = Sketch((3, 7, 10))
    y = s.add("windows", Windows(4, 2), s.input)
    assert y.shape == (2, 3, 16, 3)
    x = images(3, 7, 10)
    close(build(s.genome(s.add("unwindow", Unwindow(4, 2), y, s.input)))(x), x)


def test_space_to_depth_is_followed_by_the_receptive_field() -> None:
    s = Sketch((3, 8, 8))
    layer = infer(s.genome(s.chain(s.input, one=SpaceToDepth(), two=SpaceToDepth()))).layers[-1]
    assert (layer.receptive_field, layer.jump, layer.shape) == ((4, 4), (4, 4), (48, 2, 2))


def test_a_block_called_like_a_helper_class_gets_another_name() -> None:
    s = Sketch((12, 2, 2))
    x = s.add("tokens", Tokens(), s.input)
    with s.block("inner", "Attention"):
        x = s.chain(x, qkv=Linear(36), core=Attention(4))
    genome = s.genome(x)
    assert "class Attention2(nn.Module)" in emit(genome)
    assert build(genome)(images(12, 2, 2)).shape == (2, 4, 12)


def test_methods_follow_sums_in_parentheses() -> None:
    s = Sketch((4, 2, 2))
    y = s.add("same", Identity(), s.input)
    x = s.chain(s.add("sum", Add(), s.input, y), tokens=Tokens(), turn=Transpose())
    assert "(x + self.same(x)).flatten(2)" in emit(s.genome(x))


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("vit_base_patch16_224", 86.6),
        # The paper's table 1 says 307 for L: nearer to L/32 than to L/16, which has 304.3.
        ("vit_large_patch16_224", 304.3),
        ("vit_large_patch32_224", 306.5),
        ("vit_huge_patch14_224", 632.0),
        ("vit_b_32", 88.2),
        ("convnext_small", 50.2),
        ("convnext_base", 88.6),
        ("swin_b", 87.8),
    ],
)
def test_parameters_of_published_networks(name: str, millions: float) -> None:
    assert round(infer(find(name).draw(Fixed())).params / 1e6, 1) == millions


@pytest.mark.parametrize("name", ["swin_t", "vit_tiny_patch16_224", "mixer_s32_224", "convnextv2_atto"])
def test_networks_train_on_small_images(name: str) -> None:
    """Sides that windows and patch merging do not divide included."""
    module = build(find(name).bind(input=(3, 40, 56), classes=10).draw(Fixed()))
    y = module(images(3, 40, 56))
    assert y.shape == (2, 10)
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_round_trip() -> None:
    s = Sketch((12, 8, 8))
    genome = s.genome(
        s.chain(swin_block(s, s.input, "b", head_width=4, window=4, shift=2), pool=GlobalPool())
    )
    assert Genome.loads(genome.dumps()).key == genome.key
