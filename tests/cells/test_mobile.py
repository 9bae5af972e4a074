"""Mobile blocks against hand-written torch blocks with the same weights, and facts of their networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import search_spaces as spaces
from cells import mobile, shuffle
from cells.infer import infer
from cells.mobile import HARDSIGMOID, HARDSWISH, SILU
from cells.ops import RELU, SIGMOID, AvgPool, BatchNorm, ChannelShuffle, Chunk, Concat, Conv, Invalid, MaxPool
from cells.ops.base import Op
from cells.sketch import Sketch, Value
from nas.build import build

F = nn.functional
Block = Callable[[Sketch, Value, str], Value]


def drawn(block: Block, channels: int, size: int = 9) -> nn.Module:
    """The emitted network of one block, in eval mode, its batch norms no longer trivial."""
    s = Sketch((channels, size, size))
    net = build(s.genome(block(s, s.input, "block")))
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return net.eval()


def conv(w: dict[str, Tensor], x: Tensor, name: str, **options: int) -> Tensor:
    """A convolution that centres its kernel, by name of its weights."""
    weight = w[f"{name}.weight"]
    return F.conv2d(x, weight, w.get(f"{name}.bias"), padding=weight.shape[-1] // 2, **options)


def depthwise(w: dict[str, Tensor], x: Tensor, name: str, stride: int = 1) -> Tensor:
    return conv(w, x, name, stride=stride, groups=x.shape[1])


def norm(w: dict[str, Tensor], x: Tensor, name: str) -> Tensor:
    mean, var = w[f"{name}.running_mean"], w[f"{name}.running_var"]
    return F.batch_norm(x, mean, var, w[f"{name}.weight"], w[f"{name}.bias"])


def squeezed(
    w: dict[str, Tensor], x: Tensor, act: Callable[..., Tensor], gate: Callable[..., Tensor]
) -> Tensor:
    y = act(conv(w, x.mean((2, 3), keepdim=True), "block.se.reduce"))
    return x * gate(conv(w, y, "block.se.expand"))


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Channel i of group g comes to position i * groups + g."""
    per = x.shape[1] // groups
    return x[:, [g * per + i for i in range(per) for g in range(groups)]]


def same(block: Block, channels: int, reference: Callable[[dict[str, Tensor], Tensor], Tensor]) -> None:
    net = drawn(block, channels)
    x = torch.randn(2, channels, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(net(x), reference(dict(net.state_dict()), x), atol=1e-5, rtol=1e-5)


def test_fire() -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        x = F.relu(conv(w, x, "block.squeeze"))
        return F.relu(torch.cat([conv(w, x, "block.expand1x1"), conv(w, x, "block.expand3x3")], 1))

    same(partial(mobile.fire, s1x1=4, e1x1=6, e3x3=10), 8, reference)


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_separable(stride: int) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        x = F.relu(norm(w, depthwise(w, x, "block.depthwise", stride), "block.bn1"))
        return F.relu(norm(w, conv(w, x, "block.pointwise"), "block.bn2"))

    same(partial(mobile.depthwise_separable, w=12, stride=stride), 8, reference)


@pytest.mark.parametrize(
    ("widths", "stride", "relu_first"), [((8, 8, 8), 1, True), ((12, 16), 2, True), ((12, 12), 2, False)]
)
def test_xception_module(widths: Sequence[int], stride: int, relu_first: bool) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = x
        for i in range(1, len(widths) + 1):
            y = F.relu(y) if relu_first or i > 1 else y
            y = conv(w, depthwise(w, y, f"block.conv{i}.depthwise"), f"block.conv{i}.pointwise")
            y = norm(w, y, f"block.conv{i}.bn")
        if stride == 1:
            return x + y
        return F.max_pool2d(y, 3, 2, 1) + norm(w, conv(w, x, "block.proj", stride=2), "block.proj_bn")

    same(partial(mobile.xception_module, widths=widths, stride=stride, relu_first=relu_first), 8, reference)


@pytest.mark.parametrize(("widths", "stride"), [((8, 8, 8), 1), ((12, 12, 16), 2)])
def test_aligned_module(widths: Sequence[int], stride: int) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = x
        for i in range(1, 4):
            here = f"block.conv{i}"
            y = depthwise(w, F.relu(y), f"{here}.depthwise", stride if i == 3 else 1)
            y = norm(w, conv(w, norm(w, y, f"{here}.bn1"), f"{here}.pointwise"), f"{here}.bn2")
        if stride == 1:
            return x + y
        return y + norm(w, conv(w, x, "block.proj", stride=2), "block.proj_bn")

    same(partial(mobile.aligned_module, widths=widths, stride=stride), 8, reference)


@pytest.mark.parametrize(
    ("c", "stride", "kernels", "groups", "se"),
    [(8, 1, (3, 5, 7), 2, 4), (16, 2, (3, 5), 1, 0), (8, 1, (3,), 2, 0)],
)
def test_mix_residual(c: int, stride: int, kernels: tuple[int, ...], groups: int, se: int) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = F.silu(norm(w, conv(w, x, "block.expand", groups=groups), "block.expand_bn"))
        if len(kernels) == 1:
            y = depthwise(w, y, "block.depthwise", stride)
        else:
            parts = zip(kernels, y.tensor_split(len(kernels), 1), strict=True)
            y = torch.cat(
                [depthwise(w, part, f"block.depthwise.conv{k}x{k}", stride) for k, part in parts], 1
            )
        y = F.silu(norm(w, y, "block.depthwise_bn"))
        y = squeezed(w, y, F.silu, torch.sigmoid) if se else y
        y = norm(w, conv(w, y, "block.project", groups=groups), "block.project_bn")
        return x + y if stride == 1 else y

    block = partial(
        mobile.mix_residual,
        c=c,
        t=6,
        kernels=kernels,
        stride=stride,
        g_expand=groups,
        g_project=groups,
        act=SILU,
        se=se,
    )
    same(block, 8, reference)


@pytest.mark.parametrize(
    ("start", "mid", "stride"), [(0, 0, 1), (5, 0, 1), (5, 0, 2), (0, 3, 1), (0, 3, 2), (3, 5, 1), (3, 5, 2)]
)
def test_universal_inverted_bottleneck(start: int, mid: int, stride: int) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = x
        if start:
            y = norm(w, depthwise(w, y, "block.start", 1 if mid else stride), "block.start_bn")
        y = F.relu(norm(w, conv(w, y, "block.expand"), "block.expand_bn"))
        if mid:
            y = F.relu(norm(w, depthwise(w, y, "block.mid", stride), "block.mid_bn"))
        y = norm(w, conv(w, y, "block.project"), "block.project_bn")
        return x + y if stride == 1 else y

    block = partial(mobile.universal_inverted_bottleneck, c=8, t=4, start=start, mid=mid, stride=stride)
    same(block, 8, reference)


@pytest.mark.parametrize(
    ("c", "t", "k", "stride", "se"),
    [(8, 6, 3, 1, 0), (8, 3, 5, 1, 4), (16, 6, 5, 2, 2), (8, 1, 3, 1, 2), (16, 1, 3, 1, 0)],
)
def test_inverted_residual(c: int, t: int, k: int, stride: int, se: int) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = x
        if t > 1:
            y = F.hardswish(norm(w, conv(w, y, "block.expand"), "block.expand_bn"))
            assert y.shape[1] == 8 * t
        y = F.hardswish(norm(w, depthwise(w, y, "block.depthwise", stride), "block.depthwise_bn"))
        y = squeezed(w, y, F.relu, F.hardsigmoid) if se else y
        y = norm(w, conv(w, y, "block.project"), "block.project_bn")
        return x + y if stride == 1 and c == 8 else y

    block = partial(
        mobile.inverted_residual, c=c, t=t, k=k, stride=stride, act=HARDSWISH, se=se, gate=(RELU, HARDSIGMOID)
    )
    same(block, 8, reference)


def test_efficientnets_gate_is_silu_then_sigmoid() -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = F.silu(norm(w, conv(w, x, "block.expand"), "block.expand_bn"))
        y = F.silu(norm(w, depthwise(w, y, "block.depthwise"), "block.depthwise_bn"))
        y = squeezed(w, y, F.silu, torch.sigmoid)
        return x + norm(w, conv(w, y, "block.project"), "block.project_bn")

    same(partial(mobile.inverted_residual, c=8, t=6, act=SILU, se=2, gate=(SILU, SIGMOID)), 8, reference)


@pytest.mark.parametrize(("c", "t", "stride"), [(8, 4, 1), (16, 4, 2), (8, 1, 1)])
def test_fused_inverted_residual(c: int, t: int, stride: int) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = F.silu(norm(w, conv(w, x, "block.conv", stride=stride), "block.conv_bn"))
        y = norm(w, conv(w, y, "block.project"), "block.project_bn") if t > 1 else y
        return x + y if stride == 1 and c == 8 else y

    same(partial(mobile.fused_inverted_residual, c=c, t=t, stride=stride, act=SILU), 8, reference)


@pytest.mark.parametrize(("c", "stride", "first"), [(24, 1, 3), (60, 2, 1)])
def test_shuffle_unit(c: int, stride: int, first: int) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = F.relu(norm(w, conv(w, x, "block.conv1", groups=first), "block.bn1"))
        y = depthwise(w, shuffled(y, 3), "block.depthwise", stride)
        y = norm(w, conv(w, norm(w, y, "block.depthwise_bn"), "block.conv2", groups=3), "block.bn2")
        return F.relu(x + y if stride == 1 else torch.cat([F.avg_pool2d(x, 3, 2, 1), y], 1))

    same(partial(shuffle.shuffle_unit, c=c, g=3, g_first=first, stride=stride), 24, reference)


def right_branch(w: dict[str, Tensor], x: Tensor, stride: int) -> Tensor:
    y = F.relu(norm(w, conv(w, x, "block.conv1"), "block.bn1"))
    y = norm(w, depthwise(w, y, "block.depthwise", stride), "block.depthwise_bn")
    return F.relu(norm(w, conv(w, y, "block.conv2"), "block.bn2"))


def test_shuffle_v2() -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1)
        return shuffled(torch.cat([left, right_branch(w, right, 1)], 1), 2)

    same(partial(shuffle.shuffle_v2, c=12), 12, reference)


@pytest.mark.parametrize("left", [10, 6])
def test_shuffle_v2_downsample(left: int) -> None:
    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = norm(w, depthwise(w, x, "block.left_depthwise", 2), "block.left_depthwise_bn")
        y = F.relu(norm(w, conv(w, y, "block.left_conv"), "block.left_bn"))
        assert y.shape[1] == left
        return shuffled(torch.cat([y, right_branch(w, x, 2)], 1), 2)

    same(partial(shuffle.shuffle_v2_downsample, c=20, left=left), 6, reference)


@pytest.mark.parametrize(("c", "stride", "se"), [(8, 1, 4), (8, 1, 0), (12, 2, 4)])
def test_ghost_bottleneck(c: int, stride: int, se: int) -> None:
    def ghost(w: dict[str, Tensor], x: Tensor, name: str, act: Callable[..., Tensor]) -> Tensor:
        y = act(norm(w, conv(w, x, f"{name}.primary"), f"{name}.primary_bn"))
        return torch.cat([y, act(norm(w, depthwise(w, y, f"{name}.cheap"), f"{name}.cheap_bn"))], 1)

    def reference(w: dict[str, Tensor], x: Tensor) -> Tensor:
        y = ghost(w, x, "block.ghost1", F.relu)
        if stride == 2:
            y = norm(w, depthwise(w, y, "block.depthwise", 2), "block.depthwise_bn")
        y = squeezed(w, y, F.relu, F.hardsigmoid) if se else y
        y = ghost(w, y, "block.ghost2", lambda z: z)
        if stride == 2:
            x = norm(w, depthwise(w, x, "block.proj_depthwise", 2), "block.proj_depthwise_bn")
            x = norm(w, conv(w, x, "block.proj"), "block.proj_bn")
        return x + y

    same(partial(mobile.ghost_bottleneck, c=c, w=20, k=5, stride=stride, se=se), 8, reference)


@pytest.mark.parametrize(
    "op", [MaxPool(3, 2, ceil=True), MaxPool(2, 3, ceil=True), AvgPool(3, 2, padding=1, ceil=True)]
)
@pytest.mark.parametrize("size", range(3, 12))
def test_ceil_counts_windows_as_torch_does(op: Op, size: int) -> None:
    s = Sketch((2, size, size))
    y = s.add("pool", op, s.input)
    assert build(s.genome(y))(torch.randn(1, 2, size, size)).shape[1:] == y.shape


def test_chunk_and_shuffle_refuse_what_does_not_divide() -> None:
    s = Sketch((6, 4, 4))
    for name, op in (
        ("a", Chunk(0, 4)),
        ("b", Chunk(2, 2)),
        ("c", ChannelShuffle(4)),
        ("d", ChannelShuffle(0)),
    ):
        with pytest.raises(Invalid, match=f"^{name}: {op.name}: "):
            s.add(name, op, s.input)


@pytest.mark.parametrize(
    ("reader", "free"), [(Conv(8, 1), True), (ChannelShuffle(2), False), (Chunk(0, 2), False)]
)
def test_the_order_of_a_concatenation_matters_to_those_who_can_tell(reader: Op, free: bool) -> None:
    def key(swapped: bool) -> str:
        s = Sketch((4, 8, 8))
        a = s.chain(s.input, a=Conv(4, 1), a_bn=BatchNorm())
        b = s.chain(s.input, b=Conv(4, 3), b_bn=BatchNorm())
        x = s.add("reader", reader, s.add("concat", Concat(), *((b, a) if swapped else (a, b))))
        return s.genome(s.add("last", Conv(4, 1), x)).key

    assert (key(False) == key(True)) is free


def test_a_depthwise_separable_convolution_costs_a_ninth_and_a_bit() -> None:
    # 9C²HW for a dense 3x3; 9CHW + C²HW for depthwise and pointwise (arXiv:1704.04861, section 3.1).
    c, hw = 64, 14 * 14
    s = Sketch((c, 14, 14))
    dense = infer(s.genome(s.add("conv", Conv(c, 3), s.input))).macs
    s = Sketch((c, 14, 14))
    separable = infer(s.genome(mobile.depthwise_separable(s, s.input, "block", c))).macs
    assert dense == 9 * c * c * hw
    assert separable == 9 * c * hw + c * c * hw
    assert separable / dense == pytest.approx(1 / c + 1 / 9)


@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        # Published by torchvision (its weights) and imgclsmob (its tests); no rows of the reference table.
        ("mobilenetv1_025", 470_072, None),
        ("fdmobilenet_w3d4", 1_833_304, None),
        ("fdmobilenet_wd2", 993_928, None),
        ("fdmobilenet_wd4", 383_160, None),
        ("mobilenet_v2", 3_504_872, 300_774_272),
        ("mobilenet_v3_large", 5_483_032, 216_589_760),
        ("mnasnet0_75", 3_170_208, None),
        ("mnasnet1_3", 6_282_256, None),
        ("shufflenet_v2_x0_5", 1_366_792, None),
        ("shufflenetv2_w3d2", 4_406_098, None),
        ("shufflenet_g1_w1", 1_531_936, None),
        ("shufflenet_g3_w1", 1_865_728, None),
        ("shufflenet_g8_w1", 2_434_768, None),
        ("shufflenet_g1_w3d4", 975_214, None),
        ("shufflenet_g3_wd4", 305_902, None),
        ("efficientnetv2_l", 118_515_272, None),
        ("proxylessnas_mobile14", 6_857_568, None),
        ("mixnet_s", 4_134_606, None),
        ("efficientnet_lite0", 4_652_008, None),
        ("efficientnet_lite4", 13_006_568, None),
    ],
)
def test_further_published_counts(name: str, params: int, macs: int | None) -> None:
    costs = infer(spaces.find(name).draw(spaces.Fixed()))
    assert costs.params == params
    assert macs in (None, costs.macs)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("mobilenetv1_100", 315),
        ("mobilenet_v2", 491),
        ("squeezenet1_0", 155),
        ("squeezenet1_1", 207),
        ("shufflenet_v2_x1_0", 527),
    ],
)
def test_receptive_fields(name: str, field: int) -> None:
    assert infer(spaces.find(name).draw(spaces.Fixed())).receptive_field == field


def test_mobilenet_v1_receptive_field_after_every_pointwise() -> None:
    genome = spaces.find("mobilenetv1_100").draw(spaces.Fixed())
    layers = {genome.nodes[layer.index].path: layer for layer in infer(genome).layers}
    seen = [layers[f"blocks.{i}.pointwise"] for i in range(13)]
    assert [s.receptive_field[0] for s in seen] == [7, 11, 19, 27, 43, 59, 91, 123, 155, 187, 219, 251, 315]
    assert [s.jump[0] for s in seen] == [2, 4, 4, 8, 8, *[16] * 6, 32, 32]


def test_squeeze_and_excitation_is_context() -> None:
    assert infer(spaces.find("efficientnet_b0").draw(spaces.Fixed())).global_context
    assert not infer(spaces.find("efficientnet_lite0").draw(spaces.Fixed())).global_context


@pytest.mark.parametrize(
    ("name", "size", "field", "ours", "other", "cause"),
    [
        ("mobilenetv1_075", 224, "macs", 325_400_448, 317e6, "tensorflow/models; the paper has 325M"),
        (
            "mobilenetv3_small_100",
            224,
            "macs",
            56_510_400,
            66e6,
            "tensorflow/models and the paper's first version",
        ),
        ("mobilenetv3_small_100", 224, "params", 2_542_856, 2.9e6, "the same"),
        (
            "shufflenet_v2_x1_5",
            224,
            "params",
            3_503_624,
            4_406_098,
            "imgclsmob scales the last convolution: w3d2",
        ),
        (
            "shufflenet_v1_x1_0_g3",
            224,
            "params",
            1_864_728,
            1_865_728,
            "imgclsmob's classifier has a bias: g3_w1",
        ),
        (
            "shufflenet_v2_x1_0_megvii",
            224,
            "params",
            2_278_760,
            2_278_604,
            "torchvision halves stage 2's first unit",
        ),
        ("efficientnet_b4", 380, "macs", 4_393_771_024, 4.2e9, "RegNet paper; pycls' own count is ours"),
        ("efficientnet_b5", 456, "macs", 10_266_384_752, 9.9e9, "RegNet paper; pycls' own count is ours"),
        (
            "efficientnet_b2",
            288,
            "macs",
            1_087_529_456,
            993_561_872,
            "torchvision runs it at 288, the paper at 260",
        ),
    ],
)
def test_where_sources_disagree(
    name: str, size: int, field: str, ours: int, other: float, cause: str
) -> None:
    costs = infer(spaces.find(name).bind(input=(3, size, size)).draw(spaces.Fixed()))
    assert getattr(costs, field) == ours != other, cause
