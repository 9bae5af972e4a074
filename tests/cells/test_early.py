"""The blocks of the early networks compute what their papers say; the lectures' figures for them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import search_spaces
from cells import inception
from cells.conv import PLAIN, Unit
from cells.genome import Genome
from cells.infer import infer
from cells.ops import (
    LRN,
    RBF,
    AdaptivePool,
    AvgPool,
    BatchNorm,
    Conv,
    GlobalPool,
    GroupNorm,
    InstanceNorm,
    Invalid,
    MaxPool,
    Op,
    Select,
    Shape,
)
from cells.sketch import Sketch, Value
from nas.build import build
from search_spaces.choose import Fixed
from search_spaces.classics.googlenet import AUX_POOL, auxiliary

NORMED = Unit(norm=BatchNorm(eps=0.001))
Draw = Callable[[Sketch, Value], Value]


def drawn(name: str, **arguments: object) -> Genome:
    return search_spaces.find(name).bind(**arguments).draw(Fixed())


def genome(input: Shape, draw: Draw) -> Genome:
    s = Sketch(input)
    return s.genome(draw(s, s.input))


def alone(op: Op, input: Shape) -> Genome:
    return genome(input, lambda s, x: s.add("op", op, x))


def same(reference: nn.Module, genome: Genome) -> None:
    """Pours the reference's weights into the emitted module, in order, and compares the outputs."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for name, tensor in reference.state_dict().items():
        if "running_mean" in name or "bias" in name:
            tensor.normal_()
        elif "running_var" in name:
            tensor.uniform_(0.5, 2)
    built = build(genome)
    theirs, ours = reference.state_dict(), built.state_dict()
    assert [v.shape for v in theirs.values()] == [v.shape for v in ours.values()]
    built.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))
    x = torch.randn(2, *genome.input)
    with torch.no_grad():
        assert torch.allclose(built.eval()(x), reference.eval()(x), atol=1e-5, rtol=1e-5)


def _all(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def biased(i: int, o: int, k: int, s: int = 1, p: int = 0) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, k, s, p), nn.ReLU())


Pair = int | tuple[int, int]


def normed(i: int, o: int, k: Pair, s: int = 1, p: Pair = 0) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, k, s, p, bias=False), nn.BatchNorm2d(o, eps=0.001), nn.ReLU())


class Sides(nn.Module):
    """Branches on one input; the outputs of all side by side."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def mean(*, pad: bool) -> nn.AvgPool2d:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=pad)


def test_inception_module() -> None:
    reference = Sides(
        biased(6, 4, 1),
        nn.Sequential(biased(6, 3, 1), biased(3, 5, 3, 1, 1)),
        nn.Sequential(biased(6, 2, 1), biased(2, 7, 5, 1, 2)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), biased(6, 8, 1)),
    )
    same(reference, genome((6, 9, 9), lambda s, x: inception.inception(s, x, "m", 4, 3, 5, 2, 7, 8)))


def test_naive_inception_module() -> None:
    reference = Sides(biased(6, 4, 1), biased(6, 5, 3, 1, 1), biased(6, 7, 5, 1, 2), nn.MaxPool2d(3, 1, 1))
    same(reference, genome((6, 9, 9), lambda s, x: inception.naive_inception(s, x, "m", 4, 5, 7)))


def test_inception_a() -> None:
    reference = Sides(
        normed(6, 4, 1),
        nn.Sequential(normed(6, 3, 1), normed(3, 5, 5, 1, 2)),
        nn.Sequential(normed(6, 2, 1), normed(2, 7, 3, 1, 1), normed(7, 7, 3, 1, 1)),
        nn.Sequential(mean(pad=False), normed(6, 8, 1)),
    )
    draw: Draw = lambda s, x: inception.inception_a(s, x, "m", 4, 3, 5, 2, 7, 8, unit=NORMED, kernel=5)  # noqa: E731
    same(reference, genome((6, 9, 9), draw))


def test_inception_b() -> None:
    row, column = ((1, 7), 1, (0, 3)), ((7, 1), 1, (3, 0))
    reference = Sides(
        normed(6, 4, 1),
        nn.Sequential(normed(6, 2, 1), normed(2, 3, *row), normed(3, 5, *column)),
        nn.Sequential(
            normed(6, 2, 1),
            normed(2, 3, *column),
            normed(3, 4, *row),
            normed(4, 5, *column),
            normed(5, 6, *row),
        ),
        nn.Sequential(mean(pad=True), normed(6, 8, 1)),
    )
    pool = AvgPool(3, 1, 1, count_include_pad=True)
    draw: Draw = lambda s, x: inception.inception_b(  # noqa: E731
        s, x, "m", 4, (2, 3, 5), (2, 3, 4, 5, 6), 8, unit=NORMED, pool=pool
    )
    same(reference, genome((6, 11, 9), draw))


def test_inception_c() -> None:
    def fork(n: int, m: int) -> Sides:
        return Sides(normed(n, m, (1, 3), 1, (0, 1)), normed(n, m, (3, 1), 1, (1, 0)))

    reference = Sides(
        normed(6, 4, 1),
        nn.Sequential(normed(6, 3, 1), fork(3, 5)),
        nn.Sequential(normed(6, 2, 1), normed(2, 7, 3, 1, 1), fork(7, 5)),
        nn.Sequential(mean(pad=False), normed(6, 8, 1)),
    )
    deep = (Conv(2), Conv(7, 3))
    same(
        reference,
        genome((6, 7, 8), lambda s, x: inception.inception_c(s, x, "m", 4, 3, 5, deep, 8, unit=NORMED)),
    )


def test_reductions() -> None:
    half = nn.MaxPool2d(3, 2)
    deep = nn.Sequential(normed(6, 2, 1), normed(2, 3, 3, 1, 1), normed(3, 4, 3, 2))
    same(
        Sides(normed(6, 5, 3, 2), deep, half),
        genome((6, 9, 11), lambda s, x: inception.reduction_a(s, x, "m", 2, 3, 4, 5, unit=NORMED)),
    )
    rows = (normed(4, 4, (1, 7), 1, (0, 3)), normed(4, 5, (7, 1), 1, (3, 0)))
    same(
        Sides(
            nn.Sequential(normed(6, 2, 1), normed(2, 3, 3, 2)),
            nn.Sequential(normed(6, 4, 1), *rows, normed(5, 5, 3, 2)),
            half,
        ),
        genome((6, 9, 11), lambda s, x: inception.reduction_b(s, x, "m", 2, 3, 4, 5, unit=NORMED)),
    )
    deep = nn.Sequential(normed(6, 2, 1), normed(2, 5, 3, 1, 1), normed(5, 6, 3, 2))
    same(
        Sides(
            nn.Sequential(normed(6, 2, 1), normed(2, 3, 3, 2)),
            nn.Sequential(normed(6, 2, 1), normed(2, 4, 3, 2)),
            deep,
            half,
        ),
        genome(
            (6, 9, 11),
            lambda s, x: inception.residual_reduction_b(s, x, "m", 2, 3, 4, (5, 6), unit=NORMED),
        ),
    )
    same(
        Sides(
            nn.Sequential(normed(6, 2, 1), normed(2, 3, 3, 2, 1)),
            nn.Sequential(normed(6, 4, 1), normed(4, 5, 3, 1, 1), normed(5, 5, 3, 2, 1)),
            nn.MaxPool2d(3, 2, ceil_mode=True),
        ),
        genome((6, 8, 8), lambda s, x: inception.bn_reduction(s, x, "m", 2, 3, 4, 5, unit=NORMED)),
    )


@pytest.mark.parametrize("last", [False, True])
def test_inception_resnet(last: bool) -> None:
    class Reference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sides = Sides(normed(6, 4, 1), nn.Sequential(normed(6, 3, 1), normed(3, 5, 3, 1, 1)))
            self.up = nn.Conv2d(9, 6, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.up(self.sides(x))
            return x + y if last else torch.relu(x + 0.17 * y)

    def draw(s: Sketch, x: Value) -> Value:
        return inception.inception_resnet(
            s,
            x,
            "m",
            "A",
            0.17,
            unit=NORMED,
            last=last,
            branch1x1=[Conv(4)],
            branch3x3=[Conv(3), Conv(5, 3)],
        )

    same(Reference(), genome((6, 7, 7), draw))


class LeNet1998(nn.Module):
    """C3 as one dense convolution under the mask of table I, row by row: the maps that read a map of S2."""

    ROWS = ("0 4 5 6 9 10 11 12 14 15", "0 1 5 6 7 10 11 12 13 15", "0 1 2 6 7 8 11 13 14 15")
    MORE = ("1 2 3 6 7 8 9 12 14 15", "2 3 4 7 8 9 10 12 13 15", "3 4 5 8 9 10 11 13 14 15")

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.s2 = nn.Conv2d(6, 6, 2, 2, groups=6)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.s4 = nn.Conv2d(16, 16, 2, 2, groups=16)
        self.c5, self.f6 = nn.Conv2d(16, 120, 5), nn.Linear(120, 84)
        self.mask = torch.zeros(16, 6, 1, 1)
        for channel, row in enumerate((*self.ROWS, *self.MORE)):
            for out in row.split():
                self.mask[int(out), channel] = 1

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        def squash(a: Tensor) -> Tensor:
            return 1.7159 * torch.tanh(a * 2 / 3)

        x = squash(self.s2(squash(self.c1(x))))
        x = squash(F.conv2d(x, self.c3.weight * self.mask, self.c3.bias))
        x = squash(self.c5(squash(self.s4(x))))
        return -torch.cdist(squash(self.f6(x.flatten(1))), codes).square()


def test_lenet_of_1998() -> None:
    torch.manual_seed(0)
    theirs, ours = LeNet1998().eval(), build(drawn("lenet5_1998")).eval()
    with torch.no_grad():
        for name in ("c1", "c5"):
            getattr(ours, name).conv.load_state_dict(getattr(theirs, name).state_dict())
        ours.f6.load_state_dict(theirs.f6.state_dict())
        for name in ("s2", "s4"):  # the sum of four times a coefficient: four equal weights, a mean times 4
            layer, scale = getattr(theirs, name), getattr(ours, name).scale
            layer.weight.copy_(layer.weight[..., :1, :1].expand_as(layer.weight))
            scale.weight.copy_(4 * layer.weight[..., :1, :1])
            scale.bias.copy_(layer.bias)
        start = 0
        for number, maps in enumerate((6, 6, 3, 1), 1):
            conv = getattr(ours.c3, f"conv{number}")
            for i in range(maps):
                read = _picked(ours, number, i)
                conv.weight[i].copy_(theirs.c3.weight[start + i, read])
            conv.bias.copy_(theirs.c3.bias[start : start + maps])
            start += maps
        x = torch.randn(2, 1, 32, 32)
        assert set(ours.output.codes.unique().tolist()) == {-1, 1}
        assert torch.allclose(ours(x), theirs(x, ours.output.codes), atol=1e-3, rtol=1e-4)


def _picked(net: nn.Module, number: int, group: int) -> list[int]:
    """The maps of S2 that a map of C3 reads, off the genome."""
    nodes = {node.path: node.op for node in drawn("lenet5_1998").nodes}
    op = nodes.get(f"c3.pick{number}")
    if op is None:
        return list(range(6))
    assert isinstance(op, Select)
    width = len(op.picked) // nodes[f"c3.conv{number}"].groups  # type: ignore[attr-defined]
    return list(op.picked[group * width : (group + 1) * width])


def test_lenet_of_1998_has_the_papers_counts() -> None:
    net = drawn("lenet5_1998")
    costs = infer(net)
    by = {net.nodes[layer.index].path.split(".")[0]: 0 for layer in costs.layers}
    connections = dict(by)
    for layer in costs.layers:
        op, _, path = net.nodes[layer.index]
        where = path.split(".")[0]
        by[where] += layer.params
        if op.weighted:
            biases = math.prod(layer.shape) if op.name != "rbf" else 0
            summed = 4 if op.name == "depthwise" else 1  # the paper counts the four that S2 and S4 add
            connections[where] += summed * layer.macs + biases
    assert [by[k] for k in ("c1", "s2", "c3", "s4", "c5", "f6")] == [156, 12, 1516, 32, 48120, 10164]
    assert (costs.params, costs.depth) == (60_000, 7)
    counts = [connections[k] for k in ("c1", "s2", "c3", "s4", "c5", "f6", "output")]
    assert counts == [122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 840]
    assert sum(counts) == 340_908


def test_auxiliary_heads() -> None:
    def head(i: int) -> nn.Sequential:
        layers = nn.Sequential(nn.Flatten(), nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, 5))
        return nn.Sequential(nn.AvgPool2d(5, 3), biased(i, 128, 1), *layers)

    net = drawn("googlenet_paper", classes=5)
    paths = {node.path: index for index, node in enumerate(net.nodes)}
    assert [net.nodes[i].path for i in net.aux] == ["aux1.fc2", "aux2.fc2"]
    assert net.nodes[paths["aux1.pool"]].inputs == (paths["inception4.0.concat"],)
    assert net.nodes[paths["aux2.pool"]].inputs == (paths["inception4.3.concat"],)
    s = Sketch((512, 14, 14))
    same(head(512), s.genome(auxiliary(s, s.input, "aux", 5, PLAIN, AUX_POOL)))


def test_auxiliary_heads_are_left_out_where_they_do_not_fit() -> None:
    for name, sides in {"googlenet_paper": (64, 96), "inception_v3": (224, 299)}.items():
        small, large = (drawn(name, input=(3, side, side)) for side in sides)
        assert not small.aux
        assert large.aux


AUX = {
    "googlenet": 13_004_888,  # torchvision 0.28.0, heads included
    "inception_v3": 27_161_264,  # torchvision 0.28.0, head included
    "googlenet_paper": 13_378_280,  # BVLC/caffe bvlc_googlenet
}


@pytest.mark.parametrize("name", AUX)
def test_parameters_with_auxiliary_heads(name: str) -> None:
    assert infer(drawn(name), aux=True).params == AUX[name]


OTHERS = {
    # name: params; millions of activations in timm's benchmark (macts), where it has them
    "inception_v4": (42_679_816, 15.09),
    "inception_resnet_v2": (55_843_464, 25.06),
    "nin_cifar10": (966_986, None),
    "vgg13": (133_047_848, 12.25),
    "vgg13_bn": (133_053_736, 12.25),
    "vgg19": (143_667_240, 14.86),
    "vgg19_bn": (143_678_248, 14.86),
}


@pytest.mark.parametrize("name", OTHERS)
def test_counts_that_the_table_lacks(name: str) -> None:
    params, macts = OTHERS[name]
    costs = infer(drawn(name))
    assert costs.params == params
    if macts is not None:
        assert costs.activations / 1e6 == pytest.approx(macts, rel=0.005)


DEPTHS = {"lenet5": 5, "alexnet": 8, "alexnet_two_tower": 8, "zfnet": 8, "vgg11": 11, "vgg13": 13}
DEPTHS |= {"vgg16": 16, "vgg_c": 16, "vgg19": 19, "googlenet": 22, "googlenet_paper": 22}
FIELDS = {"alexnet": 195, "alexnet_two_tower": 195, "vgg16": 212, "googlenet": 379, "inception_v3": 1311}
FIELDS |= {"inception_v4": 2071, "inception_resnet_v2": 3039}


def test_depths_and_receptive_fields() -> None:
    assert {name: infer(drawn(name)).depth for name in DEPTHS} == DEPTHS
    assert {name: infer(drawn(name)).receptive_field for name in FIELDS} == FIELDS


def test_receptive_fields_by_layer() -> None:
    """receptive_fields.csv: (field, jump) of Inception v4's modules and of AlexNet's layers."""

    def sights(name: str) -> dict[str, tuple[int, int]]:
        net = drawn(name)
        layers = infer(net).layers
        return {net.nodes[a.index].path: (a.receptive_field[0], a.jump[0]) for a in layers}

    found = sights("inception_v4")
    assert found["mixed4.concat"] == (47, 4)
    assert [found[f"inception_a.{j}.concat"][0] for j in range(4)] == [87, 119, 151, 183]
    assert found["reduction_a.concat"] == (215, 16)
    assert found["inception_b.6.concat"] == (1559, 16)
    assert found["reduction_b.concat"] == (1687, 32)
    found = sights("inception_v3")
    assert [found[f"mixed6.{j}.concat"][0] for j in range(5)] == [159, 351, 543, 735, 927]
    assert [found[f"mixed7.{j}.concat"] for j in range(3)] == [(1055, 32), (1183, 32), (1311, 32)]
    found = sights("alexnet_two_tower")
    steps = ["conv1.conv", "pool1", "conv2.conv", "pool2", "conv3.conv", "conv4.conv", "conv5.conv", "pool5"]
    assert [found[p][0] for p in steps] == [11, 19, 51, 67, 99, 131, 163, 195]


def test_alexnets_layers() -> None:
    net = drawn("alexnet_two_tower")
    costs = infer(net)
    steps = ["conv1.act", "pool1", "conv2.act", "pool2", "conv3.act", "conv4.act", "conv5.act", "pool5"]
    sides = {net.nodes[layer.index].path: layer.shape[1] for layer in costs.layers if len(layer.shape) == 3}
    assert [sides[p] for p in steps] == [55, 27, 27, 13, 13, 13, 13, 6]
    assert costs.activations == 650_080  # "650,000 neurons"
    first = next(layer.params for layer in costs.layers if layer.params)
    assert infer(drawn("alexnet_ungrouped")).activations == 650_080
    assert first == 34_944  # the lectures' 35K


def test_vgg16s_table() -> None:
    """The lectures total 24M values, 96 MB; the activations that they list add up to 15.2M, about 60 MB."""
    net = drawn("vgg16")
    layers = [a for a in infer(net).layers if net.nodes[a.index].op.name in ("conv", "max_pool", "linear")]
    memory = [3 * 224 * 224, *(math.prod(a.shape) for a in layers)]
    assert [round(m / 1000, 1) for m in memory[:6]] == [150.5, 3211.3, 3211.3, 802.8, 1605.6, 1605.6]
    assert sum(memory) == 15_237_608
    assert round(4 * sum(memory) / 2**20) == 58
    params = [a.params for a in layers if a.params]
    weights = [1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 589_824, 1_179_648, *[2_359_296] * 5]
    weights += [102_760_448, 16_777_216, 4_096_000]
    widths = [64, 64, 128, 128, 256, 256, 256, *[512] * 6, 4096, 4096, 1000]
    assert params == [w + b for w, b in zip(weights, widths, strict=True)]
    assert sum(params) == 138_357_544
    assert max(params) == params[13] > 0.7 * sum(params)  # most parameters in the first fully connected layer
    assert sum(memory[1:4]) > 0.4 * sum(memory)  # most memory in the early convolutions


def test_vggs_table_2() -> None:
    names = ("vgg11", "vgg_a_lrn", "vgg13", "vgg_c", "vgg16", "vgg19")
    assert [round(infer(drawn(n)).params / 1e6) for n in names] == [133, 133, 133, 134, 138, 144]


def test_inception_modules_operations() -> None:
    """Two lectures print 358M and one 353M for the second; the terms that they list add up to this."""
    naive, reduced = drawn("inception_module_naive"), drawn("inception_module")
    assert (infer(naive).output, infer(naive).macs) == ((672, 28, 28), 854_196_224)
    assert (infer(reduced).output, infer(reduced).macs) == ((480, 28, 28), 271_351_808)
    assert infer(drawn("inception_module", classes=10)).output == (10,)


def test_a_filter_fits_at_some_strides() -> None:
    """3x3 on 7x7 at strides 1, 2 and 3: (7 - 3) / 3 is no whole number, so a position is left over."""
    sides = {}
    for stride in (1, 2, 3):
        pools = (MaxPool(3, stride), MaxPool(3, stride, ceil=True))
        sides[stride] = tuple(infer(alone(pool, (1, 7, 7))).output[1] for pool in pools)
        assert infer(alone(Conv(1, 3, stride, 0), (1, 7, 7))).output[1] == sides[stride][0]
    assert sides == {1: (5, 5), 2: (3, 3), 3: (2, 3)}
    with pytest.raises(Invalid, match="does not fit"):
        alone(Conv(1, 9, padding=0), (1, 7, 7))


def test_counting_filters() -> None:
    assert infer(alone(Conv(10, 5, bias=True), (3, 32, 32))).params == 760
    c = 16
    three = genome((c, 9, 9), lambda s, x: s.chain(x, a=Conv(c, 3), b=Conv(c, 3), c=Conv(c, 3)))
    seven = alone(Conv(c, 7), (c, 9, 9))
    assert infer(three).receptive_field == infer(seven).receptive_field == 7
    assert (infer(three).params, infer(seven).params) == (3 * 9 * c * c, 49 * c * c)


def test_the_four_normalisations_are_interchangeable() -> None:
    """All keep the shape and have a scale and a shift per channel; over the same axes they agree."""
    input = (8, 5, 5)
    for op in (BatchNorm(), InstanceNorm(), GroupNorm(4), GroupNorm(1)):
        costs = infer(alone(op, input))
        assert (costs.output, costs.params) == (input, 16)
    x = 3 + 2 * torch.randn(4, *input)
    for op, axes in ((BatchNorm(), (0, 2, 3)), (InstanceNorm(), (2, 3)), (GroupNorm(1), (1, 2, 3))):
        centred = x - x.mean(axes, keepdim=True)
        wanted = centred / (centred.square().mean(axes, keepdim=True) + 1e-5).sqrt()
        assert torch.allclose(build(alone(op, input)).train()(x), wanted, atol=1e-5)
    by_channel = build(alone(GroupNorm(8), input))(x)
    assert torch.allclose(by_channel, build(alone(InstanceNorm(), input))(x), atol=1e-5)
    with pytest.raises(Invalid, match="groups"):
        alone(GroupNorm(3), input)
    with pytest.raises(Invalid, match="single position"):
        alone(InstanceNorm(), (8, 1, 1))


def test_local_response_norm() -> None:
    x, n, alpha, beta, k = torch.randn(2, 7, 3, 3), 5, 1e-4, 0.75, 2.0  # the paper's, its alpha of a sum
    wanted = torch.empty_like(x)
    for i in range(7):
        near = x[:, max(0, i - n // 2) : i + n // 2 + 1].square().sum(1)
        wanted[:, i] = x[:, i] / (k + alpha * near) ** beta
    assert torch.allclose(build(alone(LRN(n, n * alpha, beta, k), (7, 3, 3)))(x), wanted, atol=1e-6)


@pytest.mark.parametrize("side", range(2, 15))
def test_pools_that_round_up(side: int) -> None:
    for kernel, stride, padding in ((3, 2, 0), (3, 2, 1), (2, 2, 0), (2, 3, 1), (3, 3, 0)):
        for kind in (MaxPool, AvgPool):
            op = kind(kernel, stride, padding, ceil=True)
            net = alone(op, (1, side, side))
            got = build(net)(torch.randn(1, 1, side, side)).shape[1:]
            assert infer(net).output == tuple(got)
            if side >= kernel:
                plain = alone(kind(kernel, stride, padding), (1, side, side))
                assert (plain.key == net.key) == (infer(plain).output == infer(net).output)


def test_adaptive_pool_is_global_at_one_position() -> None:
    net = alone(AdaptivePool((2, 3)), (4, 7, 5))
    assert build(net)(torch.randn(1, 4, 7, 5)).shape[1:] == infer(net).output == (4, 2, 3)
    x = (4, 7, 5)
    assert alone(AdaptivePool(1), x).key == alone(GlobalPool(), x).key


def test_select_and_rbf_refuse_what_does_not_fit() -> None:
    with pytest.raises(Invalid, match="channels"):
        alone(Select((0, 4)), (4, 3, 3))
    with pytest.raises(Invalid, match="vector"):
        alone(RBF(10), (4, 3, 3))


SMALL = {
    "lenet5_1998": (1, 32, 32),
    "lenet5": (1, 28, 28),
    "alexnet_cifar10": (3, 32, 32),
    "nin_cifar10_bn": (3, 32, 32),
    "googlenet": (3, 32, 32),
    "inception_module": (16, 8, 8),
}


@pytest.mark.parametrize("name", SMALL)
def test_runs_forward_and_backward(name: str) -> None:
    net = drawn(name, input=SMALL[name], classes=7)
    assert Genome.loads(net.dumps()) == net
    module = build(net).train()
    outputs = _all(module(torch.randn(2, *SMALL[name])))
    assert len(outputs) == 1 + len(net.aux)
    assert all(output.shape == (2, 7) for output in outputs)
    sum(output.square().mean() for output in outputs).backward()
    assert all(p.grad is not None for p in module.parameters())
