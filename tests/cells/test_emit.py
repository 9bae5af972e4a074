"""The emitted source: it is what runs, its paths are the genome's, and a person can read it."""

import ast
import traceback
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.emit import emit
from cells.genome import Genome
from cells.ops import (
    RELU,
    Add,
    AvgPool,
    BatchNorm,
    Concat,
    Conv,
    Depthwise,
    Dropout,
    Flatten,
    GlobalPool,
    Invalid,
    Linear,
    Zero,
)
from cells.residual import bottleneck
from cells.sketch import Sketch, Value
from nas.build import build, module_from_source


def tail(s: Sketch, x: Value) -> Value:
    return s.chain(x, pool=GlobalPool(), flatten=Flatten(), drop=Dropout(0.5), fc=Linear(10))


def regular() -> Genome:
    s = Sketch((3, 16, 16), "Regular")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(16, 3), bn=BatchNorm(), relu=RELU)
    for i, (depth, w) in enumerate([(1, 16), (4, 24), (3, 48)]):
        for j in range(depth):
            stride = 2 if j == 0 and i else 1
            x = bottleneck(s, x, f"stages.{i}.{j}", w, w_b=w, g=8, stride=stride, se=0.25)
    return s.genome(tail(s, x))


def separable(s: Sketch, x: Value, name: str, c: int, k: int, stride: int) -> Value:
    with s.block(name, "Separable"):
        return s.chain(x, relu=RELU, dw=Depthwise(k, stride=stride), pw=Conv(c, 1), bn=BatchNorm())


def cell(s: Sketch, a: Value, b: Value, name: str, c: int, *, reduce: bool) -> Value:
    stride = 2 if reduce else 1
    with s.block(name, "ReductionCell" if reduce else "NormalCell"):
        with s.block("pre0", "ReluConvBn"):
            step = a.shape[1] // b.shape[1]
            h0 = s.chain(a, relu=RELU, conv=Conv(c, 1, stride=step), bn=BatchNorm())
        with s.block("pre1", "ReluConvBn"):
            h1 = s.chain(b, relu=RELU, conv=Conv(c, 1), bn=BatchNorm())
        n2 = s.add(
            "add2",
            Add(),
            separable(s, h0, "edges.0", c, 3, stride),
            separable(s, h1, "edges.1", c, 5, stride),
        )
        pool = s.add("pool", AvgPool(3, stride=stride, padding=1), h1)
        n3 = s.add("add3", Add(), separable(s, n2, "edges.2", c, 3, 1), pool)
        return s.add("concat", Concat(), n2, n3, pool)


def cells(aux: bool = False) -> Genome:
    s = Sketch((3, 16, 16), "Cells")
    a = b = s.chain(s.input, stem=Conv(12, 3), norm=BatchNorm())
    c = 4
    middle = b
    for i in range(8):
        reduce = i in (3, 6)
        c *= 2 if reduce else 1
        a, b = b, cell(s, a, b, f"cells.{i}", c, reduce=reduce)
        if i == 4:
            middle = b
    extra: tuple[Value, ...] = ()
    if aux:
        with s.block("aux", "AuxHead"):
            extra = (s.chain(middle, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)),)
    return s.genome(tail(s, b), extra)


def vgg_like() -> Genome:
    s = Sketch((3, 16, 16), "Plain")
    x = s.input
    for i in range(3):
        x = s.chain(x, **{f"features.{2 * i}": Conv(8, 3, bias=True), f"features.{2 * i + 1}": RELU})
    return s.genome(tail(s, x))


def interpret(genome: Genome, module: nn.Module, x: Tensor) -> Tensor:
    """Runs a genome node by node, without the emitted forward."""
    values: list[Tensor] = []
    for node in genome.nodes:
        inputs = [values[i] for i in node.inputs]
        if node.op.name == "input":
            values.append(x)
        elif node.op.name in ("add", "mul", "concat", "flatten"):
            values.append(
                {
                    "add": lambda v: sum(v[1:], v[0]),
                    "mul": lambda v: v[0] * v[1],
                    "concat": lambda v: torch.cat(v, 1),
                    "flatten": lambda v: v[0].flatten(1),
                }[node.op.name](inputs)
            )
        else:
            values.append(module.get_submodule(node.path)(inputs[0]))
    return values[-1]


@pytest.mark.parametrize("draw", [regular, cells, vgg_like, lambda: cells(aux=True)])
def test_source_computes_the_graph_under_its_paths(draw: Callable[[], Genome]) -> None:
    genome = draw()
    source = emit(genome)
    module = build(genome).eval()
    x = torch.randn(2, *genome.input)
    assert torch.equal(module(x), interpret(genome, module, x))
    weighted = {n.path for n in genome.nodes if n.op.weighted or n.op.norm}
    assert {name.rpartition(".")[0] for name in module.state_dict()} == weighted
    assert max(map(len, source.splitlines())) <= 100
    other = module_from_source(source, "again").eval()
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(x), module(x))


def test_zeroes_of_a_sum_have_its_subsampled_shape() -> None:
    s = Sketch((3, 8, 8), "Zeroed")
    both = s.add("add", Add(), s.add("a", Conv(4, 3), s.input), s.add("b", Conv(4, 3), s.input))
    x = s.add("sum", Add(), s.add("zero", Zero(2), both), s.add("c", Conv(4, 3, stride=2), s.input))
    assert build(s.genome(tail(s, x)))(torch.randn(2, 3, 8, 8)).shape == (2, 10)


def test_lists_in_lists_have_room_for_their_commas() -> None:
    for kind in ("Block" + "s" * more for more in range(30)):
        s = Sketch((3, 8, 8), "Nested")
        x = s.input
        for path, w in [("0.0", 8), ("0.1", 16), ("0.2", 16), ("1.0", 24), ("1.1", 32), ("1.2", 32)]:
            with s.block(f"stages.{path}", kind):
                x = s.chain(x, conv=Conv(w, 3), bn=BatchNorm(), relu=RELU)
        assert max(map(len, emit(s.genome(tail(s, x))).splitlines())) <= 100


def test_one_class_for_each_kind_and_loops_for_repeats() -> None:
    source = emit(regular())
    classes = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert classes == ["Stem", "SqueezeExcite", "Bottleneck", "ProjectionBottleneck", "Regular"]
    assert "*[Bottleneck(24) for _ in range(3)]" in source
    assert "groups=channels // 8" in source
    assert "return self.fc(self.drop(torch.flatten(" in source.replace("\n", "")


def test_cells_run_in_a_loop() -> None:
    source = emit(cells())
    assert "for cell in self.cells:\n            s0, s1 = s1, cell(s0, s1)" in source
    classes = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    assert len(classes) == 5


def test_auxiliary_outputs_only_while_training() -> None:
    module = build(cells(aux=True))
    x = torch.randn(2, 3, 16, 16)
    main, aux = module.train()(x)
    assert main.shape == aux.shape == (2, 10)
    assert isinstance(module.eval()(x), Tensor)


def test_a_hand_written_bottleneck_gives_the_same() -> None:
    s = Sketch((8, 8, 8), "One")
    genome = s.genome(bottleneck(s, s.input, "block", 16, w_b=8, g=4, stride=2, se=0.5))
    module = build(genome).eval()
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            torch.nn.init.uniform_(value, 0.1, 1.0) if "var" in name else torch.nn.init.normal_(value, 0, 0.3)
    w = {name.removeprefix("block."): value for name, value in module.state_dict().items()}

    def norm(x: Tensor, name: str) -> Tensor:
        return functional.batch_norm(
            x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"]
        )

    x = torch.randn(2, 8, 8, 8)
    y = functional.relu(norm(functional.conv2d(x, w["conv1.weight"]), "bn1"))
    y = functional.conv2d(y, w["conv2.weight"], stride=2, padding=1, groups=2)
    y = functional.relu(norm(y, "bn2"))
    gate = functional.conv2d(y.mean((2, 3), keepdim=True), w["se.reduce.weight"], w["se.reduce.bias"]).relu()
    y = y * functional.conv2d(gate, w["se.expand.weight"], w["se.expand.bias"]).sigmoid()
    y = norm(functional.conv2d(y, w["conv3.weight"]), "bn3")
    y = (y + norm(functional.conv2d(x, w["proj.weight"], stride=2), "proj_bn")).relu()
    torch.testing.assert_close(module(x), y, atol=1e-5, rtol=1e-5)


def test_tracebacks_show_generated_lines() -> None:
    module = build(regular())
    with pytest.raises(RuntimeError) as caught:
        module(torch.randn(1, 5, 16, 16))
    assert any("self.conv(x)" in (f.line or "") for f in traceback.extract_tb(caught.value.__traceback__))


@pytest.mark.parametrize("left_out", [{0}, {1, 2}, {3}])
def test_places_left_empty_keep_their_numbers(left_out: set[int]) -> None:
    s = Sketch((8, 8, 8), "Gaps")
    x = s.input
    for i in range(4):
        if i not in left_out:
            x = bottleneck(s, x, f"blocks.{i}", 8, w_b=8, g=4)
    genome = s.genome(tail(s, x))
    module = build(genome).eval()
    x = torch.randn(2, 8, 8, 8)
    values = interpret(genome, module, x)
    assert torch.equal(module(x), values)
    names = {name.split(".")[1] for name in module.state_dict() if name.startswith("blocks")}
    assert names == {str(i) for i in range(4) if i not in left_out}


def test_blocks_must_be_contiguous() -> None:
    s = Sketch((3, 8, 8))
    with s.block("one", "One"):
        a = s.add("a", Conv(4, 1), s.input)
    b = s.add("between", RELU, a)
    with s.block("one"):
        c = s.add("b", Conv(4, 1), b)
    with pytest.raises(Invalid, match="must follow one another"):
        emit(s.genome(c))
