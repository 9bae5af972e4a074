"""Scaling: published networks from smaller ones, and that any network stays legal and grows."""

from functools import cache

import pytest
import torch

from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer
from cells.ops import Conv, Invalid, Linear
from cells.scale import ALPHA, BETA, GAMMA, broadened, scaled, sharpened, taking, telling
from cells.stages import stages
from cells.view import View
from nas.build import build
from search_spaces import Fixed, Random, find, names
from search_spaces.classics.efficientnet import PUBLISHED


@cache
def drawn(name: str) -> Genome:
    return find(name).draw(Fixed())


def compound(genome: Genome, phi: float, *, alpha: float = ALPHA, gamma: float = GAMMA) -> Genome:
    return scaled(genome, depth=alpha**phi, width=BETA**phi, resolution=gamma**phi)


@pytest.mark.parametrize("name", PUBLISHED)
def test_efficientnet_b0_becomes_its_published_relatives(name: str) -> None:
    w, d, r, dropout, _ = PUBLISHED[name]
    made = taking(scaled(drawn("efficientnet_b0"), width=w, depth=d), (3, r, r))
    published = drawn(f"efficientnet_{name}")
    ours, theirs = infer(made), infer(published)
    assert (ours.params, ours.macs, ours.activations) == (theirs.params, theirs.macs, theirs.activations)
    # Their dropout grows as well; scaling leaves it at B0's.
    assert (made.key == published.key) == (dropout == PUBLISHED["b0"][3])


@pytest.mark.parametrize(
    ("name", "larger", "factors"),
    [
        ("mobilenetv1_100", "mobilenetv1_075", {"width": 0.75}),
        ("mobilenetv1_100", "mobilenetv1_050", {"width": 0.5}),
        ("mobilenetv1_100", "mobilenetv1_025", {"width": 0.25}),
        ("mobilenetv1_100", "mobilenetv1_100_160", {"resolution": 160 / 224}),
        ("fdmobilenet_w1", "fdmobilenet_wd2", {"width": 0.5}),
        ("mobilenetv2_100", "mobilenetv2_140", {"width": 1.4}),
        ("resnet20", "resnet56", {"depth": 3}),
        ("resnet20", "resnet44", {"depth": 7 / 3}),
        ("resnet56", "resnet20", {"depth": 1 / 3}),
        ("vit_tiny_patch16_224", "vit_base_patch16_224", {"width": 4}),
    ],
)
def test_published_multiples_of_published_networks(name: str, larger: str, factors: dict[str, float]) -> None:
    assert scaled(drawn(name), **factors).key == drawn(larger).key


def test_mobilenetv2_narrows_all_but_its_head_as_published() -> None:
    """Sandler et al. 2018, section 6.1: no multiplier below 1 is applied to the last convolution."""
    made, published = scaled(drawn("mobilenetv2_100"), width=0.75), drawn("mobilenetv2_075")
    ours, theirs = ({n.path: n.op for n in genome.nodes} for genome in (made, published))
    assert {path for path in ours if ours[path] != theirs[path]} == {"head.conv"}
    assert (ours["head.conv"], theirs["head.conv"]) == (Conv(960, 1), Conv(1280, 1))


@pytest.mark.parametrize("point", ["DARTS_V2", "P-DARTS"])
def test_cells_are_repeated_as_the_space_repeats_them(point: str) -> None:
    space = find("darts")
    three, six = (space.bind(n=n).draw(Fixed(**space.points[point])) for n in (3, 6))
    assert scaled(three, depth=2).key == six.key
    assert scaled(six, depth=0.5).key == three.key


def test_a_nasnet_of_twice_as_many_cells() -> None:
    space = find("nasnet").bind(f=8)
    three, six = (space.bind(n=n).draw(Fixed(**space.points["NASNet-A"])) for n in (3, 6))
    assert scaled(three, depth=2).key == six.key


@pytest.mark.parametrize(
    ("name", "depths"),
    [
        ("resnet50", [4, 5, 8, 4]),
        ("mobilenetv1_100", [2, 3, 3, 8, 3]),
        ("convnext_tiny", [4, 4, 11, 4]),  # a downsampling layer is no block
        ("swin_tiny_patch4_window7_224", [3, 3, 8, 3]),
        ("vgg16_bn", [3, 3, 4, 4, 4]),
    ],
)
def test_stages_grow_by_a_fifth_rounded_up(name: str, depths: list[int]) -> None:
    made = scaled(drawn(name), depth=1.2)
    assert [s.depth for s in stages(View(made)) if s.copies] == depths
    paths = [node.path for node in made.nodes]
    assert len(set(paths)) == len(paths)


def test_attention_windows_keep_alternating() -> None:
    made = scaled(drawn("swin_tiny_patch4_window7_224"), depth=2)
    shifts = [getattr(n.op, "shift", None) for n in made.nodes if n.path.endswith(".windows")]
    assert shifts == [0, 3] * 12


def test_a_stage_of_one_block_goes_on_with_a_residual_one() -> None:
    before, made = drawn("efficientnet_b0"), scaled(drawn("efficientnet_b0"), depth=1.1)
    ops = {n.path: n.op for n in made.nodes}
    shapes = {n.path: f.shape for n, f in zip(made.nodes, made.facts, strict=True)}
    assert "stages.6.1.add" in ops
    assert shapes["stages.6.1.expand"] == (6 * 320, 7, 7)
    assert "stages.6.1.project" not in {n.path for n in before.nodes}
    # A projecting shortcut is none where the shape stays.
    regnet = {n.path for n in scaled(drawn("regnetx_002"), depth=2).nodes}
    assert "stages.0.1.conv1" in regnet
    assert "stages.0.1.proj" not in regnet


def test_an_extent_that_does_not_fit_is_moved_to_the_nearest() -> None:
    genome = drawn("nasnetamobile")
    with pytest.raises(Invalid, match="shapes differ"):
        taking(genome, (3, 336, 336))
    assert sharpened(genome, 1.5).input == (3, 322, 322)
    for side in range(323, 350):
        with pytest.raises(Invalid):
            taking(genome, (3, side, side))


def test_widths_keep_their_divisor() -> None:
    genome = drawn("resnet20_b")
    widths = [
        {n.op.out for n in broadened(genome, 1.1, divisor).nodes if isinstance(n.op, Conv)}
        for divisor in (1, 4, 8)
    ]
    assert widths == [{18, 35, 70}, {16, 36, 72}, {16, 32, 72}]


def test_other_classes_reach_the_auxiliary_heads() -> None:
    made = telling(drawn("googlenet"), 7)
    assert [made.facts[i].shape for i in (made.output, *made.aux)] == [(7,)] * 3
    assert telling(drawn("squeezenet1_0"), 7).facts[-1].shape == (7,)


SAMPLE = "resnet18 resnext29_2x64d seresnet20 shufflenet_v2_x0_5 shufflenet_g3_w1 mixnet_s googlenet".split()
SAMPLE += "preactresnet20 convnext_tiny vit_tiny_patch16_224 gmlp_ti16_224 densenet40_k12 regnety_002".split()
SAMPLE += [
    "darts_v2_cifar",
    "ghostnet_100",
    "mobilenetv3_small_100",
    "swin_tiny_patch4_window7_224",
    "lenet5",
]
SPACES = [name for name in names(classic=False) if name not in ("anynet_b", "anynet_c", "anynet_d", "hybrid")]


def whole(name: str) -> Genome:
    if name not in SPACES:
        return drawn(name)
    for seed in range(50):
        try:
            return find(name).draw(Random(seed))
        except Invalid:
            continue
    raise AssertionError(name)


@pytest.mark.parametrize("name", [*SAMPLE, *SPACES])
def test_any_network_stays_legal_and_grows_with_phi(name: str) -> None:
    genome = whole(name)
    before = infer(genome)
    assert broadened(genome, 1).key == scaled(genome).key == genome.key
    able = {}
    for dimension in ("depth", "width", "resolution"):
        try:
            able[dimension] = scaled(genome, **{dimension: 1.3})
        except Invalid as error:
            assert str(error).startswith(f"{dimension}: ")
            assert "\n" not in str(error)
    assert "width" in able
    for made in able.values():
        assert infer(made).output == before.output
        assert infer(made).macs >= before.macs
        assert Genome.loads(made.dumps()) == made
        assert emit(made)
    sizes = []
    for phi in (0, 0.5, 1, 3):
        alpha = ALPHA if "depth" in able else 1
        gamma = GAMMA if "resolution" in able else 1
        sizes.append(infer(compound(genome, phi, alpha=alpha, gamma=gamma)).macs)
    assert sizes == sorted(sizes)
    assert sizes[0] == before.macs < sizes[-1]


@pytest.mark.parametrize("name", ["seresnet20", "shufflenet_v2_x0_5", "darts_v2_cifar", "regnety_002"])
def test_a_scaled_network_trains(name: str) -> None:
    genome = scaled(drawn(name), depth=1.1, width=0.5)
    genome = telling(taking(genome, (3, 32, 32)), 5)
    outputs = build(genome)(torch.randn(2, 3, 32, 32))
    (outputs[0] if isinstance(outputs, tuple) else outputs).sum().backward()
    assert isinstance(genome.nodes[-1].op, Linear)


@pytest.mark.parametrize(
    ("name", "factors", "said"),
    [
        ("densenet40_k12", {"depth": 2}, "depth: no block is repeated"),
        ("lenet5", {"depth": 2}, "depth: no block is repeated"),
        ("lenet5", {"resolution": 1.5}, "resolution: c5 has weights for every position: .* images of 32x32"),
        ("vit_tiny_patch16_224", {"resolution": 1.1}, "resolution: embed.position has weights"),
        ("vgg11", {"resolution": 1.5}, "resolution: classifier.fc1 has weights"),
        ("mixer_s16_224", {"resolution": 1.5}, "resolution: the network does not take images of 3x336x336"),
        ("transformer_block", {"width": 2}, "width: every width is tied to the image"),
        ("inception_module", {"resolution": 2}, "resolution: the output is one of every position"),
    ],
)
def test_what_cannot_be_scaled_says_so(name: str, factors: dict[str, float], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        scaled(drawn(name), **factors)
