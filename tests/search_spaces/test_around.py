"""The neighbourhood of a network: its start, every kind of edit, and that nearly all draws are legal."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer
from cells.ops import Invalid
from cells.view import View
from nas.build import build
from search_spaces import (
    SPACES,
    Fixed,
    Random,
    Replay,
    Space,
    SpaceError,
    UnknownSpaceError,
    find,
    names,
)
from search_spaces.around import EDITS, around_genome

SAMPLE = sorted(
    {
        *names(classic=True)[::13],
        *"lenet5_1998 alexnet vgg16_bn googlenet inception_v3 inception_resnet_v2 resnet20 resnet50".split(),
        *"preactresnet20 resnext29_2x64d seresnet20 densenet40_k12 shufflenet_g3_w1 ghostnet_100".split(),
        *"mobilenetv2_100 mobilenetv3_small_100 mixnet_s efficientnet_b0 regnety_002 nasnetamobile".split(),
        *"darts_v2_cifar convnext_tiny vit_tiny_patch16_224 swin_tiny_patch4_window7_224".split(),
        *"mixer_s16_224 resmlp_12_224 gmlp_ti16_224".split(),
    }
)


def around(name: str) -> Space:
    """With small images where the network takes them, otherwise its own."""
    space = find(f"around:{name}")
    try:
        space.draw(Fixed(edits=0))
    except SpaceError:
        own = inspect.signature(SPACES[name].function).parameters
        return space.bind(**{k: own[k].default for k in ("input", "classes")})
    return space


@pytest.mark.parametrize("name", SAMPLE)
def test_nearly_all_draws_around_a_classic_are_legal_and_can_be_written(name: str) -> None:
    space, valid = around(name), 0
    for seed in range(20):
        chooser = Random(seed)
        try:
            genome = space.draw(chooser)
            infer(genome)
        except Invalid as error:
            assert str(error)
            continue
        valid += 1
        if seed < 3:
            assert space.draw(Replay(chooser.record)).key == genome.key
            assert Genome.loads(genome.dumps()) == genome
            assert emit(genome)
    assert valid >= 19


def test_no_edits_are_the_network_itself() -> None:
    space = find("around:resnet20")
    assert space.name == "around:resnet20"
    assert space.points == {"resnet20": {"edits": 0}}
    assert space.draw(Fixed(edits=0)).key == find("resnet20").draw(Fixed()).key


START = {"resnet": "seresnet20", "cell": "darts_v2_cifar", "inception": "googlenet"}


@pytest.mark.parametrize("kind", EDITS)
def test_every_edit_makes_another_network_that_trains(kind: str) -> None:
    edit, made = EDITS[kind], 0
    for name in START.values():
        genome = find(name).bind(input=(3, 32, 32), classes=10).draw(Fixed())
        view = View(genome)
        sites = edit.sites(view)
        for number, site in enumerate(sites[:: max(1, len(sites) // 4)]):
            edited = edit.apply(view, site, Random(number), "edit")
            assert edited.key != genome.key, (name, site)
            assert infer(edited).output == (10,)
            kept = {node.path for node in edited.nodes}
            assert len(kept & {node.path for node in genome.nodes}) > len(genome.nodes) // 2
            if made == 0:
                module = build(edited)
                logits = module(torch.randn(2, 3, 32, 32))
                sum(y.sum() for y in (logits if isinstance(logits, tuple) else (logits,))).backward()
                assert all(p.grad is not None for p in module.parameters())
            made += 1
    assert made


def edited(name: str, **answers: Any) -> Genome:
    return find(f"around:{name}").draw(Fixed(edits=1, **answers))


def paths(genome: Genome) -> dict[str, Any]:
    return {node.path: node.op for node in genome.nodes}


def test_a_repeated_block_lies_inside_the_first() -> None:
    genome = edited("resnet20", **{"edit0": "depth", "edit0.depth": "stages.0.1", "edit0.depth.times": 3})
    before = find("resnet20").draw(Fixed())
    assert infer(genome).depth == infer(before).depth + 4
    assert set(paths(before)) < set(paths(genome))
    assert "stages.0.1.again2.conv2" in paths(genome)


def test_a_block_left_out_leaves_its_place() -> None:
    genome = edited("resnet20", **{"edit0": "depth", "edit0.depth": "stages.0.1", "edit0.depth.times": 0})
    assert infer(genome).depth == 20 - 2
    assert [p for p in paths(genome) if p.startswith("stages.0.1")] == ["stages.0.1.identity"]
    assert emit(genome)


def test_a_wider_stage_stays_a_sum() -> None:
    genome = edited(
        "resnet20_b", **{"edit0": "width", "edit0.width": "stages.1.0.proj", "edit0.width.factor": 2.0}
    )
    found = paths(genome)
    assert {found[f"stages.1.{i}.conv2"].out for i in range(3)} == {64}
    assert found["stages.1.0.conv1"].out == 32


def test_a_later_stride_keeps_the_last_extent() -> None:
    before = find("resnet20").draw(Fixed())
    genome = edited("resnet20", **{"edit0": "stride_later", "edit0.stride_later": "stages.1.0.subsample"})
    assert infer(genome).macs > infer(before).macs
    assert infer(genome).params == infer(before).params
    last = [g.facts[-4].shape for g in (before, genome)]
    assert last[0] == last[1]


def test_an_edit_whose_site_is_gone_changes_nothing() -> None:
    gone = {"edit0": "depth", "edit0.depth": "stages.0.1", "edit0.depth.times": 0}
    genome = find("around:resnet20").draw(
        Fixed(edits=2, **gone, **{"edit1": "kernel", "edit1.kernel": "stages.0.1.conv1"})
    )
    assert genome.key == edited("resnet20", **gone).key


def test_a_saved_genome_is_a_start(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    genome = find("resnet20").draw(Fixed())
    file.write_text(genome.dumps())
    space = find(f"around:{file}")
    assert space.draw(Fixed(edits=0)).key == genome.key
    assert infer(space.bind(input=(3, 24, 24), classes=7).draw(Random(3))).output == (7,)
    assert around_genome("mine", genome).draw(Random(5)).key == find("around:resnet20").draw(Random(5)).key


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("around:resnet21", UnknownSpaceError, "did you mean"),
        ("around:regnet", SpaceError, "is a search space, not one network"),
        ("around:absent.json", SpaceError, "No such file"),
    ],
)
def test_what_is_no_start(name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        find(name)


def test_a_start_that_does_not_take_the_images_says_so() -> None:
    with pytest.raises(SpaceError, match="alexnet does not take images of 3x32x32 in 10 classes: pool5"):
        find("around:alexnet").draw(Random(0))


def test_hybrid_starts_from_every_classic() -> None:
    space = SPACES["hybrid"]
    assert list(space.points) == names(classic=True)
    genome = space.draw(Replay(space.points["resnet20"]))
    assert genome.key == find("resnet20").draw(Fixed()).key
