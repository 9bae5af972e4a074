"""What lectures and papers say of ResNets and their kin."""

from __future__ import annotations

import pytest

import search_spaces as spaces
from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer


def drawn(name: str) -> Genome:
    return spaces.find(name).draw(spaces.Fixed())


STAGES = {
    "resnet18": (43, 99, 211, 435),
    "resnet34": (59, 179, 547, 899),
    "resnet50": (35, 91, 267, 427),
    "resnet101": (35, 91, 811, 971),
    "resnext50_32x4d": (35, 91, 267, 427),
    "resnet50_v1": (35, 99, 291, 483),
    "resnet101_v1": (35, 99, 835, 1027),
}


@pytest.mark.parametrize("name", STAGES)
def test_receptive_fields_by_stage(name: str) -> None:
    """The lectures' table, whose 427 for ResNet-50 holds with the stride on the 3x3; before it was 483."""
    genome = drawn(name)
    seen: dict[str, tuple[int, int]] = {}
    for layer in infer(genome).layers:
        scope = ".".join(genome.nodes[layer.index].path.split(".")[:2])
        seen[scope] = (layer.receptive_field[0], layer.jump[0])
    assert (seen["stem.conv"], seen["stem.pool"]) == ((7, 2), (11, 4))
    assert tuple(seen[f"stages.{i}"][0] for i in range(4)) == STAGES[name]
    assert tuple(seen[f"stages.{i}"][1] for i in range(4)) == (4, 8, 16, 32)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("resnet20", 81),
        ("resnet20_b", 81),
        ("plain20", 81),
        ("resnet110", 501),
        ("preactresnet110", 501),
        ("preactresnet18", 435),
        ("preactresnet50", 427),
        ("wide_resnet28_10", 109),
        ("resnext29_8x64d", 39),
        ("densenet100_k12_bc", 230),
        ("densenet121", 2071),
        ("densenet161", 2967),
        ("densenet201", 3863),
    ],
)
def test_receptive_field(name: str, field: int) -> None:
    assert infer(drawn(name)).receptive_field == field


@pytest.mark.parametrize(
    "name",
    """
    resnet18 resnet34 resnet50 resnet101 resnet152 resnet110 preactresnet164 resnext29_8x64d
    legacy_seresnet50 legacy_senet154 densenet121 densenet201
    """.split(),
)
def test_names_count_layers(name: str) -> None:
    digits = "".join(c if c.isdigit() else " " for c in name).split()
    assert str(infer(drawn(name)).depth) == digits[0]


def test_the_stride_moves_cost_but_no_parameters() -> None:
    first, later = infer(drawn("resnet50_v1")), infer(drawn("resnet50"))
    assert first.params == later.params
    assert (first.macs, later.macs) == (3_857_973_248, 4_089_184_256)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("resnet56", 853_018),
        ("plain56", 853_018),
        ("resnet152", 60_192_808),
        ("resnext50_32x4d", 25_028_904),
        ("densenet161", 28_681_000),
        ("densenet201", 20_013_928),
        ("legacy_seresnext50_32x4d", 27_559_896),
        ("resnetv2_50", 25_549_352),
    ],
)
def test_parameters_known_from_elsewhere(name: str, params: int) -> None:
    """torchvision's and timm's counts; timm's ResNetV2 has no norm behind the stem: 128 less."""
    assert infer(drawn(name)).params == params


@pytest.mark.parametrize(
    ("name", "lines"), [("resnet50", 110), ("resnet18", 80), ("resnet1202", 90), ("densenet201", 80)]
)
def test_the_source_is_as_short_as_the_idea(name: str, lines: int) -> None:
    assert len(emit(drawn(name)).splitlines()) <= lines


def test_hundred_classes_make_another_network() -> None:
    assert drawn("WRN-16-8 CIFAR-100").key != drawn("WRN-16-8 CIFAR-10").key
    assert infer(drawn("WRN-16-8 CIFAR-100")).output == (100,)
