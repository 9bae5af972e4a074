"""NAS-Bench-101 (Ying et al. 2019, arXiv:1902.09635, section 2.1 and figure 1): any acyclic graph of at
most seven vertices and nine edges, with one of three operations on each vertex between input and output.
"""

from __future__ import annotations

from collections.abc import Sequence

from cells.conv import Unit
from cells.genome import Genome
from cells.ops import BatchNorm, Conv, Invalid, MaxPool, Shape
from cells.sketch import Sketch, Value
from cells.vertex_cell import pruned, vertex_cell
from search_spaces.cell_networks import Cells, Draw, network
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space

THREE = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")


def _stem(s: Sketch, f: int, reduce: Draw) -> tuple[Value, Value]:
    x = Unit(BatchNorm())(s, s.input, "stem", Conv(f, 3))
    return x, x


def _reduce(s: Sketch, s0: Value, s1: Value, name: str, f: int) -> Value:
    return s.add(name, MaxPool(2, 2, ceil=True), s1)


@space(presets={"gpu": Preset({"n": 2, "f": 32}), "paper": Preset({"n": 3, "f": 128})})
def nasbench101(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    n: int | tuple[int, ...] = 1,
    f: int = 16,
    vertices: int = 7,
    edges: int = 9,
    operations: Sequence[str] = THREE,
) -> Genome:
    """NAS-Bench-101: an adjacency matrix of up to seven vertices and nine edges, three operations.

    2^21·3^5 = 509,607,936 answer vectors; those that leave output and input connected by at most nine edges,
    dangling vertices taken away, are 423,624 different cells.
    """
    matrix = [
        [choose.pick(f"edge{i}_{j}", (0, 1)) if j > i else 0 for j in range(vertices)]
        for i in range(vertices)
    ]
    chosen = [choose.pick(f"op{i}", operations) for i in range(1, vertices - 1)]
    kept, matrix = pruned(matrix)
    count = sum(map(sum, matrix))
    if count > edges:
        raise Invalid(f"{count} edges, not at most {edges}", violation=count - edges)
    labels = {i: chosen[i - 1] for i in kept[1:-1]}

    def normal(s: Sketch, s0: Value, s1: Value, name: str, f: int) -> Value:
        return vertex_cell(s, s1, name, kept, matrix, labels, c=f)

    return network(
        "NASBench101", Cells(normal, _reduce), _stem, n=n, f=f, input=input, classes=classes, relu=False
    )
