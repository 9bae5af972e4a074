"""Shapes, costs, depth and receptive field on networks small enough to count by hand."""

import pytest
from torch import nn

from cells.genome import Genome
from cells.infer import infer, residual_norms
from cells.ops import (
    RELU,
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Depthwise,
    Flatten,
    GlobalPool,
    Invalid,
    Linear,
    MaxPool,
    Op,
)
from cells.residual import bottleneck
from cells.sketch import Sketch, Value
from nas.build import build
from search_spaces import Fixed, find


def straight(*ops: Op, input: tuple[int, int, int] = (3, 32, 32)) -> Genome:
    s = Sketch(input)
    return s.genome(s.chain(s.input, **{f"op{i}": op for i, op in enumerate(ops)}))


def test_counts_of_a_chain() -> None:
    costs = infer(straight(Conv(6, 5, padding=0, bias=True), Activation("tanh"), Flatten(), Linear(10)))
    assert costs.output == (10,)
    assert costs.params == (6 * 75 + 6) + (6 * 28 * 28 * 10 + 10)
    assert costs.macs == 28 * 28 * 6 * 75 + 6 * 28 * 28 * 10
    assert costs.flops == 2 * costs.macs
    assert costs.activations == 6 * 28 * 28
    assert costs.depth == 2


@pytest.mark.parametrize(
    ("ops", "field"),
    [
        ([Conv(8, 3)] * 3, 7),
        ([Conv(8, 7, stride=2), MaxPool(3, 2, 1)], 11),
        ([Conv(8, 3, dilation=2)], 5),
        ([Conv(8, (1, 7)), Conv(8, (5, 1))], 7),
        ([Conv(8, 3, stride=2), Conv(8, 3, stride=2), Conv(8, 3)], 15),
    ],
)
def test_receptive_field(ops: list[Op], field: int) -> None:
    assert infer(straight(*ops)).receptive_field == field
    head = [GlobalPool(), Flatten(), Linear(10)]
    assert infer(straight(*ops, *head)).receptive_field == field


def block(se: float, *, stride: int = 1, w: int = 16) -> Genome:
    s = Sketch((3, 32, 32), "Net")
    x = s.chain(s.input, stem=Conv(16, 3), norm=BatchNorm())
    x = bottleneck(s, x, "blocks.0", w, w_b=8, g=8, stride=stride, se=se)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)))


def test_gates_give_context_but_no_depth_and_no_field() -> None:
    plain, gated = infer(block(0)), infer(block(0.25))
    assert plain.depth == gated.depth == 5
    assert plain.receptive_field == gated.receptive_field == 5
    assert (plain.global_context, gated.global_context) == (False, True)
    assert gated.activations - plain.activations == 4 + 8  # the gate's two 1x1 convolutions


def test_dead_nodes_cost_nothing() -> None:
    s = Sketch((3, 8, 8))
    s.add("unused", Conv(512, 3), s.input)
    genome = s.genome(s.add("conv", Conv(4, 3), s.input))
    assert infer(genome).params == 4 * 27
    assert sum(p.numel() for p in build(genome).parameters()) == 4 * 27


def test_auxiliary_heads_are_counted_when_asked_for() -> None:
    s = Sketch((3, 8, 8))
    x = s.add("conv", Conv(4, 3), s.input)
    aux = s.chain(x, aux_pool=GlobalPool(), aux_flatten=Flatten(), aux_fc=Linear(10))
    genome = s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)), (aux,))
    assert infer(genome, aux=True).params - infer(genome).params == 50
    assert genome.key == Genome(genome.input, genome.nodes, genome.kinds).key


def test_the_error_names_the_node() -> None:
    genome = straight(Conv(8, 3))
    nodes = (*genome.nodes, genome.nodes[-1]._replace(op=Linear(3), inputs=(1,), path="head.fc"))
    with pytest.raises(Invalid, match=r"head\.fc: linear needs a vector"):
        infer(Genome(genome.input, nodes))


@pytest.mark.parametrize(("stride", "w"), [(1, 16), (2, 16), (1, 24)])
def test_residual_norms_end_the_branch_not_the_shortcut(stride: int, w: int) -> None:
    assert residual_norms(block(0, stride=stride, w=w)) == ["blocks.0.bn3"]


def test_a_gate_behind_the_norm_is_looked_through() -> None:
    genome = find("seresnet50").draw(Fixed())
    assert residual_norms(genome) == [
        f"stages.{i}.{j}.bn3" for i, d in enumerate((3, 4, 6, 3)) for j in range(d)
    ]


def test_two_equal_branches_are_no_residual() -> None:
    def branch(s: Sketch, x: Value, name: str) -> Value:
        with s.block(name, "Branch"):
            return s.chain(x, dw=Depthwise(3), pw=Conv(8, 1), norm=BatchNorm())

    s = Sketch((8, 8, 8))
    total = s.add("add", Add(), branch(s, s.input, "a"), branch(s, s.input, "b"))
    assert residual_norms(s.genome(s.add("out", RELU, total))) == []


def test_depth_is_the_longest_path() -> None:
    s = Sketch((3, 8, 8))
    long = s.chain(s.input, a=Conv(4, 1), b=Conv(4, 1), c=Conv(4, 1))
    short = s.add("d", Conv(4, 1), s.input)
    assert infer(s.genome(s.add("join", Concat(), short, long))).depth == 3


def test_built_module_has_the_inferred_parameters() -> None:
    genome = block(0.25, stride=2)
    module: nn.Module = build(genome)
    assert sum(p.numel() for p in module.parameters()) == infer(genome).params
