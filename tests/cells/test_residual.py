"""Emitted residual and dense blocks compute what hand-written ones do, weight for weight."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.dense import dense_layer, transition
from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer, residual_norms
from cells.ops import AvgPool, Conv, Invalid, MaxPool, Op, PadChannels
from cells.residual import basic, bottleneck, plain, preact_basic, preact_bottleneck
from cells.sketch import Sketch, Value
from nas.build import build


def conv(i: int, o: int, k: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False)


class Gate(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(channels, width), nn.Linear(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


class PostActivation(nn.Module):
    """Convolutions with norms, ReLU between them and after the sum; gates by their place."""

    def __init__(self, *convs: nn.Conv2d, shortcut: nn.Module | None = None, **gates: nn.Module) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convs)
        self.bns = nn.ModuleList(nn.BatchNorm2d(c.out_channels) for c in convs)
        self.shortcut = shortcut
        self.gates = nn.ModuleDict(gates)

    def forward(self, x: Tensor) -> Tensor:
        y, last = x, len(self.convs) - 1
        for i, (layer, bn) in enumerate(zip(self.convs, self.bns, strict=True)):
            if i == last and "inside" in self.gates:
                y = self.gates["inside"](y)
            y = bn(layer(y))
            if i < last:
                y = y.clamp(min=0)
        if "behind" in self.gates:
            y = self.gates["behind"](y)
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class PreActivation(nn.Module):
    """Norm, ReLU, convolution; the shortcut starts where `split` says: before or after the first ReLU."""

    def __init__(self, *convs: nn.Conv2d, shortcut: nn.Module | None = None, split: str = "before") -> None:
        super().__init__()
        self.convs = nn.ModuleList(convs)
        self.bns = nn.ModuleList(nn.BatchNorm2d(c.in_channels) for c in convs)
        self.shortcut = shortcut or nn.Identity()
        self.split = split

    def forward(self, x: Tensor) -> Tensor:
        activated = torch.relu(self.bns[0](x))
        y: Tensor = self.convs[0](activated)
        for layer, bn in list(zip(self.convs, self.bns, strict=True))[1:]:
            y = layer(torch.relu(bn(y)))
        past: Tensor = self.shortcut(activated if self.split == "after" else x)
        return y + past


class Dense(nn.Module):
    def __init__(self, *convs: nn.Conv2d) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convs)
        self.bns = nn.ModuleList(nn.BatchNorm2d(c.in_channels) for c in convs)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer, bn in zip(self.convs, self.bns, strict=True):
            y = layer(torch.relu(bn(y)))
        return torch.cat((x, y), dim=1)


class Halving(nn.Module):
    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.convs, self.bns = nn.ModuleList([conv(i, o, 1)]), nn.ModuleList([nn.BatchNorm2d(i)])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convs[0](torch.relu(self.bns[0](x)))
        return (y[..., ::2, ::2] + y[..., 1::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, 1::2]) / 4


class ZeroPadded(nn.Module):
    def __init__(self, more: int) -> None:
        super().__init__()
        self.more = more

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, ::2, ::2]
        return torch.cat((x, x.new_zeros(x.shape[0], self.more, *x.shape[2:])), dim=1)


def projection(i: int, o: int, stride: int, k: int = 1) -> nn.Module:
    return nn.Sequential(conv(i, o, k, stride), nn.BatchNorm2d(o))


def renamed(name: str) -> str:
    """A tensor of a reference block, by the name it has in the emitted one."""
    name = re.sub(r"^convs\.(\d)", lambda m: f"conv{int(m[1]) + 1}", name)
    name = re.sub(r"^bns\.(\d)", lambda m: f"bn{int(m[1]) + 1}", name)
    name = re.sub(r"^shortcut\.0", "proj", name)
    name = re.sub(r"^shortcut\.1", "proj_bn", name)
    name = re.sub(r"^shortcut\.weight", "proj.weight", name)
    name = re.sub(r"^gates\.\w+\.down", "se.reduce", name)
    return re.sub(r"^gates\.\w+\.up", "se.expand", name)


Draw = Callable[[Sketch, Value, str], Value]


def drawn(draw: Draw, channels: int, side: int) -> Genome:
    s = Sketch((channels, side, side))
    return s.genome(draw(s, s.input, "block"))


def compare(draw: Draw, reference: nn.Module, channels: int, *, bare: bool = False) -> None:
    """Pours the reference's weights into the emitted block; `bare`: its only parts have no number."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in reference.state_dict().items():
            if "num_batches" not in name:
                tensor.uniform_(0.2, 1) if "var" in name else tensor.uniform_(-0.6, 0.6)
    module = build(drawn(draw, channels, 10)).eval()
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    state = {f"block.{renamed(name)}": tensor for name, tensor in reference.state_dict().items()}
    if bare:
        state = {re.sub(r"(conv|bn)1", r"\1", name): tensor for name, tensor in state.items()}
    module.load_state_dict({name: tensor.reshape(shapes[name]) for name, tensor in state.items()})
    x = torch.randn(2, channels, 10, 10)
    with torch.no_grad():
        difference = (module(x) - reference.eval()(x)).abs().max()
    assert difference < 1e-5


Case = tuple[Draw, Callable[[], nn.Module]]

BASIC: dict[str, Case] = {
    "identity": (
        partial(basic, w=8),
        lambda: PostActivation(conv(8, 8, 3), conv(8, 8, 3), shortcut=nn.Identity()),
    ),
    "projection": (
        partial(basic, w=12, stride=2),
        lambda: PostActivation(conv(8, 12, 3, 2), conv(12, 12, 3), shortcut=projection(8, 12, 2)),
    ),
    "zero padding": (
        partial(basic, w=16, stride=2, option="A"),
        lambda: PostActivation(conv(8, 16, 3, 2), conv(16, 16, 3), shortcut=ZeroPadded(8)),
    ),
    "squeeze-excite": (
        partial(basic, w=8, r=4),
        lambda: PostActivation(conv(8, 8, 3), conv(8, 8, 3), shortcut=nn.Identity(), behind=Gate(8, 2)),
    ),
    "plain": (partial(plain, w=12, stride=2), lambda: PostActivation(conv(8, 12, 3, 2), conv(12, 12, 3))),
}

BOTTLENECK: dict[str, Case] = {
    "identity": (
        partial(bottleneck, w=8, w_b=4),
        lambda: PostActivation(conv(8, 4, 1), conv(4, 4, 3), conv(4, 8, 1), shortcut=nn.Identity()),
    ),
    "stride on the 3x3": (
        partial(bottleneck, w=16, w_b=4, stride=2),
        lambda: PostActivation(
            conv(8, 4, 1), conv(4, 4, 3, 2), conv(4, 16, 1), shortcut=projection(8, 16, 2)
        ),
    ),
    "stride on the 1x1": (
        partial(bottleneck, w=16, w_b=4, stride=2, v1=True),
        lambda: PostActivation(
            conv(8, 4, 1, 2), conv(4, 4, 3), conv(4, 16, 1), shortcut=projection(8, 16, 2)
        ),
    ),
    "ResNeXt 4x2d": (
        partial(bottleneck, w=8, w_b=8, g=2),
        lambda: PostActivation(conv(8, 8, 1), conv(8, 8, 3, 1, 4), conv(8, 8, 1), shortcut=nn.Identity()),
    ),
    "SE-ResNet": (
        partial(bottleneck, w=8, w_b=4, r=4),
        lambda: PostActivation(
            conv(8, 4, 1), conv(4, 4, 3), conv(4, 8, 1), shortcut=nn.Identity(), behind=Gate(8, 2)
        ),
    ),
    "RegNetY": (
        partial(bottleneck, w=16, w_b=12, g=4, stride=2, se=0.25),
        lambda: PostActivation(
            conv(8, 12, 1),
            conv(12, 12, 3, 2, 3),
            conv(12, 16, 1),
            shortcut=projection(8, 16, 2),
            inside=Gate(12, 2),
        ),
    ),
    "SENet-154": (
        partial(bottleneck, w=16, w_b=16, w_1=8, g=2, k=3, stride=2, r=4),
        lambda: PostActivation(
            conv(8, 8, 1),
            conv(8, 16, 3, 2, 4),
            conv(16, 16, 1),
            shortcut=projection(8, 16, 2, 3),
            behind=Gate(16, 4),
        ),
    ),
}

PREACT: dict[str, Case] = {
    "identity": (partial(preact_basic, w=8), lambda: PreActivation(conv(8, 8, 3), conv(8, 8, 3))),
    "first": (
        partial(preact_basic, w=8, first=True),
        lambda: PreActivation(conv(8, 8, 3), conv(8, 8, 3), split="after"),
    ),
    "projection": (
        partial(preact_basic, w=12, stride=2),
        lambda: PreActivation(conv(8, 12, 3, 2), conv(12, 12, 3), shortcut=conv(8, 12, 1, 2), split="after"),
    ),
    "bottleneck": (
        partial(preact_bottleneck, w=8, w_b=4),
        lambda: PreActivation(conv(8, 4, 1), conv(4, 4, 3), conv(4, 8, 1)),
    ),
    "bottleneck, stride on the 3x3": (
        partial(preact_bottleneck, w=16, w_b=4, stride=2),
        lambda: PreActivation(
            conv(8, 4, 1), conv(4, 4, 3, 2), conv(4, 16, 1), shortcut=conv(8, 16, 1, 2), split="after"
        ),
    ),
    "bottleneck, stride on the 1x1": (
        partial(preact_bottleneck, w=16, w_b=4, stride=2, v1=True),
        lambda: PreActivation(
            conv(8, 4, 1, 2), conv(4, 4, 3), conv(4, 16, 1), shortcut=conv(8, 16, 1, 2), split="after"
        ),
    ),
}

DENSE: dict[str, tuple[Draw, Callable[[], nn.Module], bool]] = {
    "bottleneck layer": (partial(dense_layer, k=3), lambda: Dense(conv(8, 12, 1), conv(12, 3, 3)), False),
    "layer": (partial(dense_layer, k=3, b=False), lambda: Dense(conv(8, 3, 3)), True),
    "transition": (partial(transition, theta=0.5), lambda: Halving(8, 4), True),
}


@pytest.mark.parametrize("which", BASIC)
def test_basic_blocks_equal_a_hand_written_one(which: str) -> None:
    draw, reference = BASIC[which]
    compare(draw, reference(), 8)


@pytest.mark.parametrize("which", BOTTLENECK)
def test_bottlenecks_equal_a_hand_written_one(which: str) -> None:
    draw, reference = BOTTLENECK[which]
    compare(draw, reference(), 8)


@pytest.mark.parametrize("which", PREACT)
def test_pre_activation_blocks_equal_a_hand_written_one(which: str) -> None:
    draw, reference = PREACT[which]
    compare(draw, reference(), 8)


@pytest.mark.parametrize("which", DENSE)
def test_dense_blocks_equal_a_hand_written_one(which: str) -> None:
    draw, reference, bare = DENSE[which]
    compare(draw, reference(), 8, bare=bare)


def test_a_wrong_stride_would_be_noticed() -> None:
    _, reference = BOTTLENECK["stride on the 1x1"]
    with pytest.raises(AssertionError):
        compare(BOTTLENECK["stride on the 3x3"][0], reference(), 8)


def test_option_a_costs_no_parameters() -> None:
    without = infer(drawn(partial(plain, w=16, stride=2), 8, 8))
    padded = infer(drawn(partial(basic, w=16, stride=2, option="A"), 8, 8))
    assert (padded.params, padded.macs) == (without.params, without.macs)


def test_the_padded_shortcut_is_a_shortcut() -> None:
    """Its block's last norm is one that starts at zero."""
    assert residual_norms(drawn(partial(basic, w=16, stride=2, option="A"), 8, 8)) == ["block.bn2"]


def test_channels_are_never_cut_off() -> None:
    with pytest.raises(Invalid, match="8 channels cannot be padded to 4"):
        PadChannels(4).shape((8, 2, 2))


@pytest.mark.parametrize("side", range(4, 14))
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", [0, 1])
def test_pools_round_up_as_torch_does(side: int, stride: int, padding: int) -> None:
    x = torch.randn(1, 2, side, side)
    ours = MaxPool(3, stride=stride, padding=padding, ceil=True).shape((2, side, side))
    theirs = functional.max_pool2d(x, 3, stride, padding, ceil_mode=True)
    assert ours == tuple(theirs.shape[1:])
    assert AvgPool(3, stride=stride, padding=padding, ceil=True).shape((2, side, side)) == ours


def test_calls_whose_numbers_go_up_evenly_become_a_loop() -> None:
    s = Sketch((3, 8, 8), "Small")
    x = s.input
    for j in range(4):
        x = dense_layer(s, x, f"layers.{j}", 2)
    source = emit(s.genome(x))
    assert "nn.Sequential(*[DenseLayer(3 + 2 * i) for i in range(4)])" in source


@pytest.mark.parametrize("widths", [(4, 8, 13), (4, 8), (4, 4, 8)])
def test_other_calls_do_not(widths: tuple[int, ...]) -> None:
    s = Sketch((4, 8, 8), "Small")
    x = s.input
    for j, width in enumerate(widths):
        op: Op = Conv(width, 1)
        x = s.add(f"layers.{j}", op, x)
    assert "for i in" not in emit(s.genome(x))
