"""DenseNets (Huang et al. 2016, arXiv:1608.06993)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from cells.dense import dense_layer, transition
from cells.genome import Genome
from cells.ops import Shape
from cells.sketch import Sketch, Value
from search_spaces.classics.resnet import head, stem
from search_spaces.registry import classic


def network(
    depths: Sequence[int],
    *,
    input: Shape,
    classes: int,
    k: int,
    stem: Callable[[Sketch], Value],
    b: bool = True,
    theta: float = 0.5,
) -> Genome:
    """Dense blocks of so many layers of growth rate k, a transition between every two, a last norm.

    Args:
        b: layers have bottlenecks (DenseNet-B).
        theta: what part of the channels a transition keeps (DenseNet-C: less than 1).
    """
    s = Sketch(input, "DenseNet")
    x = stem(s)
    for i, depth in enumerate(depths):
        if i:
            x = transition(s, x, f"stages.{2 * i - 1}", theta)
        for j in range(depth):
            x = dense_layer(s, x, f"stages.{2 * i}.{j}", k, b=b)
    return s.genome(head(s, x, classes, norm=True))


def small_network(layers: int, *, input: Shape, classes: int, k: int, bc: bool) -> Genome:
    """The CIFAR skeleton (section 4.1): a bare 3x3, then three dense blocks; `bc`: DenseNet-BC."""
    depth = (layers - 4) // (6 if bc else 3)
    return network(
        (depth,) * 3,
        input=input,
        classes=classes,
        k=k,
        stem=partial(stem, w=2 * k if bc else 16, small=True, norm=False),
        b=bc,
        theta=0.5 if bc else 1.0,
    )


_NEW = "every layer reads all earlier ones, so that features are reused"

for _n, _k, _depths, _figure in (
    (121, 32, (6, 12, 24, 16), "error: 25.02 % (table 3)"),
    (161, 48, (6, 12, 36, 24), "accuracy: 77.1 % (torchvision, IMAGENET1K_V1)"),
    (169, 32, (6, 12, 32, 32), "error: 23.80 % (table 3)"),
    (201, 32, (6, 12, 48, 32), "error: 22.58 % (table 3)"),
    (264, 32, (6, 12, 64, 48), "error: 22.15 % (table 3)"),
):
    classic(
        f"densenet{_n}",
        partial(network, _depths, k=_k, stem=partial(stem, w=2 * _k)),
        f"DenseNet-{_n} (Huang et al. 2016): {_NEW}.\n\nImageNet top-1 {_figure}.",
        aliases=(f"DenseNet-{_n}",),
    )

for _n, _k, _bc, _figure in (
    (40, 12, False, "5.24 %, CIFAR-100: 24.42 %"),
    (100, 12, False, "4.10 %, CIFAR-100: 20.20 %"),
    (100, 24, False, "3.74 %, CIFAR-100: 19.25 %"),
    (40, 12, True, ""),
    (100, 12, True, "4.51 %, CIFAR-100: 22.27 %"),
    (250, 24, True, "3.62 %, CIFAR-100: 17.60 %"),
    (190, 40, True, "3.46 %, CIFAR-100: 17.18 %"),
):
    _row = f"DenseNet{'-BC' * _bc} L={_n} k={_k}"
    _build = partial(small_network, _n, k=_k, bc=_bc)
    _quoted = f"\n\nCIFAR-10 test error: {_figure} (table 2, with augmentation)." if _figure else ""
    _doc = f"{_row} for CIFAR (Huang et al. 2016): {_NEW}.{_quoted}"
    _name = f"densenet{_n}_k{_k}{'_bc' * _bc}"
    classic(_name, _build, _doc, input=(3, 32, 32), classes=10, aliases=(_row, f"{_row} CIFAR-10"))
    if _bc and _n > 40:
        classic(
            f"{_name}_cifar100",
            _build,
            _doc,
            input=(3, 32, 32),
            classes=100,
            aliases=(f"{_row} CIFAR-100",),
        )
