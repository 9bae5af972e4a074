"""The forms in which people publish cells, read and written; nothing that is read is run.

DARTS's `Genotype(normal=[('sep_conv_3x3', 1), ...], normal_concat=range(2, 6), reduce=[...], ...)`
(quark0/darts, genotypes.py), NAS-Bench-201's `|op~0|+|op~0|op~1|+...` (Dong & Yang 2020), NAS-Bench-101's
matrix with its list of operations (google-research/nasbench, ModelSpec) and NAS-Bench-301's configurations
(Siems et al. 2020).
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from cells.cell import Cell, Genotype
from cells.vertex_cell import pruned
from search_spaces.choose import Scalar

Answers = dict[str, Scalar]

_EDGE = re.compile(r"([A-Za-z0-9_]+)~(\d+)")


class FormatError(ValueError):
    """A text that is not of its format; the message says where."""


def read_genotype(text: str) -> Genotype:
    """The genotype of a DARTS text, or of an assignment of one, with two edges for each node.

    Raises:
        FormatError: it is none.
    """
    try:
        statements = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise FormatError(f"no Genotype(...): {error}") from None
    fields = ("normal", "normal_concat", "reduce", "reduce_concat")
    call = getattr(statements[0], "value", None) if len(statements) == 1 else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Genotype"):
        raise FormatError(f"no Genotype(...): {text.strip()[:40]!r}")
    given = {k.arg: _literal(k.value) for k in call.keywords} | dict(
        zip(fields, map(_literal, call.args), strict=False)
    )
    if set(given) != set(fields) or len(call.args) + len(call.keywords) != len(fields):
        raise FormatError(f"a Genotype has {', '.join(fields)}")
    return Genotype(*(_cell(role, given[role], given[f"{role}_concat"]) for role in ("normal", "reduce")))


def _literal(node: ast.expr) -> Any:
    """The value of a literal, or of `range(...)` and `list(range(...))` of literals."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        values = [_literal(argument) for argument in node.args]
        if node.func.id == "list" and len(values) == 1 and isinstance(values[0], list | tuple):
            return values[0]
        short = all(type(v) is int and abs(v) < 1000 for v in values)
        if node.func.id == "range" and 1 <= len(values) <= 2 and short:
            return list(range(*values))
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        raise FormatError(f"no literal: {ast.unparse(node)[:40]}") from None


def _cell(role: str, edges: Any, concat: Any) -> Cell:
    whole = isinstance(concat, list | tuple) and all(type(i) is int for i in concat)
    pairs = isinstance(edges, list | tuple) and all(
        isinstance(e, list | tuple) and [type(part) for part in e] == [str, int] for e in edges
    )
    if not pairs or not whole or not edges or len(edges) % 2:
        raise FormatError(f"{role} must be a list of (operation, state), two for each node, and of states")
    nodes = tuple((tuple(edges[i]), tuple(edges[i + 1])) for i in range(0, len(edges), 2))
    for i, node in enumerate(nodes, start=2):
        if not all(0 <= j < i for _, j in node):
            raise FormatError(f"{role}: node {i} reads {node}: only states below {i} exist before it")
    if not all(0 <= i < 2 + len(nodes) for i in concat) or not concat:
        raise FormatError(f"{role}: the output is {concat}, of {2 + len(nodes)} states")
    return Cell(nodes, tuple(concat))


def write_genotype(genotype: Genotype) -> str:
    """The DARTS text of a genotype. Raises `FormatError` where a node does not add two edges."""
    parts = []
    for role, cell in zip(("normal", "reduce"), genotype, strict=True):
        if cell.joined or any(len(edges) != 2 for edges in cell.nodes):
            raise FormatError(f"the {role} cell has nodes that are no sums of two edges")
        edges = [edge for node in cell.nodes for edge in node]
        parts.append(f"{role}={edges!r}, {role}_concat={list(cell.concat)!r}")
    return f"Genotype({', '.join(parts)})"


def read_nasbench201(text: str) -> Answers:
    """The answers to `nasbench201` that draw a NAS-Bench-201 string. Raises `FormatError`."""
    found: Answers = {}
    for i, node in enumerate(text.strip().split("+"), start=1):
        edges = [_EDGE.fullmatch(edge) for edge in node.strip("|").split("|")]
        if [edge and edge[2] for edge in edges] != [str(j) for j in range(i)]:
            raise FormatError(f"node {i} must be {'|'.join(f'op~{j}' for j in range(i))}, not {node!r}")
        found |= {f"node{i}.op{edge[2]}": edge[1] for edge in edges if edge}
    if len(found) != 6:
        raise FormatError(f"a cell of NAS-Bench-201 has six edges, not {len(found)}")
    return found


def write_nasbench201(answers: Mapping[str, Scalar]) -> str:
    """The NAS-Bench-201 string of what was answered. Raises KeyError when an answer is missing."""
    return "+".join("|" + "".join(f"{answers[f'node{i}.op{j}']}~{j}|" for j in range(i)) for i in range(1, 4))


def read_nasbench101(matrix: Sequence[Sequence[int]], operations: Sequence[str]) -> Answers:
    """The answers to `nasbench101` that draw a ModelSpec: its output becomes the seventh vertex.

    Args:
        matrix: upper triangular, of two to seven vertices.
        operations: of all vertices, the first and last being "input" and "output".

    Raises:
        FormatError: they are not of that form.
    """
    size, last = len(matrix), 6
    if not 2 <= size <= 7 or any(len(row) != size for row in matrix):
        raise FormatError("the matrix must be square, of two to seven vertices")
    if any(matrix[i][j] not in ((0, 1) if j > i else (0,)) for i in range(size) for j in range(size)):
        raise FormatError("the matrix must hold zeroes, and ones above its diagonal only")
    if len(operations) != size or operations[0] != "input" or operations[-1] != "output":
        raise FormatError(f"there must be {size} operations from 'input' to 'output'")
    place = [*range(size - 1), last]
    found: Answers = {f"edge{i}_{j}": 0 for i in range(7) for j in range(i + 1, 7)}
    for i in range(size):
        found |= {f"edge{place[i]}_{place[j]}": int(matrix[i][j]) for j in range(i + 1, size)}
    found |= {f"op{i}": "conv3x3-bn-relu" for i in range(1, 6)}
    return found | {f"op{i}": operations[i] for i in range(1, size - 1)}


def write_nasbench101(answers: Mapping[str, Scalar]) -> tuple[list[list[int]], list[str]]:
    """The matrix of seven vertices and the operations of what was answered."""
    matrix = [[int(answers[f"edge{i}_{j}"] or 0) if j > i else 0 for j in range(7)] for i in range(7)]
    return matrix, ["input", *(str(answers[f"op{i}"]) for i in range(1, 6)), "output"]


def nasbench101_hash(answers: Mapping[str, Scalar]) -> bytes:
    """The MD5 by which NAS-Bench-101 knows the cell of what was answered, the same for isomorphic cells.

    Vertices that no path from input to output meets do not count. The hash of a vertex is made of its
    degrees and its operation, then as many times as there are vertices of its neighbours' hashes and itself.
    Source: Ying et al. 2019, section 2.1 and supplement S1; google-research/nasbench, `graph_util.py`.

    Raises:
        Invalid: no path leads from input to output.
    """
    matrix, operations = write_nasbench101(answers)
    kept, matrix = pruned(matrix)
    size = range(len(kept))
    into = [[i for i in size if matrix[i][j]] for j in size]
    out = [[j for j in size if matrix[i][j]] for i in size]
    hashes = [_md5((len(out[v]), len(into[v]), _CODES[operations[kept[v]]])) for v in size]
    for _ in size:
        sides = [["".join(sorted(hashes[w] for w in side[v])) for side in (into, out)] for v in size]
        hashes = [_md5("|".join([*sides[v], hashes[v]])) for v in size]
    return bytes.fromhex(_md5(sorted(hashes)))


_CODES = {"input": -1, "output": -2, "conv3x3-bn-relu": 0, "conv1x1-bn-relu": 1, "maxpool3x3": 2}


def _md5(value: object) -> str:
    return hashlib.md5(str(value).encode(), usedforsecurity=False).hexdigest()


def write_nasbench301(answers: Mapping[str, Scalar]) -> tuple[tuple[str, str], ...]:
    """The configuration by which NAS-Bench-301 knows the cells that answers to `darts` draw.

    (parameter, value) pairs: `edge_normal_5` is the operation on the sixth of the fourteen edges that may
    lead to nodes 2 to 5 of the normal cell, `inputs_node_normal_4` the predecessors of its node 4, as "0_2".
    Every answer vector of the space has one, and no two the same. Source: automl/nasbench301, its
    configuration space.

    Raises:
        KeyError: when an answer is missing.
    """
    found: dict[str, str] = {}
    for role in ("normal", "reduce"):
        first = 0
        for i in range(2, 6):
            pair = str(answers[f"{role}.{i}.in"]) if i > 2 else "0,1"
            if i > 2:
                found[f"inputs_node_{role}_{i}"] = pair.replace(",", "_")
            for k, j in enumerate(pair.split(","), start=1):
                found[f"edge_{role}_{first + int(j)}"] = str(answers[f"{role}.{i}.op{k}"])
            first += i
    return tuple(found.items())


WRITERS: Mapping[str, Callable[[Mapping[str, Scalar]], Hashable]] = {
    "nasbench201": write_nasbench201,
    "nasbench101": nasbench101_hash,
    "nasbench301": write_nasbench301,
}
"""What tables of published benchmarks hold of a cell, by format."""
