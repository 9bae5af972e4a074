"""`nas.scale`: networks drawn again, tables of before and after, and the grid of coefficients."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from cells.genome import Genome, live
from cells.infer import infer
from cells.ops import RELU, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Invalid, Linear
from cells.scale import taking
from cells.sketch import Sketch
from nas import grid, scale
from nas.cli import guard
from nas.redraw import redrawn
from nas.results import describe
from nas.scaling import costs
from nas.store import TRIALS, Run, Stream
from nas.targets import TargetError, resolve
from search_spaces import Fixed, Random, Space, find, names
from search_spaces.choose import Scalar


@pytest.mark.parametrize(
    ("point", "published"),
    [
        ("darts:DARTS_V1", "darts_v1_imagenet"),
        ("darts:DARTS_V2", "darts_v2_imagenet"),
        ("darts:P-DARTS", "pdarts_imagenet"),
    ],
)
def test_a_cell_of_darts_becomes_the_published_imagenet_network(point: str, published: str) -> None:
    assert redrawn(point, preset="imagenet").genome.key == find(published).draw(Fixed()).key


def test_pnasnet_becomes_its_mobile_network_but_for_dropout() -> None:
    made, published = redrawn("pnas:PNASNet-5", preset="imagenet").genome, resolve("pnasnet5mobile").genome
    ours, theirs = infer(made), infer(published)
    assert (ours.params, ours.macs) == (theirs.params, theirs.macs)
    used = [
        Counter(node.op for node, on in zip(g.nodes, live(g), strict=True) if on) for g in (made, published)
    ]
    assert used[1] - used[0] == Counter([Dropout(0.5)])
    assert not used[0] - used[1]


def test_nasnet_a_of_the_space_has_fewer_outputs_than_slims() -> None:
    """4 @ 1056: TF-Slim's cells also give out states that other blocks read, the space's loose ends alone."""
    made, published = redrawn("nasnet:NASNet-A", preset="imagenet").genome, resolve("nasnetamobile").genome
    last = [
        g.facts[max(i for i, n in enumerate(g.nodes) if n.path == "cells.13.concat")]
        for g in (made, published)
    ]
    assert [fact.shape for fact in last] == [(5 * 176, 7, 7), (6 * 176, 7, 7)]
    assert infer(made).params < infer(published).params


def trained(
    folder: Path, space: Space, arguments: Mapping[str, object], choices: Mapping[str, Scalar]
) -> Path:
    """A run with one trained network of a space."""
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"space": space.name, "arguments": arguments}))
    stream = Stream(folder / "trials.arrows", TRIALS)
    row = {"run": "run", "trial": 0, "space": space.name, "choices": json.dumps(choices), "note": "{}"}
    row |= {"strategy": "random", "status": "ok", "stage": "search", "val_accuracy": 0.5, "reward": 0.5}
    stream.append(row | describe(space.bind(**arguments).draw(Fixed(**choices))))
    stream.close()
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one trained network of a cell space."""
    space = find("darts")
    arguments = {"n": 1, "f": 8, "input": (3, 32, 32)}
    return trained(tmp_path / "run", space, arguments, space.points["DARTS_V2"])


def test_a_result_of_a_search_is_drawn_again(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = Run(run).best()
    assert redrawn(str(run)).genome.key == row["key"]
    file = run / "net.json"
    words = [f"{run}:{row['key'][:6]}", "--set", "n=4", "--set", "f=48", "--set", "stem=darts"]
    assert guard(scale.main, [*words, "--input", "3x224x224", "--classes", "1000", "--to", str(file)]) == 0
    assert Genome.loads(file.read_text()).key == find("darts_v2_imagenet").draw(Fixed()).key
    assert "3x32x32" in capsys.readouterr().out


@pytest.mark.parametrize("name", names(classic=False))
def test_a_result_under_every_preset_is_drawn_again(name: str, tmp_path: Path) -> None:
    for number, preset in enumerate(find(name).presets.values()):
        chooser = Random(0)
        for seed in range(50):
            with suppress(Invalid):
                find(name).bind(**preset.arguments).draw(chooser := Random(seed))
                break
        folder = trained(tmp_path / str(number), find(name), preset.arguments, chooser.record)
        assert redrawn(str(folder)).genome.key == Run(folder).best()["key"]


def test_whole_numbers_are_numbers() -> None:
    """Where a space has 1.0, 1 is meant; where it has 1, 1.5 is not."""
    base = redrawn("mnasnet:MobileNetV2").genome.key
    assert redrawn("mnasnet:MobileNetV2", {"alpha": 1}).genome.key == base
    assert redrawn("mnasnet:MobileNetV2", {"alpha": 0.5}).genome.key != base
    with pytest.raises(TargetError, match="takes a value such as blocks=7"):
        redrawn("mnasnet:MobileNetV2", {"blocks": 7.5})


def test_filters_are_those_before_the_pool() -> None:
    genome = resolve("seresnet20").genome
    assert [costs(taking(genome, (3, side, side)))["filters"] for side in (32, 4, 1)] == [64] * 3
    assert costs(resolve("vgg11").genome)["filters"] == 512


def test_phi_and_single_factors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guard(scale.main, ["efficientnet_b0", "--phi", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["wished"], said["rule"]) == (2, pytest.approx(1.2 * 1.1**2 * 1.15**2))
    assert said["macs_factor"] == said["after"]["macs"] / said["before"]["macs"]
    assert said["after"]["input"] == [3, 258, 258]
    genome, source = tmp_path / "b1.json", tmp_path / "b1.py"
    for file in (genome, source):
        words = ["efficientnet_b0", "--depth", "1.1", "--input", "3x240x240", "--to", str(file)]
        assert guard(scale.main, words) == 0
    b1 = find("efficientnet_b1").draw(Fixed())
    assert resolve(str(genome)).genome.key == b1.key
    assert b1.key in source.read_text()
    assert f"{infer(b1).params / 1e6:.3g}M" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resnet18"], "nothing to scale"),
        (["resnet1888", "--phi", "1"], "did you mean resnet18"),
        (["resnet18", "--phi", "1", "--width", "2"], "--width: not with --phi"),
        (["resnet18", "--alpha", "1.2"], "--alpha: only with --phi or --grid"),
        (["resnet18", "--phi", "1", "--gamma", "0.9"], "--gamma: '0.9' is below 1"),
        (["resnet18", "--width", "-1"], "--width: '-1' is not a number above 0"),
        (["resnet18", "--width", "2", "--to", "net.txt"], "--to: net.txt must end in"),
        (["resnet18", "--resolution", "2", "--input", "3x64x64"], "--resolution: not with --input"),
        (["resnet18", "--width", "1e9"], "--width: '1e9' is not a number above 0, at most 100"),
        (["resnet18", "--phi", "60"], "--phi: 60 asks for more than 100 times"),
        (["resnet18", "--width", "2", "--step", "0.05"], "--step: only with --grid"),
        (["resnet18", "--width", "2", "--epochs", "3"], "--epochs: only with --grid"),
        (["resnet18", "--grid", "--phi", "2"], "--phi: not with --grid"),
        (
            ["resnet18", "--grid", "--alpha", "3", "--dataset", "digits"],
            "no alpha · beta² · gamma² is about 2",
        ),
        (["lenet5", "--phi", "1"], "lenet5: depth: no block is repeated"),
        (["lenet5", "--phi", "1"], "--alpha 1 leaves it as it is"),
        (["vit_tiny_patch16_224", "--phi", "1"], "embed.position has weights for every position"),
        (["resnet18", "--set", "n=4"], "resnet18 is no result of a search and no SPACE:POINT"),
        (["darts:DARTS_V2", "--set", "n"], "--set: 'n' is no NAME=VALUE"),
        (["darts:DARTS_V2", "--set", "m=4"], "--set m: darts has input, classes, n"),
        (["darts:DARTS_V2", "--set", "n=four"], "--set n=four: darts takes a value such as n=1"),
        (["darts:DARTS_V2", "--preset", "mobile"], "--preset mobile: darts has"),
        (["darts:DARTS", "--set", "n=4"], "darts has no point 'DARTS': did you mean"),
    ],
)
def test_bad_input_is_one_clear_line(
    words: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = guard(scale.main, words)
    except SystemExit as end:
        code = int(end.code or 0)
    printed = capsys.readouterr().err
    assert code == 2
    assert said in printed
    assert len(printed.strip().splitlines()) == 1


def test_the_grid_is_all_that_keeps_the_constraint() -> None:
    near = {
        (1 + a / 20, 1 + b / 20, 1 + c / 20)
        for a in range(30)
        for b in range(30)
        for c in range(30)
        if abs((1 + a / 20) * (1 + b / 20) ** 2 * (1 + c / 20) ** 2 - 2) <= 0.1 + 1e-9
    }
    found = grid.triples(0.05, 0.1, {})
    assert sorted(found) == [pytest.approx(t) for t in sorted(near)]
    assert (1.2, 1.1, 1.15) in found  # EfficientNet's
    assert {t[0] for t in grid.triples(0.05, 0.1, {"alpha": 1.2})} == {1.2}


def test_networks_that_are_one_are_trained_once() -> None:
    base = resolve("resnet20").genome
    found = grid.networks(base, [(1.4, 1.0, 1.2), (1.5, 1.0, 1.2), (1.4, 1.2, 1.0)])
    assert list(found) == [(1.0, 1.0, 1.0), (1.4, 1.2, 1.0), (1.4, 1.0, 1.2)]  # 5 of 3 blocks, either way
    with pytest.raises(Invalid, match="--alpha 1 leaves it"):
        grid.networks(resolve("lenet5").genome, [(1.4, 1.2, 1.0)])


def test_a_grid_keeps_its_rows_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    s = Sketch((3, 28, 28), "Tiny")
    x = s.chain(s.input, conv=Conv(8, 3, stride=4), bn=BatchNorm(), relu=RELU)
    genome = s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(5)))
    file, folder = tmp_path / "tiny.json", tmp_path / "run"
    file.write_text(genome.dumps())
    words = [str(file), *"--grid --alpha 1 --dataset digits --epochs 1 --train-images 64".split()]
    words += [*"--step 0.4 --divisor 1 --run".split(), str(folder)]
    assert guard(scale.main, words) == 0
    rows = Run(folder).rows()
    triples = grid.triples(0.4, 0.1, {"alpha": 1.0})
    assert len(rows) == len(triples) + 1
    inputs = {tuple(json.loads(r["choices"]).values()): Genome.loads(r["genome"]).input for r in rows}
    assert inputs[grid.UNSCALED] == (3, 32, 32)
    assert inputs[1.0, 1.0, 1.4] == (3, 45, 45)
    assert all(infer(Genome.loads(r["genome"])).output == (10,) for r in rows)
    printed = capsys.readouterr().out
    assert "--phi 2 --alpha 1 --beta" in printed
    assert "--divisor 1" in printed
    assert guard(scale.main, words) == 0
    assert Run(folder).rows() == rows
    assert "resumed" in capsys.readouterr().out
    assert guard(scale.main, [*words, "--seed", "1"]) == 2
    assert "another seed" in capsys.readouterr().err


def test_images_are_enlarged() -> None:
    from nas import sources

    images = sources.load(("digits", None), "train")
    few = dataclasses.replace(images, pixels=images.pixels[:3], labels=images.labels[:3])
    larger = grid.at_extent(few, (3, 40, 36))
    assert larger.pixels.shape == (3, 3, 40, 36)
    assert abs(float(larger.pixels.mean()) - float(few.pixels.mean())) < 3
    assert grid.at_extent(few, (3, 32, 32)) is few


def test_what_is_no_result_is_not_drawn_again(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="only those are drawn again"):
        redrawn("resnet20", {"n": 3})
