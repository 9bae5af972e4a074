"""Recipes are what their sources say, and training does what they say."""

import dataclasses
import json
import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cells.genome import Genome
from cells.infer import droppable_paths, infer
from cells.ops import Flatten, GlobalPool, Linear
from cells.sketch import Sketch
from nas import data
from nas.build import build, initialise
from nas.fit import Training, optimiser
from nas.recipe import Recipe
from nas.recipes import PAPERS, RecipeError, paper, standard
from nas.schedule import Plateau, learning_rate
from nas.sources import Images
from nas.transfer import TransferError, cut, factors, head, with_classes
from search_spaces import SPACES, Fixed, find, load_plugins

load_plugins()
NAMES = [*SPACES]
CPU = torch.device("cpu")


def drawn(name: str) -> Genome:
    return find(name).draw(Fixed())


def images(count: int = 64, side: int = 8) -> Images:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 3, side, side)).astype(np.uint8)
    return Images("noise", pixels, rng.integers(0, 2, count), ("a", "b"))


def tiny() -> Genome:
    s = Sketch((3, 8, 8))
    return s.genome(s.chain(s.input, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


def test_recipes_of_older_tables_are_read() -> None:
    old = {"name": "brief", "dataset": "cifar10", "epochs": 3, "schedule": "one-cycle", "flip": False}
    read = Recipe.from_json(old)
    assert (read.epochs, read.schedule, read.flip) == (3, "one-cycle", False)
    assert (read.ema, read.decay, read.pad, read.normalise) == (0.0, "weights", "reflect", "channel")
    with pytest.raises(TypeError):
        Recipe.from_json({"colour": 1})


@pytest.mark.parametrize("entry", PAPERS, ids=[e.names for e in PAPERS])
def test_every_paper_is_of_some_network(entry: Any) -> None:
    found = [name for name in NAMES if re.fullmatch(entry.names, name)]
    assert found
    recipe, first = paper([found[0]], "cifar10", precision="fp32")
    assert first is entry, f"{first.names} hides {entry.names}"
    assert Recipe.from_json(json.loads(recipe.dumps())) == recipe
    assert recipe.schedule != "plateau" or recipe.val_images
    rates = [learning_rate(i, 1000, recipe) for i in range(1000)]
    assert max(rates) <= 1
    assert recipe.schedule == "plateau" or rates[-1] < 0.8
    with pytest.raises(RecipeError, match="none is known for lenet5"):
        paper(["lenet5"], "cifar10", precision="fp32")


def test_resnet20_is_trained_as_in_its_paper() -> None:
    """He et al. 2015, section 4.2; weight decay and initialisation: section 3.4."""
    recipe, _ = paper(["resnet20"], "cifar10", precision="fp32")
    assert (recipe.batch, recipe.steps, recipe.val_images) == (128, 64_000, 0)
    assert (recipe.optimiser, recipe.momentum, recipe.nesterov) == ("sgd", 0.9, False)
    assert (recipe.weight_decay, recipe.decay, recipe.init) == (1e-4, "all", "he")
    assert (recipe.crop, recipe.pad, recipe.flip, recipe.normalise) == (4, "zero", True, "pixel")
    rates = [recipe.lr * learning_rate(i, 64_000, recipe) for i in range(64_000)]
    changes = [i for i in range(1, 64_000) if rates[i] != rates[i - 1]]
    assert changes == [32_000, 48_000]
    assert [rates[0], *(rates[i] for i in changes)] == pytest.approx([0.1, 0.01, 0.001])
    for name in (
        "label_smoothing",
        "cutout",
        "mixup",
        "cutmix",
        "dropout",
        "drop_path",
        "ema",
        "pca",
        "clip",
    ):
        assert getattr(recipe, name) == 0
    deep, _ = paper(["resnet110"], "cifar10", precision="fp32")
    assert [deep.lr * learning_rate(i, 64_000, deep) for i in (0, 399, 400)] == pytest.approx(
        [0.01, 0.01, 0.1]
    )


def test_training_ends_after_the_steps_of_the_recipe() -> None:
    recipe = Recipe(val_images=4, batch=20, steps=7, lr=0.01)
    training = Training(build(tiny()), data.split(images(), recipe, CPU), recipe, 0)
    assert [e.epoch for e in training.epochs()] == [1, 2, 3]
    assert training.at == 7


def test_a_plateau_lowers_the_rate_when_its_patience_ends() -> None:
    recipe = Recipe(schedule="plateau", patience=2, gamma=0.1)
    plateau, scales = Plateau(), []
    for accuracy in (0.1, 0.2, 0.2, 0.1, 0.15, 0.3, 0.3, 0.3):
        plateau.judge(accuracy, recipe)
        scales.append(plateau.scale)
    assert scales == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01])


def test_standard_fits_its_data() -> None:
    for count in (60, 1438, 50_000):
        recipe = standard("mine", count, gpu=False, precision="fp32")
        assert 0 < recipe.val_images < count / 10


@pytest.mark.parametrize(
    ("init", "spread"),
    [("he", math.sqrt(2 / 27)), ("xavier", math.sqrt(2 / (27 + 16 * 9))), ("gaussian", 0.01)],
)
def test_initialisations(init: Any, spread: float) -> None:
    genome = drawn("resnet20")
    module = build(genome)
    torch.manual_seed(0)
    initialise(module, genome, Recipe(init=init))
    assert float(module.get_parameter("stem.conv.weight").detach().std()) == pytest.approx(spread, rel=0.15)
    assert not module.get_parameter("head.fc.bias").any()


def test_alexnet_has_its_biases() -> None:
    """Krizhevsky et al. 2012, section 5: 1 in the second, fourth and fifth convolution and hidden layers."""
    genome = find("alexnet_cifar10").draw(Fixed()) if "alexnet_cifar10" in SPACES else drawn("alexnet")
    module = build(genome)
    initialise(module, genome, Recipe(init="gaussian"))
    layers = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    convs = [m for m in layers if isinstance(m, nn.Conv2d)]
    for number, conv in enumerate(convs):
        if conv.bias is not None:
            assert bool((conv.bias == (number in (1, 3, 4))).all())
    assert layers[-1].bias is None or not layers[-1].bias.any()


# -- distortions -----------------------------------------------------------------------------------------


def shown(recipe: Recipe, count: int = 64, side: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """(normalised, distorted) images."""
    split = data.split(images(count, side), dataclasses.replace(recipe, val_images=0), CPU)
    generator = torch.Generator().manual_seed(1)
    return data.normalised(split.x, split), data.augmented(split.x, split, recipe, generator)


def test_pixels_have_means_of_their_own() -> None:
    x, _ = shown(Recipe(normalise="pixel"))
    assert x.mean(0).abs().max() < 1e-3
    assert float(x.std()) == pytest.approx(255 / math.sqrt(12), rel=0.05)  # nothing is divided


def test_crops_padded_with_zeros_show_a_shifted_image() -> None:
    plain, made = shown(Recipe(crop=2, flip=False, pad="zero", normalise="pixel"))
    padded = nn.functional.pad(plain, (2,) * 4)
    shifts = []
    for image, crop in zip(padded, made, strict=True):
        shifts += [
            (i, j) for i in range(5) for j in range(5) if torch.equal(image[:, i : i + 8, j : j + 8], crop)
        ]
    assert len(shifts) == len(made)
    assert len(set(shifts)) > 15


NEUTRAL = Recipe(crop=0, flip=False)


def test_cutout_sets_a_square_to_the_mean() -> None:
    plain, made = shown(dataclasses.replace(NEUTRAL, cutout=4))
    changed = (made != plain).any(1)
    assert bool((made[changed[:, None].expand_as(made)] == 0).all())
    sizes = changed.flatten(1).sum(1)
    assert int(sizes.max()) == 16
    assert int(sizes.min()) >= 4  # cut off at a corner


@pytest.mark.parametrize("change", [{"rotate": 20.0}, {"shear": 20.0}, {"translate": 0.2}, {"area": 0.3}])
def test_warps_differ_from_image_to_image(change: dict[str, float]) -> None:
    x, made = shown(dataclasses.replace(NEUTRAL, **change), side=16)
    assert made.shape == x.shape
    assert float((made - x).abs().mean()) > 0.1
    one = torch.arange(16.0).expand(2, 3, 16, 16).contiguous()
    still = dataclasses.replace(NEUTRAL, **dict.fromkeys(change, 1e-9 if "area" not in change else 1.0))
    assert torch.allclose(data._warped(one, still, torch.Generator()), one, atol=1e-3)


def test_a_translation_shifts() -> None:
    one = torch.arange(16.0).expand(64, 1, 16, 16).contiguous()
    made = data._warped(one, dataclasses.replace(NEUTRAL, translate=0.25), torch.Generator().manual_seed(0))
    shifts = made[:, 0, 8, 8] - one[:, 0, 8, 8]
    assert 2 < float(shifts.abs().max()) <= 4.001


def test_colour_noise_lies_along_the_principal_components() -> None:
    recipe = dataclasses.replace(NEUTRAL, pca=0.1, val_images=0)
    split = data.split(images(), recipe, CPU)
    covariance = np.cov(images().pixels.transpose(1, 0, 2, 3).reshape(3, -1))
    assert np.allclose((split.colours @ split.colours.T).numpy(), covariance, rtol=1e-3, atol=1)
    plain, made = shown(recipe)
    noise = (made - plain)[:, :, 0, 0]
    assert torch.allclose(made - plain, noise[:, :, None, None].expand_as(plain), atol=1e-5)
    assert float(noise.std()) == pytest.approx(0.1, rel=0.3)


@pytest.mark.parametrize("how", ["mixup", "cutmix"])
def test_mixed_images_have_the_share_that_is_said(how: str) -> None:
    x = torch.arange(32.0).view(32, 1, 1, 1).expand(32, 3, 16, 16).contiguous()
    shares = []
    for seed in range(30):
        made = data.mixed(x, Recipe(**{how: 1.0}), torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
        expected = made.share * x[:, 0, 0, 0] + (1 - made.share) * x[made.partner][:, 0, 0, 0]
        assert torch.allclose(made.x[:, 0].mean((1, 2)), expected, atol=1e-3)
        assert made.x[1].unique().numel() <= (1 if how == "mixup" else 2)
        shares.append(made.share)
    assert min(shares) < 0.3 < 0.7 < max(shares)


# -- parts of networks -----------------------------------------------------------------------------------


def test_drop_path_drops_branches_and_no_shortcut() -> None:
    assert droppable_paths(drawn("resnet20")) == [f"stages.{i}.{j}.bn2" for i in range(3) for j in range(3)]
    assert all(path.endswith("sigmoid") for path in droppable_paths(drawn("seresnet20")))
    cell = [
        p.removeprefix("cells.0.")
        for p in droppable_paths(drawn("darts_v2_cifar"))
        if p.startswith("cells.0.")
    ]
    assert cell == ["node2_0.bn2", "node2_1.bn2", "node3_0.bn2", "node3_1.bn2", "node4_0.bn2", "node5_1.bn"]
    assert len(droppable_paths(drawn("convnext_tiny"))) == 3 + 3 + 9 + 3


def test_a_dropped_path_leaves_the_shortcut() -> None:
    genome = drawn("resnet20")
    recipe = Recipe(val_images=4, epochs=2, batch=20, drop_path=0.5)
    pixels = images(side=32)
    training = Training(build(genome), data.split(pixels, recipe, CPU), recipe, 0, genome=genome)
    norm = training.module.get_submodule("stages.0.0.bn2").train()
    x = torch.randn(64, 16, 4, 4)
    assert float(norm(x)[0].detach().abs().sum()) > 0  # nothing is dropped in the first epoch
    training._drop = 0.5
    made = norm(x)
    dropped = made.flatten(1).abs().sum(1) == 0
    assert 15 < int(dropped.sum()) < 49
    assert torch.allclose(
        made[~dropped], 2 * nn.functional.batch_norm(x, None, None, training=True)[~dropped], atol=1e-4
    )
    assert bool((norm.eval()(x).flatten(1).abs().sum(1) > 0).all())


NO_HEAD = ("alphago_", "inception_module", "lenet5_1998")


def test_heads_are_replaced() -> None:
    classics = [n for n in NAMES if SPACES[n].classic and not n.startswith(NO_HEAD)]
    for name in classics[::12]:
        genome = drawn(name)
        changed = with_classes(genome, 7)
        assert infer(changed).output == (7,), name
        assert all(changed.facts[i].shape == (7,) for i in changed.aux)
        assert {n.path for n in changed.nodes} == {n.path for n in genome.nodes}
    with pytest.raises(TransferError, match="is not that of one layer"):
        with_classes(drawn("inception_module"), 7)


def test_networks_are_cut_behind_a_part() -> None:
    genome = cut(drawn("resnet50"), "stage2", 5)
    assert infer(genome).output == (5,)
    assert head(genome) == "classifier.fc"
    assert build(genome).eval()(torch.zeros(1, *genome.input)).shape == (1, 5)
    assert not [n for n in genome.nodes if n.path.startswith("stages.2")]


def test_selectors() -> None:
    genome = drawn("resnet20")
    given = factors(genome, [("all-but-head", 0.01), ("first-third", 0.0), ("head", 0.1)])
    assert given["head.fc"] == 0.1
    assert given["stem.conv"] == given["stages.0.0.bn1"] == 0.0
    assert given["stages.2.2.bn2"] == 0.01
    layers = [n.path for n in genome.nodes if n.op.weighted]
    assert [given[p] for p in layers].count(0.0) == len(layers) // 3
    until = factors(genome, [("until:stage2", 0.0)])
    assert {p.split(".")[1] for p, f in until.items() if not f and p.startswith("stages")} == {"0"}
    assert factors(genome, [("stages.1", 0.5)])["stages.1.0.conv1"] == 0.5
    for wrong in ("stage9", "until:neck", "stages.1x"):
        with pytest.raises(TransferError, match=r"it has stem, stages\.0, stages\.1, stages\.2, head"):
            factors(genome, [(wrong, 0.0)])


@pytest.mark.parametrize("kind", ["sgd", "adamw", "rmsprop"])
def test_optimisers_have_groups_by_factor(kind: Any) -> None:
    genome = drawn("resnet20")
    module = build(genome)
    given = factors(genome, [("stem", 0.5)])
    made = optimiser(module, Recipe(optimiser=kind, decay="all"), given)
    assert [g["factor"] for g in made.param_groups] == [0.5, 0.5, 1.0, 1.0]
    assert {g["weight_decay"] for g in made.param_groups} == {5e-4}
    assert sum(p.numel() for g in made.param_groups for p in g["params"]) == infer(genome).params
    assert sum(p.numel() for g in made.param_groups[:2] for p in g["params"]) == 3 * 16 * 9 + 32
