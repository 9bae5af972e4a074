"""The cell spaces: exact counts, published cells as answers, and the tabular benchmarks as oracles."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest
import torch

from cells import identity
from cells.cell import Cell, Genotype, loose_ends
from cells.cell_ops import DARTS, ENAS, NASNET
from cells.genome import Genome
from cells.infer import infer
from cells.ops import Invalid
from cells.vertex_cell import widths
from nas.build import build
from search_spaces import SPACES, Enumerate, Fixed, Random, Replay, Space, find
from search_spaces.cell_networks import STEMS, cells_of, network
from search_spaces.census import sample, size
from search_spaces.choose import Scalar
from search_spaces.classics.genotypes import nasnet as published
from search_spaces.darts import answers, genotype
from search_spaces.formats import read_nasbench101, read_nasbench201, write_nasbench201

COUNTS = {
    "nasnet": (13**10 * 2**5 * math.factorial(6) ** 2) ** 2,
    "amoebanet": (8**10 * math.factorial(6) ** 2) ** 2,
    "pnas": 8**10 * math.factorial(6) ** 2,
    "enas_micro": (5**5 * math.factorial(6)) ** 4,
    "enas_macro": 6**12 * 2**66,
    "darts": (180 * 7**8) ** 2,
    "nas_rl": (4**3) ** 6 * 2**15,
    "nasbench201": 15_625,
    "nasbench101": 2**21 * 3**5,
}


@pytest.mark.parametrize("name", COUNTS)
def test_sizes_are_exact(name: str) -> None:
    counted = size(SPACES[name], sample(SPACES[name], 30))
    assert (counted.vectors, counted.how) == (COUNTS[name], "product over questions")


def test_published_sizes() -> None:
    assert math.isqrt(COUNTS["darts"]) == 1_037_664_180
    assert COUNTS["pnas"] == pytest.approx(5.6e14, rel=0.01)  # Liu et al. 2018, section 3.1
    # ENAS prints this for its micro cells, where each of five nodes has two inputs and two operations.
    assert (5 * math.factorial(5)) ** 4 == pytest.approx(1.3e11, rel=0.01)


@pytest.mark.parametrize(
    ("name", "shrunken", "count"),
    [
        ("nasnet", {"b": 1, "operations": ("identity", "3x3")}, (2**2 * 2**2 * 2) ** 2),
        ("amoebanet", {"b": 1, "operations": ("identity", "1x7_7x1")}, (2**2 * 2**2) ** 2),
        ("pnas", {"b": 2, "operations": ("identity", "3x3")}, 2**2 * 2**2 * 2**2 * 3**2),
        ("enas_micro", {"b": 3, "operations": ("identity", "sep_conv_3x3")}, (2**2 * 2**2) ** 2),
        ("enas_macro", {"layers": 3, "operations": ("conv_3x3", "max_pool_3x3")}, 2**3 * 2**3),
        ("darts", {"nodes": 2, "operations": ("skip_connect", "dil_conv_5x5")}, (1 * 3 * 2**4) ** 2),
        ("nas_rl", {"layers": 2, "sizes": (1, 3), "filters": (4,), "strides": (1, 2)}, (2 * 2 * 2) ** 2 * 2),
        ("nasbench201", {"operations": ("none", "skip_connect"), "f": 4}, 2**6),
        (
            "nasbench101",
            {"vertices": 4, "f": 4, "operations": ("conv3x3-bn-relu", "maxpool3x3")},
            2**6 * 2**2,
        ),
    ],
)
def test_enumerate_agrees_on_shrunken_ranges(name: str, shrunken: Mapping[str, object], count: int) -> None:
    space = SPACES[name].bind(**shrunken)
    assert size(space, sample(space, 30)).vectors == count
    met = 0
    for chooser in Enumerate():
        met += 1
        try:
            assert infer(space.draw(chooser)).output == (10,)
        except Invalid as error:
            assert "path" in str(error)
    assert met == count


@pytest.mark.parametrize("name", ["nasnet", "amoebanet", "pnas", "enas_micro", "darts"])
@pytest.mark.parametrize("stem", STEMS)
def test_a_cell_moves_to_imagenet(name: str, stem: str) -> None:
    """The same answers draw the network of any stem, depth and width."""
    chooser = Random(3)
    small = infer(SPACES[name].draw(chooser))
    large = (
        SPACES[name].bind(stem=stem, n=2, f=16, input=(3, 64, 64), classes=100).draw(Replay(chooser.record))
    )
    assert infer(large).output == (100,)
    assert infer(large).params > small.params


def genotype_of(record: Mapping[str, Scalar]) -> Genotype:
    """The cells of a block space's answers, read off their names."""
    cells = []
    for role in ("normal", "reduce"):
        nodes = tuple(
            tuple((str(record[f"{role}.{i}.op{k}"]), int(record[f"{role}.{i}.in{k}"] or 0)) for k in (1, 2))
            for i in range(5)
        )
        cells.append(Cell(nodes, loose_ends(nodes)))
    return Genotype(*cells)


def params(space: Space, point: str) -> int:
    return infer(space.draw(Fixed(**space.points[point]))).params


def test_published_cells_draw_the_published_networks() -> None:
    pnas = SPACES["pnas"].bind(n=3, f=48)
    assert params(pnas, "PNASNet-5") == 3_189_082
    pnas = SPACES["pnas"].bind(n=4, f=216, stem="nasnet_large", input=(3, 331, 331), classes=1000)
    assert params(pnas, "PNASNet-5") == 86_057_668  # timm
    paper = SPACES["enas_micro"].bind(n=5, f=36)
    drawn = paper.draw(Fixed(**paper.points["ENAS micro"]))
    assert drawn.key == find("enas_micro_cifar").draw(Fixed()).key
    preset = SPACES["enas_macro"].presets["paper"]
    drawn = SPACES["enas_macro"].bind(**preset.arguments).draw(Replay(preset.points["ENAS macro"]))
    assert infer(drawn).params == 42_559_392
    assert drawn.key == find("enas_macro_cifar").draw(Fixed()).key


@pytest.mark.parametrize(
    ("name", "found", "slim", "n", "f", "total"),
    [
        ("nasnet", published.NASNET_A, "nasneta_cifar_6_768", 6, 32, 3_076_906),
        ("amoebanet", published.AMOEBANET_A, "amoebaneta_cifar_6_36", 6, 36, 2_825_362),
    ],
)
def test_slim_concatenates_more_than_unused_states(
    name: str, found: Genotype, slim: str, n: int, f: int, total: int
) -> None:
    """The published parameters are those of TF-Slim's own lists of outputs; all else is the same network."""
    space = SPACES[name].bind(n=n, f=f)
    (point,) = space.points.values()
    unused = Genotype(*(cell._replace(concat=loose_ends(cell.nodes)) for cell in found))

    def network_of(cells: Genotype) -> Genome:
        made = cells_of(cells, NASNET)
        return network("Net", made, STEMS["cifar"], n=n, f=f, input=(3, 32, 32), classes=10)

    assert all(set(cell.concat) > set(loose_ends(cell.nodes)) for cell in found)
    assert network_of(found).key == find(slim).draw(Fixed()).key
    drawn = space.draw(Replay(point))
    assert drawn.key == network_of(unused).key
    assert infer(drawn).params == total


def test_blocks_of_the_micro_space_are_the_genotype() -> None:
    space = SPACES["enas_micro"]
    for seed in range(5):
        chooser = Random(seed)
        key = space.draw(chooser).key
        cells = cells_of(genotype_of(chooser.record), ENAS)
        same = network("Micro", cells, STEMS["cifar"], n=1, f=8, input=(3, 32, 32), classes=10, bias=False)
        assert same.key == key


@pytest.mark.parametrize(
    ("point", "cifar", "imagenet"),
    [
        ("DARTS_V1", 3_169_414, 4_510_432),
        ("DARTS_V2", 3_349_342, 4_718_752),
        ("P-DARTS", 3_433_798, 4_944_352),
        ("PC-DARTS", 3_634_678, 5_270_560),
    ],
)
def test_darts_points_have_the_published_parameters(point: str, cifar: int, imagenet: int) -> None:
    space = SPACES["darts"]
    assert params(space.bind(**space.presets["paper"].arguments), point) == cifar
    assert params(space.bind(**space.presets["imagenet"].arguments), point) == imagenet


def test_darts_answers_and_genotypes_are_one() -> None:
    space = SPACES["darts"]
    for seed in range(20):
        chooser = Random(seed)
        key = space.draw(chooser).key
        found = genotype(chooser.record)
        assert answers(found) == chooser.record
        same = network(
            "Net", cells_of(found, DARTS), STEMS["cifar"], n=1, f=8, input=(3, 32, 32), classes=10, relu=False
        )
        assert same.key == key
    with pytest.raises(ValueError, match="not all of its nodes"):
        answers(Genotype(found.normal._replace(concat=(3, 4, 5)), found.reduce))
    same_twice = Cell(((("skip_connect", 0), ("skip_connect", 0)),), (2,))
    with pytest.raises(ValueError, match="no two different predecessors"):
        answers(Genotype(same_twice, same_twice))


def test_zoph_and_le_join_maps_of_different_extent() -> None:
    space = SPACES["nas_rl"].bind(strides=(1, 2, 3), filters=(4,), sizes=(1, 3))
    genomes = [space.draw(Random(seed)) for seed in range(30)]
    padded = next(g for g in genomes if any(node.op.name == "pad" for node in g.nodes))
    assert build(padded)(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_a_layer_that_reads_none_reads_the_image() -> None:
    space = SPACES["nas_rl"]
    chooser = Random(0)
    space.draw(chooser)
    genome = space.draw(Replay(chooser.record | {f"layer3.in{j}": 0 for j in range(3)}))
    assert next(node for node in genome.nodes if node.path == "layers.3.conv").inputs == (0,)


# NAS-Bench-201

CELLS = list(product(SPACES["nasbench201"].function.__kwdefaults__["operations"], repeat=6))
EDGES = [f"node{i}.op{j}" for i in range(1, 4) for j in range(i)]


@pytest.fixture(scope="module", params=[False, True], ids=["fed", "unfed"])
def single_cells(request: pytest.FixtureRequest) -> tuple[bool, list[Genome]]:
    """Every cell, once, in 4 channels."""
    space = SPACES["nasbench201"].bind(n=(1,), f=4, input=(3, 8, 8), unfed=request.param)
    return request.param, [space.draw(Replay(dict(zip(EDGES, ops, strict=True)))) for ops in CELLS]


def test_distinct_networks_of_nasbench201(single_cells: tuple[bool, list[Genome]]) -> None:
    unfed, genomes = single_cells
    distinct = {merge: len({identity.key(g, merge=merge) for g in genomes}) for merge in (True, False)}
    assert distinct == ({True: 5875, False: 6040} if unfed else {True: 5260, False: 5425})


def test_cells_of_nasbench201_without_unused_weights(single_cells: tuple[bool, list[Genome]]) -> None:
    """The published formula counts every convolution; 4,250 cells have some that are dead or unfed."""
    unfed, genomes = single_cells
    if unfed:
        pytest.skip("unfed convolutions are left out")
    base = 3 * 4 * 9 + 2 * 4 + 2 * 4 + 4 * 10 + 10
    equal = 0
    for ops, genome in zip(CELLS, genomes, strict=True):
        ones, threes = ops.count("nor_conv_1x1"), ops.count("nor_conv_3x3")
        counted, found = base + ones * (16 + 8) + threes * (144 + 8), infer(genome).params
        assert found <= counted
        equal += found == counted
    assert equal == 11_375


def test_nasbench201_costs_are_those_of_the_table(shared: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(shared / "benchdata" / "nasbench201.parquet").to_pylist()
    assert len(table) == len(CELLS)
    space = SPACES["nasbench201"].bind(n=5, f=16)
    smaller = 0
    for row in random.Random(0).sample(table, 400):
        found = read_nasbench201(row["arch_str"])
        assert write_nasbench201(found) == row["arch_str"]
        assert "".join(str(_CODE[str(v)]) for v in found.values()) == row["edge_ops"]
        costs = infer(space.draw(Replay(found)))
        if costs.params < row["params_cifar10"]:
            smaller += 1
            continue
        assert costs.params == row["params_cifar10"]
        assert (costs.macs + 10) / 1e6 == pytest.approx(row["flops_m_cifar10"], abs=1e-9)  # biases
    assert smaller == pytest.approx(400 * 4250 / 15625, abs=35)


_CODE = {"none": 0, "skip_connect": 1, "nor_conv_1x1": 2, "nor_conv_3x3": 3, "avg_pool_3x3": 4}


# NAS-Bench-101


def rows(shared: Path, count: int) -> Iterator[tuple[dict[str, Scalar], int]]:
    """A sample of the table: the answers, and the parameters."""
    import pyarrow.parquet as pq

    from experiments.nasbench101_keys import answers_of

    table = pq.read_table(
        shared / "benchdata" / "nasbench101.parquet",
        columns=["num_vertices", "adjacency_upper_bits", "interior_ops", "params"],
    )
    for index in random.Random(1).sample(range(len(table)), count):
        row = {name: table[name][index].as_py() for name in table.column_names}
        yield answers_of(row["num_vertices"], row["adjacency_upper_bits"], row["interior_ops"]), row["params"]


def test_nasbench101_cells_are_distinct_and_have_the_published_parameters(shared: Path) -> None:
    single = SPACES["nasbench101"].bind(n=(1,), f=60, input=(3, 8, 8))
    paper = SPACES["nasbench101"].bind(n=3, f=128)
    keys = set()
    count = 6000
    for number, (found, weights) in enumerate(rows(shared, count)):
        keys.add(identity.key(single.draw(Replay(found)), merge=False))
        if number < 500:
            assert infer(paper.draw(Replay(found))).params == weights
    assert len(keys) == count


def test_dangling_vertices_are_nothing() -> None:
    conv, pool = "conv1x1-bn-relu", "maxpool3x3"
    short = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    dangling = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    space = SPACES["nasbench101"]
    one = space.draw(Replay(read_nasbench101(short, ["input", conv, "output"])))
    other = space.draw(Replay(read_nasbench101(dangling, ["input", conv, pool, "output"])))
    assert one.key == other.key
    full = [[int(j > i) for j in range(7)] for i in range(7)]
    with pytest.raises(Invalid, match="21 edges, not at most 9") as caught:
        space.draw(Replay(read_nasbench101(full, ["input", *[conv] * 5, "output"])))
    assert caught.value.violation == 12
    with pytest.raises(Invalid, match="no path leads"):
        space.draw(Replay(read_nasbench101([[0, 0], [0, 0]], ["input", "output"])))


def test_channels_are_shared_as_in_the_paper() -> None:
    # Three vertices share 128; the vertex that feeds the first and the last is as wide as the widest.
    matrix = [[0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0], *([0] * 5 + [1] for _ in range(3)), [0] * 6]
    assert widths(matrix, 128) == [0, 43, 43, 43, 42, 128]


@pytest.mark.parametrize("name", COUNTS)
def test_defaults_are_small(name: str) -> None:
    space = SPACES[name]
    space = space.bind(**space.presets["laptop"].arguments) if "laptop" in space.presets else space
    macs = sorted(sample(space, 40).costs["macs"])
    assert macs[len(macs) // 2] < 60e6
