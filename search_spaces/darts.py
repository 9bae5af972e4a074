"""The space of DARTS (Liu et al. 2019, arXiv:1806.09055, section 3.1): two cells of four nodes, each of which
adds operations on two different predecessors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from cells.cell import Cell, Edge, Genotype, all_nodes
from cells.cell_ops import DARTS
from cells.genome import Genome
from cells.ops import Shape
from search_spaces.cell_networks import STEMS, cells_of, network
from search_spaces.choose import Chooser, Scalar
from search_spaces.classics.genotypes import darts as published
from search_spaces.registry import Preset, space

SEVEN = (
    *("max_pool_3x3", "avg_pool_3x3", "skip_connect"),
    *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
)
ROLES = ("normal", "reduce")


def _cell(choose: Chooser, role: str, operations: Sequence[str], nodes: int) -> Cell:
    """The cell called `role`; a pair of predecessors is asked for as "0,2"."""
    edges: list[tuple[Edge, ...]] = []
    for i in range(2, 2 + nodes):
        place = f"{role}.{i}"
        pairs = [f"{j},{k}" for j, k in combinations(range(i), 2)]
        pair = choose.pick(f"{place}.in", pairs) if len(pairs) > 1 else pairs[0]
        edges.append(
            tuple(
                (choose.pick(f"{place}.op{k}", operations), int(j))
                for k, j in enumerate(pair.split(","), start=1)
            )
        )
    return all_nodes(*edges)


def answers(genotype: Genotype) -> dict[str, Scalar]:
    """The answers that draw a genotype whose nodes have two different predecessors each and are all output.

    Raises:
        ValueError: for other genotypes, which lie outside the space.
    """
    found: dict[str, Scalar] = {}
    for role, cell in zip(ROLES, genotype, strict=True):
        if cell != all_nodes(*cell.nodes):
            raise ValueError(f"the {role} cell's output is {cell.concat}, not all of its nodes")
        for i, edges in enumerate(cell.nodes, start=2):
            if len({j for _, j in edges}) != 2 or len(edges) != 2:
                raise ValueError(f"node {i} of the {role} cell has no two different predecessors: {edges}")
            (first, j), (second, k) = sorted(edges, key=lambda edge: edge[1])
            if i > 2:
                found[f"{role}.{i}.in"] = f"{j},{k}"
            found |= {f"{role}.{i}.op1": first, f"{role}.{i}.op2": second}
    return found


def genotype(record: Mapping[str, Scalar]) -> Genotype:
    """The genotype that answers draw. Raises KeyError when one is missing."""
    cells = []
    for role in ROLES:
        edges: list[tuple[Edge, ...]] = []
        while f"{role}.{len(edges) + 2}.op1" in record:
            place = f"{role}.{len(edges) + 2}"
            pair = str(record[f"{place}.in"]) if edges else "0,1"
            edges.append(
                tuple((str(record[f"{place}.op{k}"]), int(j)) for k, j in enumerate(pair.split(","), start=1))
            )
        cells.append(all_nodes(*edges))
    return Genotype(*cells)


@space(
    presets={
        "gpu": Preset({"n": 2, "f": 16}),
        "paper": Preset({"n": 6, "f": 36}),
        "imagenet": Preset({"n": 4, "f": 48, "stem": "darts", "input": (3, 224, 224), "classes": 1000}),
    },
    points={
        "DARTS_V1": answers(published.DARTS_V1),
        "DARTS_V2": answers(published.DARTS_V2),
        "P-DARTS": answers(published.P_DARTS),
        "PC-DARTS": answers(published.PC_DARTS_CIFAR),
    },
)
def darts(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    n: int = 1,
    f: int = 8,
    stem: str = "cifar",
    nodes: int = 4,
    operations: tuple[str, ...] = SEVEN,
) -> Genome:
    """DARTS: a normal and a reduction cell of four nodes, two different predecessors and seven operations.

    1·3·6·10·7^8 = 1,037,664,180 cells. The paper's networks have 3n + 2 cells: 20 and 14.
    """
    cells = cells_of(Genotype(*(_cell(choose, role, operations, nodes) for role in ROLES)), DARTS)
    return network("DARTS", cells, STEMS[stem], n=n, f=f, input=input, classes=classes, relu=False)
