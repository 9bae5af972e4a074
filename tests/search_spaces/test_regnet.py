"""AnyNet and RegNet against the published networks and the paper's numbers."""

import csv
from pathlib import Path

import pytest
import torch

from cells.infer import infer
from cells.ops import Conv, Invalid, Linear
from nas.build import build
from nas.show import warnings
from search_spaces import SPACES, Fixed, Random, SpaceError, find
from search_spaces.anynet import BLOCKS
from search_spaces.regnet import PUBLISHED, answers, stages_of
from search_spaces.stages import compatible, downsampling


def rows(shared: Path) -> list[dict[str, str]]:
    with (shared / "reference" / "regnet_params.csv").open() as file:
        return list(csv.DictReader(file))


def test_published_networks_are_equal_to_the_integer(shared: Path) -> None:
    """Params, MACs and activations; and pycls's printed numbers by its own rules."""
    for row in rows(shared):
        # The zoo's RegNetY-8.0GF and torchvision's are two networks.
        name = "regnety_080_tv" if row["name"] == "RegNetY-8.0GF (torchvision)" else row["name"].split()[0]
        genome = find(name).draw(Fixed())
        costs = infer(genome)
        assert costs.params == int(row["computed_params"]), row["name"]
        assert costs.macs == int(row["computed_macs"]), row["name"]
        assert costs.activations == int(row["computed_acts_conv"]), row["name"]
        # pycls counts one flop for each bias added, and the outputs of linear layers (and max-pools,
        # which a RegNet does not have) as activations.
        shapes = {layer.index: layer.shape for layer in costs.layers}
        biases = sum(
            shapes[i][0]
            for i, node in enumerate(genome.nodes)
            if isinstance(node.op, Conv | Linear) and node.op.bias
        )
        if row["computed_flops_pycls_rule"]:  # not of torchvision's own
            assert costs.macs + biases == int(row["computed_flops_pycls_rule"]), row["name"]
        assert costs.activations + costs.output[0] == int(row["computed_acts_pycls_rule"]), row["name"]


def test_published_widths_and_depths(shared: Path) -> None:
    for row in rows(shared):
        d, w_0, w_a, w_m = int(row["depth"]), int(row["w0"]), float(row["wa"]), float(row["wm"])
        drawn, levels = stages_of(d, w_0, w_a, w_m)
        assert levels == 4
        assert " ".join(str(w) for w, _ in drawn) == row["stage_widths_quantized"]
        assert " ".join(str(n) for _, n in drawn) == row["stage_depths"]


@pytest.mark.parametrize(
    ("name", "params"),
    [
        # Sizes of networks outside the reference table, as torchvision and timm publish them (millions).
        ("regnetx_002", 2.68),
        ("regnetx_006", 6.20),
        ("regnety_002", 3.16),
        ("regnety_008", 6.26),
        ("regnety_016", 11.20),
        ("regnety_064", 30.58),
    ],
)
def test_unlisted_networks(name: str, params: float) -> None:
    costs = infer(find(name).draw(Fixed()))
    assert round(costs.params / 1e6, 2) == params


def test_every_published_setting_is_a_point_of_the_space() -> None:
    for name in PUBLISHED:
        assert SPACES["regnet"].points[f"RegNet{name}"] == answers(name)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ((64, 1, 16), (64, 64, 16)),
        ((64, 4, 32), (64, 16, 16)),  # g at most v
        ((24, 1, 16), (32, 32, 16)),  # v rounded to a multiple of g (to the even one in the middle)
        ((56, 2, 8), (64, 32, 8)),
        ((8, 4, 32), (8, 2, 2)),
    ],
)
def test_compatible_widths(given: tuple[int, int, int], made: tuple[int, int, int]) -> None:
    assert compatible(*given) == made


def test_distinct_triples_after_adjustment() -> None:
    triples = {
        compatible(w, b, g) for w in range(8, 1025, 8) for b in (1, 2, 4) for g in (1, 2, 4, 8, 16, 32)
    }
    assert len(triples) == 1496


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ((64, 0.25, 16), (64, 256, 16)),
        ((40, 0.25, 24), (42, 168, 24)),  # v rounded to a multiple of lcm(24, 4), so w need not be one of 8
        ((24, 0.5, 3), (24, 48, 3)),
    ],
)
def test_compatible_widths_of_inverted_bottlenecks(
    given: tuple[int, float, int], made: tuple[int, int, int]
) -> None:
    assert compatible(*given) == made


BLOCK_PARAMS = {
    # A block of 16 channels behind a stem of 16, by hand: convolutions, batch norms, gate.
    "X": (16 * 8 * 2 + 9 * 8 * 4) + 2 * (8 + 8 + 16),
    "Y": (16 * 8 * 2 + 9 * 8 * 4) + 2 * (8 + 8 + 16) + (8 * 4 + 4) + (4 * 8 + 8),
    "R": (16 * 8 * 2 + 9 * 8 * 8) + 2 * (8 + 8 + 16),
    "V": 9 * 16 * 16 + 2 * 16,
    "VR": 9 * 16 * 16 + 2 * 16,
    "vanilla": 2 * (9 * 16 * 16 + 2 * 16),
    "res_basic": 2 * (9 * 16 * 16 + 2 * 16),
}


@pytest.mark.parametrize("block", BLOCKS)
def test_block_kinds(block: str) -> None:
    """Two networks that differ in one block more of the first stage."""
    space = SPACES["anynet"].bind(block=block, stem_width=16)
    found = []
    for depth in (1, 2):
        letters = {"d": 1, "w": 16, "b": 2, "g": 4}
        settings = {f"stage{i}.{letter}": v for i in range(1, 5) for letter, v in letters.items()}
        chooser = Fixed(**settings | {"stage1.d": depth})
        genome = space.draw(chooser)
        found.append(infer(genome))
        asked = {name.partition(".")[2] for name in chooser.record}
        assert asked == {"X": set("dwbg"), "Y": set("dwbg"), "R": set("dwb")}.get(block, set("dw"))
        residual = any(node.op.name == "add" for node in genome.nodes)
        assert residual == (block not in ("V", "vanilla"))
    assert found[1].params - found[0].params == BLOCK_PARAMS[block]
    assert build(genome)(torch.randn(1, 3, 32, 32)).shape == (1, 10)


def test_an_unknown_block_is_named() -> None:
    with pytest.raises(SpaceError, match="no block is called 'Q'"):
        SPACES["anynet_e"].bind(block="Q").draw(Random(0))


@pytest.mark.parametrize(
    ("side", "stem", "expected"),
    [
        (224, None, (2, (2, 2, 2, 2))),
        (32, None, (2, (1, 2, 2, 2))),
        (32, 1, (1, (1, 2, 2, 2))),
        (28, None, (2, (1, 2, 2, 2))),
        (16, None, (1, (1, 2, 2, 2))),
        (8, None, (1, (1, 2, 2, 1))),
        (64, None, (2, (1, 2, 2, 2))),
    ],
)
def test_default_strides(side: int, stem: int | None, expected: tuple[int, tuple[int, ...]]) -> None:
    assert downsampling((3, side, side), stem, None) == expected


@pytest.mark.parametrize("side", [2, 3, 5, 8, 15, 17, 31, 33, 100, 225])
def test_defaults_never_go_below_2x2(side: int) -> None:
    genome = SPACES["regnet"].bind(input=(1, side, side)).draw(Fixed(**answers("X-200MF")))
    costs = infer(genome)
    maps = [layer.shape for layer in costs.layers if genome.nodes[layer.index].op.conv]
    assert min(min(shape[1:]) for shape in maps) >= 2
    assert not [w for w in warnings(genome, costs) if "is 1 wide" in w]


def test_show_warns_below_2x2() -> None:
    space = SPACES["regnet"].bind(input=(3, 16, 16), stem_stride=2, strides=(2, 2, 2, 2))
    genome = space.draw(Fixed(**answers("X-200MF")))
    assert any("is 1 wide" in w for w in warnings(genome, infer(genome)))


def test_other_stage_counts_are_rejected_before_a_genome_is_drawn() -> None:
    space = SPACES["regnet"]
    accepted = 0
    for seed in range(3000):
        try:
            space.draw(Random(seed))
            accepted += 1
        except Invalid as error:
            assert error.violation >= 1
            assert "stages" in str(error)
    assert 0.12 < accepted / 3000 < 0.16  # 14% of the paper's ranges have four stages


def test_laptop_seed_point() -> None:
    space = SPACES["regnet"]
    preset = space.presets["laptop"]
    genome = space.bind(**preset.arguments).draw(Fixed(**preset.points["laptop"]))
    assert infer(genome).macs == 4_964_016
    assert stages_of(10, 16, 20, 2.5)[0] == [(16, 1), (40, 2), (96, 5), (248, 2)]
    gpu = space.bind(**space.presets["gpu"].arguments).draw(Fixed(**answers("X-200MF")))
    assert round(infer(gpu).macs / 1e6, 1) == 58.6
