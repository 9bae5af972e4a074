"""The spaces of NASNet (Zoph et al. 2018, arXiv:1707.07012, section 3 and figure 3), AmoebaNet (Real et al.
2019, arXiv:1802.01548, section 3.1) and PNAS (Liu et al. 2018, arXiv:1712.00559, section 3.1).

A cell has B = 5 blocks. Each chooses two hidden states, among the outputs of the two cells before and the
blocks so far, an operation for each, and how to join the results. The network around the cells has n normal
cells in each of three stages, f filters in the first, and one of the stems of `cell_networks`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cells.cell import Cell, Edge, Genotype, loose_ends
from cells.cell_ops import AMOEBANET, SEARCHED
from cells.genome import Genome
from cells.ops import Shape
from search_spaces.cell_networks import STEMS, cells_of, network
from search_spaces.choose import Chooser, Scalar
from search_spaces.classics.genotypes.nasnet import AMOEBANET_A, NASNET_A, PNASNET_5
from search_spaces.registry import Preset, space

SEPARABLE = ("separable_3x3", "separable_5x5", "separable_7x7")
POOLS = ("avg_pool_3x3", "max_pool_3x3")
EIGHT = ("identity", *SEPARABLE, *POOLS, "dilated_3x3", "1x7_7x1")
"""The operations of AmoebaNet and of PNAS."""
THIRTEEN = (*EIGHT, "1x3_3x1", "1x1", "3x3", "max_pool_5x5", "max_pool_7x7")
"""The operations of NASNet."""


def blocks(choose: Chooser, role: str, operations: Sequence[str], b: int, *, join: bool = False) -> Cell:
    """The cell of b blocks called `role`, whose output is all that no block reads.

    Args:
        join: asks whether a block adds or concatenates.
    """
    nodes: list[tuple[Edge, ...]] = []
    joined: list[int] = []
    for i in range(b):
        place = f"{role}.{i}"
        states = range(2 + i)
        nodes.append(
            tuple(
                (choose.pick(f"{place}.op{k}", operations), choose.pick(f"{place}.in{k}", states))
                for k in (1, 2)
            )
        )
        if join and choose.pick(f"{place}.join", ("add", "concat")) == "concat":
            joined.append(2 + i)
    return Cell(tuple(nodes), loose_ends(nodes), tuple(joined))


SLIM = {"none": "identity", **{f"{name}_2": name for name in SEPARABLE}}
"""What the spaces call TF-Slim's operations, where it differs."""


def answers(role: str, cell: Cell, *, join: bool = False) -> dict[str, Scalar]:
    """The answers that draw the blocks of a published cell."""
    found: dict[str, Scalar] = {}
    for i, edges in enumerate(cell.nodes):
        for k, (operation, state) in enumerate(edges, start=1):
            found[f"{role}.{i}.op{k}"] = SLIM.get(operation, operation)
            found[f"{role}.{i}.in{k}"] = state
        if join:
            found[f"{role}.{i}.join"] = "concat" if 2 + i in cell.joined else "add"
    return found


def _presets(n: int, f: int, large_n: int, large_f: int) -> dict[str, Preset]:
    """The papers' own sizes: n cells of f filters on CIFAR-10, of another size on ImageNet (mobile)."""
    imagenet = {"input": (3, 224, 224), "classes": 1000, "stem": "nasnet"}
    return {
        "gpu": Preset({"n": 2, "f": 16}),
        "paper": Preset({"n": n, "f": f}),
        "imagenet": Preset({"n": large_n, "f": large_f, **imagenet}),
    }


@space(
    presets=_presets(6, 32, 4, 44),
    points={
        "NASNet-A": answers("normal", NASNET_A.normal, join=True)
        | answers("reduce", NASNET_A.reduce, join=True)
    },
)
def nasnet(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    n: int = 1,
    f: int = 8,
    stem: str = "cifar",
    b: int = 5,
    operations: tuple[str, ...] = THIRTEEN,
) -> Genome:
    """NASNet: a normal and a reduction cell of five blocks, 13 operations, results added or concatenated.

    TF-Slim's own NASNet-A concatenates, beside the unused states, the older input of the normal cell and a
    block of the reduction cell that others read; the point of that name has the unused states alone.
    """
    genotype = Genotype(*(blocks(choose, role, operations, b, join=True) for role in ("normal", "reduce")))
    cells = cells_of(genotype, SEARCHED)
    return network("NASNet", cells, STEMS[stem], n=n, f=f, input=input, classes=classes)


@space(
    presets=_presets(6, 36, 4, 50),
    points={"AmoebaNet-A": answers("normal", AMOEBANET_A.normal) | answers("reduce", AMOEBANET_A.reduce)},
)
def amoebanet(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    n: int = 1,
    f: int = 8,
    stem: str = "cifar",
    b: int = 5,
    operations: tuple[str, ...] = EIGHT,
) -> Genome:
    """AmoebaNet: NASNet's cells with eight operations, whose results are always added.

    As with NASNet-A, the published AmoebaNet-A has further outputs than its unused states.
    """
    genotype = Genotype(*(blocks(choose, role, operations, b) for role in ("normal", "reduce")))
    cells = cells_of(genotype, AMOEBANET)
    return network("AmoebaNet", cells, STEMS[stem], n=n, f=f, input=input, classes=classes)


@space(presets=_presets(3, 48, 3, 54), points={"PNASNet-5": answers("cell", PNASNET_5.normal)})
def pnas(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    n: int = 2,
    f: int = 8,
    stem: str = "cifar",
    b: int = 5,
    operations: tuple[str, ...] = EIGHT,
) -> Genome:
    """PNAS: one cell, with strides in place of a reduction cell, eight operations.

    All blocks are output, and an input that none reads.
    """
    cell = blocks(choose, "cell", operations, b)
    cell = cell._replace(concat=tuple(sorted({*cell.concat, *range(2, 2 + b)})))
    cells = cells_of(Genotype(cell, cell), SEARCHED)
    # The first of the n cells of the second and of the third stage has the strides.
    sizes = (n, n - 1, n - 1)
    return network("PNASNet", cells, STEMS[stem], n=sizes, f=f, input=input, classes=classes)
