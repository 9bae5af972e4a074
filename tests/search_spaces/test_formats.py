"""Published texts become genomes and drawn answers become texts; what is malformed is refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cells.cell import Cell, Genotype
from cells.cell_ops import DARTS, MDENAS
from cells.infer import infer
from search_spaces import SPACES, Random, Replay
from search_spaces.cell_networks import cells_of, cifar_stem, network
from search_spaces.darts import answers, genotype
from search_spaces.formats import (
    FormatError,
    read_genotype,
    read_nasbench101,
    read_nasbench201,
    write_genotype,
    write_nasbench101,
    write_nasbench201,
)

PUBLISHED = """
DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0),
  ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)],
  normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2),
  ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)],
  reduce_concat=range(2, 6))
"""


def test_a_published_text_becomes_answers_and_a_network() -> None:
    space = SPACES["darts"].bind(n=6, f=36)
    found = read_genotype(PUBLISHED)
    assert infer(space.draw(Replay(answers(found)))).params == 3_349_342


def spelled(cell: dict[str, Any]) -> tuple[str, str]:
    return repr([tuple(edge) for node in cell["nodes"] for edge in node]), repr(cell["concat"])


def test_texts_of_all_published_cells_give_their_parameters(shared: Path) -> None:
    cells = json.loads((shared / "reference" / "cells.json").read_text())["cells"]
    compared = 0
    for entry in cells:
        if entry["family"] not in ("DARTS-space", "SGAS"):
            continue
        normal, reduce = spelled(entry["normal"]), spelled(entry["reduce"])
        text = (
            f"Genotype(normal={normal[0]}, normal_concat={normal[1]},"
            f" reduce={reduce[0]}, reduce_concat={reduce[1]})"
        )
        found = read_genotype(text)
        assert read_genotype(write_genotype(found)) == found
        cell = cells_of(found, MDENAS if entry["name"] == "MdeNAS" else DARTS)
        drawn = network("Net", cell, cifar_stem, n=6, f=36, input=(3, 32, 32), classes=10, relu=False)
        expected = next(row for row in entry["computed"] if row["input"] == 32)
        assert infer(drawn).params == expected["params"], entry["name"]
        compared += 1
    assert compared == 27


def test_drawn_answers_become_texts() -> None:
    for seed in range(20):
        chooser = Random(seed)
        SPACES["darts"].draw(chooser)
        assert answers(read_genotype(write_genotype(genotype(chooser.record)))) == chooser.record
        chooser = Random(seed)
        SPACES["nasbench201"].draw(chooser)
        assert read_nasbench201(write_nasbench201(chooser.record)) == chooser.record


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Genotype(normal=[", "no Genotype"),
        ("__import__('os').system('true')", "no Genotype"),
        (PUBLISHED + PUBLISHED, "no Genotype"),
        ("Genotype()", "a Genotype has normal"),
        (PUBLISHED.replace("range(2, 6)", "open('x')"), "no literal"),
        (PUBLISHED.replace("range(2, 6)", "range(2, 10**9)"), "no literal"),
        (PUBLISHED.replace("range(2, 6)", "range(2, 999999999)"), "no literal"),
        (PUBLISHED.replace("range(2, 6)", "range(2, 9)"), "of 6 states"),
        (PUBLISHED.replace("range(2, 6)", "7"), "and of states"),
        (PUBLISHED.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 5)"), "node 5 reads"),
        (PUBLISHED.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', '2')"), "two for each node"),
        (PUBLISHED.replace(", ('dil_conv_3x3', 2)", ""), "two for each node"),
    ],
)
def test_malformed_genotypes_are_refused(text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read_genotype(text)


def test_only_sums_of_two_edges_are_written() -> None:
    cell = Cell(((("skip_connect", 0),),), (2,))
    with pytest.raises(FormatError, match="no sums of two edges"):
        write_genotype(Genotype(cell, cell))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "node 1 must be op~0"),
        ("|none~0|+|none~0|", r"node 2 must be op~0\|op~1"),
        ("|none~0|+|none~1|none~0|+|none~0|none~1|none~2|", "node 2"),
        ("|none~0|+|none~0|none~1|", "six edges, not 3"),
    ],
)
def test_malformed_strings_are_refused(text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read_nasbench201(text)


CONV, POOL = "conv3x3-bn-relu", "maxpool3x3"


def test_matrices_are_read_and_written() -> None:
    matrix = [[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    found = read_nasbench101(matrix, ["input", CONV, POOL, "output"])
    written, operations = write_nasbench101(found)
    assert operations[:3] == ["input", CONV, POOL]
    assert [[written[i][j] for j in (0, 1, 2, 6)] for i in (0, 1, 2, 6)] == matrix
    assert read_nasbench101(written, operations) == found


@pytest.mark.parametrize(
    ("matrix", "operations", "reason"),
    [
        ([[0]], ["input"], "two to seven"),
        ([[0, 1], [0]], ["input", "output"], "square"),
        ([[0, 1], [1, 0]], ["input", "output"], "above its diagonal"),
        ([[0, 2], [0, 0]], ["input", "output"], "above its diagonal"),
        ([[0, 1], [0, 0]], [CONV, "output"], "from 'input' to 'output'"),
    ],
)
def test_malformed_matrices_are_refused(matrix: list[list[int]], operations: list[str], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read_nasbench101(matrix, operations)
