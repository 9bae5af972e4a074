"""Exported files do what the network does, where nothing but what they need can be imported."""

import contextlib
import json
import math
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nas
from cells.emit import emit
from cells.ensemble import ensemble
from cells.fuse import fuse
from cells.genome import Genome
from cells.infer import infer
from cells.ops import (
    OPS,
    RELU,
    Add,
    BatchNorm,
    Conv,
    Depthwise,
    Flatten,
    GlobalPool,
    Identity,
    Invalid,
    Linear,
    Op,
    Shape,
    Vote,
    Zero,
)
from cells.sketch import Sketch
from nas.alone import Batch, Job
from nas.build import build, module_from_source
from nas.export import main
from nas.exporting import class_name, genome_text, source_text
from nas.formats import TOLERANCE, ExportError, export, folded, random_weights
from nas.results import describe
from nas.store import TRIALS, Stream
from nas.targets import Target, best_together
from nas.verify import VerificationError, require, run_alone
from search_spaces import SPACES, Fixed, Random, names

Named = tuple[str, Genome]


def drawn(name: str, count: int, *, of: int = 1) -> list[Named]:
    """Random genomes of a space in its laptop ranges, for small images: the cheapest of `count * of`."""
    space = SPACES[name]
    preset = space.presets.get("laptop")
    wanted = (dict(preset.arguments) if preset else {}) | {"input": (3, 32, 32), "classes": 10}
    space = space.bind(**{k: v for k, v in wanted.items() if space.takes(k)})
    found: list[tuple[int, int, Genome]] = []
    seed = 0
    while len(found) < count * of:
        seed += 1
        with contextlib.suppress(Invalid):
            genome = space.draw(Random(seed))
            found.append((infer(genome).macs, seed, genome))
    return [(f"{name} (seed {seed})", genome) for _, seed, genome in sorted(found)[:count]]


def classics() -> list[Named]:
    return [(name, SPACES[name].draw(Fixed())) for name in names(classic=True)]


def cheapest_of_each_kind(networks: Sequence[Named], macs: float) -> list[Named]:
    found: dict[str, tuple[int, Named]] = {}
    for name, genome in networks:
        costs = infer(genome)
        if costs.macs < macs and costs.params < macs / 20:
            kind = dict(genome.kinds).get("", "Net")
            found[kind] = min(found.get(kind, (costs.macs, (name, genome))), (costs.macs, (name, genome)))
    return [network for _, network in found.values()]


def check_sources(networks: Sequence[Named], folder: Path) -> None:
    """Writes each network and its weights, runs all of them in one clean process, compares."""
    jobs = []
    for number, (name, genome) in enumerate(networks):
        module = build(genome).eval()
        random_weights(module, genome.input)
        x = torch.randn(2, *genome.input)
        with torch.no_grad():
            y = module(x)
        source = source_text(Target(name, genome, "a test"), genome)
        file, weights = folder / f"{number}.py", folder / f"{number}.pt"
        file.write_text(source)
        torch.save(module.state_dict(), weights)
        batch = Batch(
            x=f"{folder}/{number}.x", y=f"{folder}/{number}.y", x_shape=[*x.shape], y_shape=[*y.shape]
        )
        Path(batch["x"]).write_bytes(x.numpy().tobytes())
        Path(batch["y"]).write_bytes(y.numpy().tobytes())
        jobs.append(Job(file=str(file), name=class_name(source), weights=str(weights), batches=[batch]))
        assert y.std() > 1e-3, f"{name}: its output says nothing about its parts"
        assert Genome.loads(genome_text(genome)).key == genome.key, name
        check_fused(name, genome, module, x, y)
    found = run_alone(jobs, ["torch"], torch.get_num_threads())
    params = [infer(genome, aux=True).params for _, genome in networks]
    wrong = [
        (name, answer)
        for (name, _), answer, count in zip(networks, found, params, strict=True)
        if answer != {"params": count, "difference": 0.0}
    ]
    assert not wrong


def check_fused(name: str, genome: Genome, module: nn.Module, x: Tensor, y: Tensor) -> None:
    fused, folds = fuse(genome)
    if not folds:
        return
    smaller = build(fused).eval()
    smaller.load_state_dict(folded(module.state_dict(), folds))
    with torch.no_grad():
        assert (smaller(x) - y).abs().max() <= TOLERANCE * y.abs().max(), name
    assert Genome.loads(fused.dumps()) == fused, name


SWEEP = bool(os.environ.get("NAS_EXPORT_SWEEP"))
"""Whether to go through ten draws of every space and all classics; it takes hours."""


def test_networks_of_every_space_run_alone(tmp_path: Path) -> None:
    if not SWEEP:
        check_sources([n for name in names(classic=False) for n in drawn(name, 1, of=8)], tmp_path)
        return
    for name in names(classic=False):
        check_sources(drawn(name, 10), tmp_path)


def test_classics_run_alone(tmp_path: Path) -> None:
    if not SWEEP:
        check_sources(cheapest_of_each_kind(classics(), 75e6), tmp_path)
        return
    for network in sorted(classics(), key=lambda network: infer(network[1]).macs):
        check_sources([network], tmp_path)


@pytest.mark.skipif(not SWEEP, reason="takes an hour; NAS_EXPORT_SWEEP=1 runs it")
@pytest.mark.parametrize("ending", ["pt2", "onnx"])
def test_traced_networks_run_alone(tmp_path: Path, ending: str) -> None:
    networks = [n for name in names(classic=False) for n in drawn(name, 1)]
    for name, genome in networks + cheapest_of_each_kind(classics(), 3e9):
        with pytest.warns(UserWarning, match="without weights"):
            export(Target(name, genome, "a test"), tmp_path / f"net.{ending}")


# -- ONNX ------------------------------------------------------------------------------------------


def uses() -> dict[object, tuple[Op, tuple[Shape, ...]]]:
    """A use of every op of the table, and of every kind of activation, from a network where one has it."""
    found: dict[object, tuple[Op, tuple[Shape, ...]]] = {
        "zero": (Zero(2), ((8, 8, 8),)),
        "identity": (Identity(), ((8, 8, 8),)),
        "vote": (Vote(), ((5,), (5,))),
    }
    pool = [genome for name in names(classic=False) for _, genome in drawn(name, 12)]
    for genome in pool + [genome for _, genome in classics()]:
        for op, inputs, _ in genome.nodes[1:]:
            shapes = tuple(genome.facts[i].shape for i in inputs)
            which = (op.name, getattr(op, "kind", None))
            known = found.get(which)
            if known is None or sum(map(math.prod, shapes)) < sum(map(math.prod, known[1])):
                found[which] = (op, shapes)
    return found


class EveryOp(nn.Module):
    """Each op on inputs of its own."""

    def __init__(self, ops: Sequence[tuple[Op, tuple[Shape, ...]]]) -> None:
        super().__init__()
        self.counts = [len(shapes) for _, shapes in ops]
        self.parts = nn.ModuleList([module_from_source(self.source(*use), use[0].name) for use in ops])

    @staticmethod
    def source(op: Op, shapes: tuple[Shape, ...]) -> str:
        names = [f"x{i}" for i in range(len(shapes))]
        call = op.module(*shapes)
        head = f"import torch\nfrom torch import Tensor, nn\n{op.definition()}\nclass Use(nn.Module):\n"
        takes = f"    def forward(self, {', '.join(names)}):\n        return "
        if call is None:
            return f"{head}{takes}{op.expression(*names)}\n"
        texts = [f"{a.value!r}" if a.default is None else f"{a.name}={a.value!r}" for a in call.args]
        made = f"        self.op = {call.func}({', '.join(texts)})\n"
        init = f"    def __init__(self):\n        super().__init__()\n{made}"
        return f"{head}{init}{takes}self.op({', '.join(names)})\n"

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        outputs, place = [], 0
        for part, count in zip(self.parts, self.counts, strict=True):
            outputs.append(part(*inputs[place : place + count]))
            place += count
        return outputs


def test_onnx_expresses_every_op(tmp_path: Path) -> None:
    import onnxruntime

    ops = [*uses().values()]
    assert {op.name for op, _ in ops} == set(OPS) - {"input"}, "no network has it: give uses() one"
    torch.manual_seed(0)
    module = EveryOp(ops).eval()
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.add_(0.1 * torch.randn_like(tensor))
    shapes = [shape for _, inputs in ops for shape in inputs]
    batch = torch.export.Dim("batch")
    example = [torch.randn(2, *shape) for shape in shapes]
    program = torch.export.export(module, (example,), dynamic_shapes=([{0: batch} for _ in shapes],))
    torch.onnx.export(program, f=tmp_path / "ops.onnx", external_data=False, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "ops.onnx", providers=["CPUExecutionProvider"])
    x = [torch.randn(3, *shape) for shape in shapes]
    with torch.no_grad():
        expected = module(x)
    feed = {given.name: tensor.numpy() for given, tensor in zip(session.get_inputs(), x, strict=True)}
    for (op, _), got, y in zip(ops, session.run(None, feed), expected, strict=True):
        assert np.abs(got - y.numpy()).max() <= TOLERANCE * max(float(y.abs().max()), 1e-6), op


# -- one file --------------------------------------------------------------------------------------


def small(classes: int = 5, width: int = 8) -> Genome:
    """A network with every neighbour that a batch norm may have."""
    s = Sketch((3, 9, 9), "Small")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(width, 3, stride=2, padding=0), bn=BatchNorm(eps=1e-3), relu=RELU)
    with s.block("block", "Block"):
        y = s.chain(x, conv1=Conv(2 * width, 3, groups=2, bias=True), bn1=BatchNorm())
        y = s.chain(y, conv2=Depthwise(5, multiplier=2), bn2=BatchNorm(), conv3=Conv(width, 1))
        y = s.chain(y, bn3=BatchNorm())
        z = s.chain(x, pre=BatchNorm(), proj=Conv(width, 1, padding=1))  # a norm before padding
        y = s.add("crop", Conv(width, 3, padding=2), y)
        x = s.add("add", Add(), y, s.add("norm", BatchNorm(), y), z)  # the convolution is read twice
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes)))


def test_norms_are_folded_only_where_it_is_the_same() -> None:
    genome = small()
    fused, folds = fuse(genome)
    assert [(fold.conv, fold.norm) for fold in folds] == [
        ("stem.conv", "stem.bn"),
        ("block.conv1", "block.bn1"),
        ("block.conv2", "block.bn2"),
        ("block.conv3", "block.bn3"),
    ]
    assert {n.path for n in fused.nodes if n.op.name == "batch_norm"} == {"block.pre", "block.norm"}
    module = build(genome).eval()
    random_weights(module, genome.input)
    x = torch.randn(4, *genome.input)
    with torch.no_grad():
        check_fused("small", genome, module, x, module(x))
    assert fuse(fused) == (fused, ())


def test_random_weights_do_not_make_much_of_rounding() -> None:
    """With norms shifted by about 0, 110 layers without shortcuts differed by 0.1 from the folded ones."""
    genome = SPACES["plain110"].draw(Fixed())
    module = build(genome).eval()
    random_weights(module, genome.input)
    x = torch.randn(2, *genome.input)
    with torch.no_grad():
        check_fused("plain110", genome, module, x, module(x))


def target(genome: Genome) -> Target:
    return Target("small", genome, "a test")


def test_a_folder_holds_every_format(tmp_path: Path) -> None:
    trained = build(small()).eval()
    random_weights(trained, (3, 9, 9))
    trained.get_parameter("fc.bias").data += 1
    torch.save(trained.state_dict(), tmp_path / "trained.pt")
    folder = tmp_path / "all"
    written = export(target(small()), folder, name="MyNet", weights=tmp_path / "trained.pt", fuse_bn=True)
    kinds = ["genome.json", "net.onnx", "net.pt", "net.pt2", "net.py", "net.safetensors"]
    assert sorted(os.listdir(folder)) == sorted(w.file.name for w in written) == kinds
    assert sorted(os.listdir(tmp_path)) == ["all", "trained.pt"]
    assert all(w.difference is None or w.difference <= TOLERANCE for w in written)
    again = nas.create_model(str(folder / "genome.json"), weights=folder / "net.safetensors").eval()
    x = torch.randn(2, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(again(x), trained(x), rtol=1e-4, atol=1e-4)
        loaded = torch.export.load(folder / "net.pt2").module()
        assert torch.equal(loaded(x), again(x))
    text = (folder / "net.py").read_text()
    assert "class MyNet(nn.Module)" in text
    assert "Batch norms are folded" in text


def test_weights_are_missed_only_where_some_are_written(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="small comes without weights: random ones are written"):
        export(target(small()), tmp_path / "net.pt")
    with warnings.catch_warnings(action="error"):
        export(target(small()), tmp_path / "net.json")
    assert nas.create_model(str(tmp_path / "net.json"), weights=tmp_path / "net.pt")


SPOILERS: list[tuple[str, str, str]] = [
    ("self.fc(", "0.999 * self.fc(", "differs from the network by 0.001"),
    ("import torch\n", "import torch\nimport numpy\n", "No module named 'numpy'"),
    ("import torch\n", "import torch\nimport cells\n", "No module named 'cells'"),
    ("!= ", "!= 1", "SystemExit: Small has"),
    ("self.stem(x)", "self.stem(x[:1])", "the output is (1, 5) instead of (2, 5)"),
]


def test_what_a_wrong_file_does_is_found(tmp_path: Path) -> None:
    module = build(small()).eval()
    source = source_text(target(small()), small())
    x = torch.randn(2, 3, 9, 9)
    batch = Batch(x=f"{tmp_path}/x", y=f"{tmp_path}/y", x_shape=[*x.shape], y_shape=[2, 5])
    with torch.no_grad():
        (tmp_path / "y").write_bytes(module(x).numpy().tobytes())
    (tmp_path / "x").write_bytes(x.numpy().tobytes())
    torch.save(module.state_dict(), tmp_path / "net.pt")
    jobs = []
    for number, (right, wrong, _) in enumerate(SPOILERS):
        assert right in source
        (tmp_path / f"{number}.py").write_text(source.replace(right, wrong, 1))
        weights = str(tmp_path / "net.pt")
        jobs.append(Job(file=f"{tmp_path}/{number}.py", name="Small", weights=weights, batches=[batch]))
    found = run_alone(jobs, ["torch"], 1)
    for job, answer, (_, _, said) in zip(jobs, found, SPOILERS, strict=True):
        with pytest.raises(VerificationError, match=re.escape(said)):
            require(job, answer, 0.0, infer(small()).params)


def test_no_wrong_file_takes_the_place_of_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: Any, **options: Any) -> str:
        return source_text(*arguments, **options).replace("self.fc(", "0.999 * self.fc(")

    monkeypatch.setattr("nas.formats.source_text", wrong)
    (tmp_path / "net.py").write_text("the old one")
    with pytest.raises(VerificationError, match="differs from the network"):
        export(target(small()), tmp_path / "net.py")
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("net.py", "the old one")]


def test_what_cannot_be_exported_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match="must end in"):
        export(target(small()), tmp_path / "net.txt")
    with pytest.raises(Invalid, match="class name"):
        export(target(small()), tmp_path / "net.py", name="my net")
    with pytest.raises(ExportError, match="genome, which has none"):
        export(target(small()), tmp_path / "net.json", weights=tmp_path / "none.pt")
    with pytest.raises(ExportError, match="no class that could be called MyNet"):
        export(target(small()), tmp_path / "net.pt2", name="MyNet")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"pip install 'nas-engine\[onnx\]' \(no onnx\)"):
        export(target(small()), tmp_path / "net.onnx")
    assert not [*tmp_path.iterdir()]


def test_the_networks_class_has_the_name_it_is_given() -> None:
    source = emit(small(), name="Stem")
    assert class_name(source) == "Stem"
    assert "class Stem2(nn.Module)" in source
    vit = SPACES["vit_tiny_patch16_224"].draw(Fixed())
    with pytest.raises(Invalid, match="Attention cannot be the network's class"):
        emit(vit, name="Attention")


def test_a_source_names_the_command_that_writes_kept_weights(tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    torch.save(build(small()).state_dict(), weights)
    kept = Target("small", small(), "a test", weights=weights)
    assert "python -m nas.export small --to net.pt  # writes them" in source_text(kept, small())
    assert "writes them" not in source_text(target(small()), small())


# -- ensembles -------------------------------------------------------------------------------------


def test_an_ensemble_votes_softly_and_its_costs_add_up() -> None:
    members = [small(width=8), small(width=4)]
    voting = ensemble(members)
    costs, parts = infer(voting), [infer(member) for member in members]
    assert (costs.params, costs.macs) == (sum(p.params for p in parts), sum(p.macs for p in parts))
    assert Genome.loads(voting.dumps()) == voting
    modules = [build(member).eval() for member in members]
    module = build(voting).eval()
    module.load_state_dict(
        {f"members.{i}.{n}": t for i, m in enumerate(modules) for n, t in m.state_dict().items()}
    )
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(module(x), sum(m(x).softmax(1) for m in modules) / 2)
    with pytest.raises(Invalid, match="vectors of one length"):
        ensemble([small(5), small(6)])
    with pytest.raises(Invalid, match="has no vote"):
        ensemble([small()])


def test_those_vote_whom_the_run_ranks_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(tmp_path / "trials.arrows", TRIALS)
    row = {"status": "ok", "stage": "search", "choices": "{}"}
    for trial, width in enumerate((4, 8, 12)):
        reached = {"trial": trial, "val_accuracy": width / 20, "reward": width / 20}
        stream.append(row | reached | describe(small(width=width)))
    stream.close()
    monkeypatch.setattr("nas.gp.estimates", lambda choices, rewards: [-reward for reward in rewards])
    for winner, trials in (("reward", [2, 1]), ("estimate", [0, 1])):
        (tmp_path / "run.json").write_text(json.dumps({"winner": winner}))
        members = best_together(str(tmp_path), 2).members
        assert [member.row["trial"] for member in members if member.row] == trials


@pytest.mark.parametrize("flag", ["--weights", "--classes", "--input"])
def test_what_an_ensemble_has_of_its_members_cannot_be_given(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "3x8x8" if flag == "--input" else "3"
    with pytest.raises(SystemExit):
        main(["run", "--ensemble", "2", "--to", "net.py", flag, value])
    assert f"{flag}: an ensemble has the" in capsys.readouterr().err
