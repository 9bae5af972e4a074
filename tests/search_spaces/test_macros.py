"""Macro spaces hold the networks that they generalise, and as many as their papers say."""

from typing import Any

import pytest

from cells.infer import infer
from search_spaces import SPACES, Enumerate, Fixed, find
from search_spaces.census import sample, size

IMAGENET = {"input": (3, 224, 224), "classes": 1000}


def stages(**questions: tuple[Any, ...]) -> dict[str, Any]:
    return {f"stage{i}.{q}": a for q, answers in questions.items() for i, a in enumerate(answers, 1)}


RESNET: dict[str, Any] = {"order": "post", "norm": "batch"}
DEPTHS = (3, 4, 6, 3)
LIKE: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("resnet_like", "resnet20_b", {}, dict(SPACES["resnet_like"].points["resnet20_b"])),
    (
        "resnet_like",
        "resnet34",
        IMAGENET | {"stages": 4},
        RESNET | {"block": "basic"} | stages(d=DEPTHS, w=(64, 128, 256, 512)),
    ),
    (
        "resnet_like",
        "resnet50",
        IMAGENET | {"stages": 4},
        RESNET | {"block": "bottleneck", "cardinality": 1} | stages(d=DEPTHS, w=(64, 128, 256, 512)),
    ),
    (
        "resnet_like",
        "resnext50_32x4d",
        IMAGENET | {"stages": 4},
        RESNET | {"block": "bottleneck", "cardinality": 32} | stages(d=DEPTHS, w=(128, 256, 512, 1024)),
    ),
    (
        "resnet_like",
        "resnetv2_50",
        IMAGENET | {"stages": 4},
        {"order": "pre", "norm": "batch", "block": "bottleneck", "cardinality": 1}
        | stages(d=DEPTHS, w=(64, 128, 256, 512)),
    ),
    (
        "densenet_like",
        "densenet121",
        IMAGENET | {"blocks": 4},
        {"k": 32, "B": True, "theta": 0.5} | {f"block{i}.d": d for i, d in enumerate((6, 12, 24, 16), 1)},
    ),
    (
        "convnext_like",
        "convnext_tiny",
        IMAGENET | {"stages": 4},
        {"response_norm": False}
        | stages(d=(3, 3, 9, 3), w=(96, 192, 384, 768), k=(7, 7, 7, 7), ratio=(4, 4, 4, 4)),
    ),
    (
        "vit",
        "vit_tiny_patch16_224",
        IMAGENET,
        {"patch": 16, "D": 192, "heads": 3, "ratio": 4, "stem": "patches", "summary": "token", "layers": 12},
    ),
    ("mlp_mixer", "mixer_s16_224", IMAGENET, dict(SPACES["mlp_mixer"].points["mixer_s16_224"])),
    *(
        ("densenet_like", name, {}, dict(SPACES["densenet_like"].points[name]))
        for name in ("densenet100_k12_bc", "densenet40_k12")
    ),
]


@pytest.mark.parametrize(("space", "classic", "arguments", "answers"), LIKE, ids=[row[1] for row in LIKE])
def test_a_space_holds_the_published_network(
    space: str, classic: str, arguments: dict[str, Any], answers: dict[str, Any]
) -> None:
    drawn = find(space).bind(**arguments).draw(Fixed(**answers))
    assert drawn.key == find(classic).draw(Fixed()).key


def test_mnasnet_holds_mobilenetv2_but_for_its_non_linearity() -> None:
    space = SPACES["mnasnet"]
    drawn = infer(space.bind(**IMAGENET).draw(Fixed(**space.points["MobileNetV2"])))
    published = infer(find("mobilenetv2_100").draw(Fixed()))
    assert (drawn.params, drawn.macs) == (published.params, published.macs)


def test_mnasnet_has_432_choices_per_block() -> None:
    space = SPACES["mnasnet"]
    assert size(space, sample(space, 20)).vectors == 432**7
    one = space.bind(blocks=1)
    assert sum(1 for chooser in Enumerate() if one.draw(chooser)) == 432


def test_ofa_counts_kernels_and_expansions_of_each_layer() -> None:
    space = SPACES["mobilenetv3"].bind(units=1, k=(3, 5), t=(3, 6), d=(1, 2), resolution=(32,))
    counted = size(space, sample(space, 50))
    assert (counted.vectors, counted.how) == (4 + 4**2, "enumeration")


def test_ofa_at_a_lower_resolution_costs_less() -> None:
    space = SPACES["mobilenetv3"]
    answers = {f"unit{i}.d": 2 for i in range(1, 6)}
    answers |= {f"unit{i}.{j}.{q}": 3 for i in range(1, 6) for j in (0, 1) for q in ("k", "t")}
    small, large = (infer(space.draw(Fixed(resolution=r, **answers))) for r in (24, 32))
    assert small.params == large.params
    assert 0.5 < small.macs / large.macs < 0.62  # (24 / 32)^2 = 0.56


def test_the_lectures_grammar_is_counted() -> None:
    space = SPACES["convnet"].bind(m=(1, 1), n=(1, 5), w=(8, 8), fc=(16, 16))
    # norm, kernel, N, pool; K
    assert size(space, sample(space, 100)).vectors == 2 * 2 * 5 * 2 * 3


@pytest.mark.parametrize("residual", [False, True])
def test_inception_modules_have_the_chosen_branches(residual: bool) -> None:
    space = SPACES["inception"].bind(stages=1)
    answers: dict[str, Any] = {"residual": residual, "joint": "pool"}
    answers |= stages(w=(96,), large=("1x7-7x1",), pool=("max",), r=(0.5,), d=(2,))
    genome = space.draw(Fixed(**answers, **{"stage1.1x1": True, "stage1.3x3": False}))
    paths = {node.path for node in genome.nodes}
    module = "stages.0.1."
    assert {module + p for p in ("branch1x1.conv", "large.1.conv", "large.2.conv", "pool.0")} <= paths
    assert (module + "add" in paths) == residual
    assert infer(genome).output == (10,)
