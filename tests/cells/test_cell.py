"""Cells: every operation and whole cells against hand-written torch, and what the papers say of the nets."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from cells.cell import Cell, Genotype, Operation, Style, all_nodes, cell, factorized_reduce
from cells.cell_ops import AMOEBANET, DARTS, ENAS, MDENAS, NASBENCH201, NASNET, SEARCHED, TORCHGPIPE
from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer
from cells.ops import AvgPool, Conv, Invalid, MaxPool, Pad
from cells.sketch import Sketch
from cells.vertex_cell import vertex_cell
from nas.build import build
from search_spaces import Fixed, find
from search_spaces.cell_networks import Aux, cells_of, cifar_stem, network
from search_spaces.classics.genotypes.darts import DARTS_V2
from search_spaces.classics.genotypes.nasnet import AMOEBANET_D, NASNET_A

torch.set_num_threads(1)

Forward = Callable[..., Tensor]


class Weights:
    """The tensors of a module, handed out in its order: convolution by convolution, norm by norm."""

    def __init__(self, module: nn.Module) -> None:
        self.parts = iter([m for m in module.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)])

    def conv(self, x: Tensor, **geometry: object) -> Tensor:
        part = next(self.parts)
        assert isinstance(part, nn.Conv2d)
        return F.conv2d(x, part.weight, **geometry)  # type: ignore[arg-type]

    def depthwise(self, x: Tensor, **geometry: object) -> Tensor:
        return self.conv(x, groups=x.shape[1], **geometry)

    def bn(self, x: Tensor) -> Tensor:
        part = next(self.parts)
        assert isinstance(part, nn.BatchNorm2d)
        return F.batch_norm(x, part.running_mean, part.running_var, part.weight, part.bias)


def same(x: Tensor, k: int, s: int, value: float = 0.0) -> Tensor:
    """TensorFlow's SAME: ceil(n / s) windows, the odd zero at the end."""
    pads: list[int] = []
    for n in (x.shape[3], x.shape[2]):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def settle(genome: Genome) -> nn.Module:
    """The network with norms that do something, in evaluation mode."""
    torch.manual_seed(0)
    module = build(genome).eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.weight, part.bias, part.running_mean):
                nn.init.normal_(tensor)
            nn.init.uniform_(part.running_var, 0.5, 2)
    return module


def drawn(operation: Operation, c: int, stride: int, side: int) -> Genome:
    s = Sketch((6, side, side))
    return s.genome(operation(s, s.input, "op", c, stride))


def sep(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    x = F.relu(x)
    x = w.depthwise(same(x, k, s), stride=s) if tf else w.depthwise(x, stride=s, padding=k // 2)
    x = w.bn(w.conv(x))
    return w.bn(w.conv(w.depthwise(F.relu(x), padding=k // 2)))


def dil(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    if tf:
        x = same(F.relu(x), 2 * k - 1, s)
        return w.bn(w.conv(w.depthwise(x, stride=s, dilation=2)))
    return w.bn(w.conv(w.depthwise(F.relu(x), stride=s, padding=k - 1, dilation=2)))


def dense(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    return w.bn(w.conv(same(F.relu(x), k, s), stride=s))


def dense_dilated(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    return w.bn(w.conv(same(F.relu(x), 2 * k - 1, s), stride=s, dilation=2))


def factored(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    if tf:
        (top, bottom), (left, right) = _pads(x.shape[2], k, s), _pads(x.shape[3], k, s)
        x = w.conv(F.pad(F.relu(x), (left, right, 0, 0)), stride=(1, s))
        return w.bn(w.conv(F.pad(x, (0, 0, top, bottom)), stride=(s, 1)))
    x = w.conv(F.relu(x), stride=(1, s), padding=(0, k // 2))
    return w.bn(w.conv(x, stride=(s, 1), padding=(k // 2, 0)))


def bottleneck(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    x = F.relu(w.bn(w.conv(F.relu(x))))
    x = w.conv(same(x, k, s), stride=s) if tf else w.conv(x, stride=s, padding=k // 2)
    return w.bn(w.conv(F.relu(w.bn(x))))


def factored_bottleneck(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    x = F.relu(w.bn(w.conv(F.relu(x))))
    if tf:
        left, right, *_ = _pads(x.shape[3], k, s)
        x = w.conv(F.pad(x, (left, right)), stride=(1, s))
        x = F.relu(w.bn(x))
        top, bottom, *_ = _pads(x.shape[2], k, s)
        x = w.conv(F.pad(x, (0, 0, top, bottom)), stride=(s, 1))
    else:
        x = F.relu(w.bn(w.conv(x, stride=(1, s), padding=(0, k // 2))))
        x = w.conv(x, stride=(s, 1), padding=(k // 2, 0))
    return w.bn(w.conv(F.relu(w.bn(x))))


def _pads(n: int, k: int, s: int) -> tuple[int, int]:
    total = max((-(-n // s) - 1) * s + k - n, 0)
    return total // 2, total - total // 2


def maximum(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    return F.max_pool2d(same(x, k, s, -torch.inf), k, s) if tf else F.max_pool2d(x, k, s, (k - 1) // 2)


def mean(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    if not tf:
        return F.avg_pool2d(x, k, s, k // 2, count_include_pad=False)
    return F.avg_pool2d(same(x, k, s), k, s) / F.avg_pool2d(same(torch.ones_like(x), k, s), k, s)


def reduce(w: Weights, x: Tensor, relu: bool = True) -> Tensor:
    x = F.relu(x) if relu else x
    even = w.conv(x, stride=2)
    odd = w.conv(F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:], stride=2)
    return w.bn(torch.cat([even, odd], 1))


def rcb(w: Weights, x: Tensor, s: int = 1) -> Tensor:
    return w.bn(w.conv(F.relu(x), stride=s))


def shrink(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    return x if s == 1 else reduce(w, x)


def shrink_linear(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    return x if s == 1 else reduce(w, x, relu=False)


def project(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    return x if s == 1 else rcb(w, x, s)


def pointwise(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    return rcb(w, x, s)


REFERENCE: dict[str, tuple[Forward, int]] = {
    **{f"separable_{k}x{k}_2": (sep, k) for k in (3, 5, 7)},
    **{f"sep_conv_{k}x{k}": (sep, k) for k in (3, 5, 7)},
    **{f"dil_conv_{k}x{k}": (dil, k) for k in (3, 5)},
    "conv_7x1_1x7": (factored, 7),
    "conv_3x1_1x3": (factored, 3),
    "1x1": (pointwise, 1),
    "3x3": (bottleneck, 3),
    "1x7_7x1": (factored_bottleneck, 7),
    "max_pool_3x3": (maximum, 3),
    "max_pool_2x2": (maximum, 2),
    "avg_pool_3x3": (mean, 3),
    "skip_connect": (shrink, 1),
    "identity": (shrink_linear, 1),
}
STYLES = {
    **{"nasnet": NASNET, "torchgpipe": TORCHGPIPE, "darts": DARTS, "mdenas": MDENAS, "enas": ENAS},
    **{"searched": SEARCHED, "amoebanet": AMOEBANET, "nasbench201": NASBENCH201},
}
TENSORFLOW = ("nasnet", "enas", "searched", "amoebanet")


def unsqueezed(w: Weights, x: Tensor, k: int, s: int, tf: bool) -> Tensor:
    return w.bn(w.conv(F.relu(x), stride=s, padding=k // 2))


SEARCHED_REFERENCE: dict[str, tuple[Forward, int]] = {
    **{f"separable_{k}x{k}": (sep, k) for k in (3, 5, 7)},
    **{f"max_pool_{k}x{k}": (maximum, k) for k in (2, 3, 5, 7)},
    "avg_pool_3x3": (mean, 3),
    "identity": (project, 1),
    "1x1": (pointwise, 1),
    "3x3": (dense, 3),
    "dilated_3x3": (dense_dilated, 3),
    "1x3_3x1": (factored, 3),
    "1x7_7x1": (factored, 7),
}
OVERRIDES: dict[str, dict[str, tuple[Forward, int]]] = {
    "searched": SEARCHED_REFERENCE,
    "amoebanet": {**SEARCHED_REFERENCE, "dilated_3x3": (dil, 3), "1x7_7x1": (factored_bottleneck, 7)},
    "nasbench201": {"nor_conv_1x1": (unsqueezed, 1), "nor_conv_3x3": (unsqueezed, 3)},
}


@pytest.mark.parametrize(
    ("style", "operation"),
    [
        (name, op)
        for name, s in STYLES.items()
        for op in s.operations
        if (name, op) != ("nasbench201", "none")
    ],
)
def test_operations_are_those_of_plain_torch(style: str, operation: str) -> None:
    tf = style in TENSORFLOW
    forward, k = {**REFERENCE, **OVERRIDES.get(style, {})}.get(operation, (project if tf else shrink, 1))
    draw = STYLES[style].operations[operation]
    for stride, side in itertools.product((1, 2), (8, 9)):
        if k == 2 and (stride == 1 or not tf):
            continue  # nobody uses it
        genome = drawn(draw, 6, stride, side)
        module = settle(genome) if len(genome.nodes) > 1 else nn.Identity()
        x = torch.randn(2, 6, side, side)
        w = Weights(module)
        expected = forward(w, x, k, stride, tf)
        if style == "mdenas" and "pool" in operation:
            expected = w.bn(expected)
        torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)
        assert next(w.parts, None) is None


@pytest.mark.parametrize(("c", "side", "relu"), [(6, 8, True), (7, 9, True), (7, 8, False)])
def test_factorized_reduction(c: int, side: int, relu: bool) -> None:
    s = Sketch((6, side, side))
    module = settle(s.genome(factorized_reduce(s, s.input, "op", c, relu=relu)))
    x = torch.randn(2, 6, side, side)
    y = module(x)
    assert y.shape == (2, c, -(-side // 2), -(-side // 2))
    torch.testing.assert_close(y, reduce(Weights(module), x, relu), rtol=1e-5, atol=1e-5)


def drawn_cell(genotype: Cell, style: Style, c: int, stride: int, side: int, older: int) -> Genome:
    """A cell on two maps of the image: 12 channels from `older` times the extent, 18 channels."""
    s = Sketch((3, older * side, older * side))
    s0 = s.add("older", Conv(12, 1), s.input)
    s1 = s.add("newer", Conv(18, 1, stride=older), s.input)
    return s.genome(cell(s, s0, s1, "cell", "TheCell", genotype, style, c=c, stride=stride))


def reference_cell(
    w: Weights, image: Tensor, genotype: Cell, *, stride: int, older: int, tf: bool, none: Forward
) -> Tensor:
    s0 = w.conv(image)
    s1 = w.conv(image, stride=older)
    states = [reduce(w, s0) if older == 2 else rcb(w, s0), rcb(w, s1)]
    for node in genotype.nodes:
        terms = []
        for op, j in node:
            forward, k = REFERENCE.get(op, (none, 1))
            terms.append(forward(w, states[j], k, stride if j < 2 else 1, tf))
        states.append(sum(terms[1:], terms[0]))
    out = [states[i] for i in genotype.concat]
    out = [x if x.shape[2] == states[-1].shape[2] else reduce(w, x, relu=False) for x in out]
    return torch.cat(out, 1)


@pytest.mark.parametrize(("stride", "side", "older"), [(1, 8, 1), (1, 7, 2), (2, 8, 1), (2, 9, 2)])
@pytest.mark.parametrize(
    ("genotype", "style"),
    [(NASNET_A, NASNET), (AMOEBANET_D, NASNET), (AMOEBANET_D, TORCHGPIPE), (DARTS_V2, DARTS)],
    ids=["nasnet", "amoebanet", "torchgpipe", "darts"],
)
def test_cells_are_those_of_plain_torch(
    genotype: Genotype, style: Style, stride: int, side: int, older: int
) -> None:
    found = genotype.normal if stride == 1 else genotype.reduce
    if style is TORCHGPIPE and side % 2:
        pytest.skip("its 2x2 pool and the rest of the cell disagree on odd extents")
    module = settle(drawn_cell(found, style, 8, stride, side, older))
    image = torch.randn(2, 3, older * side, older * side)
    w = Weights(module)
    none = project if style is NASNET else shrink
    expected = reference_cell(w, image, found, stride=stride, older=older, tf=style is NASNET, none=none)
    torch.testing.assert_close(module(image), expected, rtol=1e-5, atol=1e-5)
    assert next(w.parts, None) is None


def test_a_node_without_edges_does_not_exist() -> None:
    pruned = all_nodes((("sep_conv_3x3", 0),), (), (("skip_connect", 3), ("sep_conv_3x3", 1)))
    plain = all_nodes((("sep_conv_3x3", 0),), (("sep_conv_3x3", 1),))
    assert drawn_cell(pruned, DARTS, 8, 1, 8, 1).key == drawn_cell(plain, DARTS, 8, 1, 8, 1).key


def test_the_first_cell_of_slim_reads_its_input_as_it_is() -> None:
    genome = find("nasneta_cifar_6_768").draw(Fixed())
    paths = {node.path for node in genome.nodes}
    assert "cells.0.preprocess1.conv" in paths
    assert "cells.0.preprocess0.conv" not in paths
    assert "cells.0.concat0.conv" in paths  # 96 channels join states of 32
    assert "cells.1.preprocess0.conv" in paths


def test_the_last_map_of_n_at_p_has_p_filters() -> None:
    for name, p in (("nasnetalarge", 4032), ("nasnetamobile", 1056), ("nasneta_cifar_6_768", 768)):
        genome = find(name).draw(Fixed())
        shapes = {genome.nodes[layer.index].path: layer.shape for layer in infer(genome).layers}
        assert shapes["head.flatten"] == (p,)


def params(name: str, *, aux: bool = False) -> int:
    return infer(find(name).draw(Fixed()), aux=aux).params


def test_published_totals() -> None:
    assert (
        params("nasnetamobile") == 5_326_716 - 36_738
    )  # Keras NASNetMobile, which counts running statistics
    assert params("nasnetalarge") == 88_949_818 - 196_668  # Keras NASNetLarge
    assert params("pnasnet5large") == 86_057_668  # timm
    assert params("amoebanetd_l72_d512") == pytest.approx(1.84e9, rel=3e-3)  # torchgpipe
    assert infer(find("nasnetamobile").draw(Fixed())).macs == pytest.approx(564e6, rel=1e-3)  # paper, table 3
    assert infer(find("pnasnet5large").draw(Fixed())).macs == pytest.approx(25.0e9, rel=3e-3)


def test_auxiliary_heads_are_those_of_the_papers() -> None:
    heads = {
        "nasneta_cifar_6_768": 1_631_498,
        "nasneta_cifar_7_2304": 1_729_802,
        "darts_v1": 3_645_840 - 3_169_414,
        "darts_v1_imagenet": 5_771_208 - 4_510_432,
        "darts_nasneta_imagenet": 6_800_520 - 5_564_320,
        "darts_pnasnet5_cifar": 4_975_968 - 4_481_110,
    }
    for name, weights in heads.items():
        assert params(name, aux=True) - params(name) == weights, name


@pytest.mark.parametrize(
    ("name", "total", "macs"),
    [("a", 2.83, 373), ("b", 3.88, 536), ("d", 3.84, 532), ("e", 3.12, 414), ("g", 3.375, 453)],
)
def test_fairdarts_readme(name: str, total: float, macs: float) -> None:
    genome = find(f"fairdarts_{name}").draw(Fixed())
    assert infer(genome, aux=True).params / 1e6 == pytest.approx(total, rel=5e-3)
    assert infer(genome).macs / 1e6 == pytest.approx(macs, rel=5e-3)


def test_pc_darts_searched_on_imagenet() -> None:
    assert params("pcdarts_image_imagenet") / 1e6 == pytest.approx(5.3, abs=0.05)  # paper, table 2


def test_a_cell_moves_to_another_extent_and_width() -> None:
    small = partial(
        network, "Small", cells_of(NASNET_A, NASNET), cifar_stem, n=(1, 0, 1), f=8, classes=5, aux=Aux(-1)
    )
    genome = small(input=(1, 20, 12))
    assert infer(genome).output == (5,)
    assert len(genome.aux) == 1  # 10x6 in front of the last reduction cell
    assert not small(input=(1, 20, 8)).aux  # 10x4: 5x5 pooling does not fit
    x = torch.randn(1, 1, 20, 12)
    assert [tuple(y.shape) for y in build(genome).train()(x.repeat(2, 1, 1, 1))] == [(2, 5), (2, 5)]


def test_emitted_cells_take_the_class_they_differ_in() -> None:
    source = emit(find("darts_v2").draw(Fixed()))
    assert source.count("class NormalCell") == 1
    assert "preprocess0: type[nn.Module]" in source
    assert "NormalCell(144, 288, 72, preprocess0=FactorizedReduce)" in source
    assert "s0, s1 = s1, cell(s0, s1)" in source


@pytest.mark.parametrize(
    ("name", "index"), [("nasnetalarge", 12), ("darts_v2_imagenet", 9), ("enas_micro_cifar", 12)]
)
def test_the_auxiliary_head_reads_its_own_cell(name: str, index: int) -> None:
    """The loop over the cells goes on under the same names."""
    genome = find(name).bind(input=(3, 160, 160), classes=3).draw(Fixed())
    seen: dict[str, object] = {}
    with torch.device("meta"):
        module = build(genome).train()
        module.cells[index].register_forward_hook(lambda _, inputs, out: seen.update(cell=out))
        module.aux.register_forward_hook(lambda _, inputs, out: seen.update(aux=inputs[0]))
        y, head = module(torch.empty(2, 3, 160, 160))
    assert y.shape == head.shape == (2, 3)
    assert seen["aux"] is seen["cell"]


def test_pads_and_ceilings_say_what_torch_does() -> None:
    x = torch.randn(1, 2, 6, 7)
    for padding in ((0, 1, 0, 1), (-1, 1, -1, 1), (2, 0, 1, -3)):
        s = Sketch((2, 6, 7))
        genome = s.genome(s.add("pad", Pad(padding), s.input))
        assert infer(genome).output == tuple(build(genome)(x).shape[1:])
    for side, k, stride, kind in itertools.product(range(2, 9), (2, 3), (1, 2, 3), (MaxPool, AvgPool)):
        s = Sketch((1, side, side))
        try:
            genome = s.genome(s.add("pool", kind(k, stride, ceil=True), s.input))
        except Invalid:
            continue
        assert infer(genome).output == tuple(build(genome)(torch.randn(1, 1, side, side)).shape[1:])
    with pytest.raises(Invalid, match="leaves nothing"):
        Sketch((2, 6, 7)).add("pad", Pad((-4, -4, 0, 0)), Sketch((2, 6, 7)).input)


def test_joined_nodes_concatenate() -> None:
    """A node that is joined passes both states on; what reads it brings them back to c channels."""
    nodes = ((("1x1", 0), ("1x1", 1)), (("avg_pool_3x3", 2), ("identity", 0)))
    module = settle(drawn_cell(Cell(nodes, (2, 3), joined=(2,)), SEARCHED, 8, 1, 8, 1))
    image = torch.randn(2, 3, 8, 8)
    w = Weights(module)
    s0, s1 = w.conv(image), w.conv(image)
    s0, s1 = rcb(w, s0), rcb(w, s1)
    joined = torch.cat([rcb(w, s0), rcb(w, s1)], 1)
    last = w.bn(w.conv(mean(w, joined, 3, 1, False))) + s0
    torch.testing.assert_close(module(image), torch.cat([joined, last], 1), rtol=1e-5, atol=1e-5)
    assert next(w.parts, None) is None


def test_zeroes_are_read_only_by_what_makes_something_of_them() -> None:
    nodes = ((("none", 0),), (("nor_conv_1x1", 1), ("avg_pool_3x3", 1), ("skip_connect", 0)))

    def single(style: Style) -> Genome:
        s = Sketch((4, 8, 8))
        return s.genome(cell(s, s.input, s.input, "cell", "TheCell", Cell(nodes, (2,)), style, c=4))

    plain = single(NASBENCH201)
    assert [node.path for node in plain.nodes[1:]] == ["cell.identity"]
    module = settle(single(replace(NASBENCH201, of_nothing=frozenset({"nor_conv_1x1"}))))
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(module(x), rcb(Weights(module), torch.zeros_like(x)) + x)


def test_vertex_cells_are_those_of_plain_torch() -> None:
    """Ying et al. 2019, section 2.1, by hand: 64 channels are shared as 22, 21 and 21."""
    matrix = [
        [0, 1, 0, 1, 0, 1],
        [0, 0, 1, 0, 1, 0],
        *([0] * 5 + [1] for _ in range(3)),
        [0] * 6,
    ]
    conv1, conv3, pool = "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3"
    s = Sketch((3, 8, 8))
    labels = {1: conv3, 2: conv1, 3: pool, 4: conv3}
    out = vertex_cell(s, s.input, "cell", range(6), matrix, labels, c=64)
    module = settle(s.genome(out))
    x = torch.randn(2, 3, 8, 8)
    w = Weights(module)

    def step(y: Tensor, k: int) -> Tensor:
        return F.relu(w.bn(w.conv(y, padding=k // 2)))

    first = step(step(x, 1), 3)
    second = step(first, 1)
    third = F.max_pool2d(step(x, 1), 3, 1, 1)
    fourth = step(first[:, :21], 3)
    assert [v.shape[1] for v in (first, second, third, fourth)] == [22, 22, 21, 21]
    expected = torch.cat([second, third, fourth], 1) + step(x, 1)
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)
    assert next(w.parts, None) is None
