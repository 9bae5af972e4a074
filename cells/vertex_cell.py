"""Cells with operations on vertices, not on edges (Ying et al. 2019, arXiv:1902.09635, section 2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cells.conv import Unit
from cells.ops import Add, BatchNorm, Concat, Conv, Invalid, MaxPool, Narrow
from cells.sketch import Sketch, Value

Matrix = Sequence[Sequence[int]]
"""Adjacency, upper triangular: row i, column j is 1 where vertex j reads vertex i; the last is the output."""

_CONV = Unit(BatchNorm())


def pruned(matrix: Matrix) -> tuple[list[int], list[list[int]]]:
    """The vertices on paths from input to output, and their matrix. Raises `Invalid`: there is no path."""
    size = len(matrix)
    fed, used = {0}, {size - 1}
    for i in range(size):
        for j in range(i + 1, size):
            if matrix[i][j] and i in fed:
                fed.add(j)
    for j in reversed(range(size)):
        for i in range(j):
            if matrix[i][j] and j in used:
                used.add(i)
    if size - 1 not in fed:
        raise Invalid("no path leads from the input to the output")
    kept = sorted(fed & used)
    return kept, [[matrix[i][j] for j in kept] for i in kept]


def widths(matrix: Matrix, c: int) -> list[int]:
    """Channels of the vertices of a pruned matrix, the output's c shared among those it concatenates.

    The first of those get one more where c does not divide; every other vertex is as wide as its widest
    reader.
    """
    last = len(matrix) - 1
    direct = [i for i in range(1, last) if matrix[i][last]]
    found = [0] * last + [c]
    for place, i in enumerate(direct):
        found[i] = c // len(direct) + (place < c % len(direct))
    for i in reversed(range(1, last)):
        if i not in direct:
            found[i] = max(found[j] for j in range(i + 1, last) if matrix[i][j])
    return found


def vertex_cell(
    s: Sketch,
    x: Value,
    name: str,
    vertices: Sequence[int],
    matrix: Matrix,
    operations: Mapping[int, str],
    *,
    c: int,
) -> Value:
    """The cell of a pruned matrix with c channels.

    A vertex adds what it reads; the output concatenates, and adds the input. The input is projected by a 1x1
    convolution wherever it is read, and vertices too wide lose their last channels.

    Args:
        vertices: what the rows of the matrix are called in paths.
        operations: of the vertices between input and output.
    """
    last = len(matrix) - 1
    width = widths(matrix, c)
    with s.block(name, "Cell"):
        values: list[Value] = [x]
        for j, vertex in enumerate(vertices[1:-1], start=1):
            with s.block(f"vertex{vertex}", "Vertex"):
                read = [
                    _narrowed(s, values[i], f"narrow{vertices[i]}", width[j])
                    for i in range(1, j)
                    if matrix[i][j]
                ]
                if matrix[0][j]:
                    read.append(_CONV(s, x, "project", Conv(width[j], 1)))
                y = s.add("add", Add(), *read) if len(read) > 1 else read[0]
                operation = operations[vertex]
                if operation == "maxpool3x3":
                    y = s.add("pool", MaxPool(3, 1, 1), y)
                else:
                    y = _CONV(s, y, "op", Conv(width[j], int(operation[4])))
            values.append(y)
        direct = [values[i] for i in range(1, last) if matrix[i][last]]
        out = [s.add("concat", Concat(), *direct) if len(direct) > 1 else direct[0]] if direct else []
        if matrix[0][last]:
            out.append(_CONV(s, x, "project", Conv(c, 1)))
        return s.add("add", Add(), *out) if len(out) > 1 else out[0]


def _narrowed(s: Sketch, x: Value, name: str, c: int) -> Value:
    return x if x.shape[0] == c else s.add(name, Narrow(c), x)
