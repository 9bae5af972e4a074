"""ResNets (He et al. 2015, arXiv:1512.03385) for ImageNet and CIFAR, and Wide ResNet's bottlenecks.

The stride of a stage is on the 3x3 of its first bottleneck; the names ending in `_v1` have it on the
first 1x1, as the paper, which costs less and sees more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from cells.genome import Genome
from cells.ops import RELU, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Linear, MaxPool, Op, Shape
from cells.residual import basic, bottleneck, plain
from cells.sketch import Sketch, Value
from search_spaces.registry import classic


class Block(Protocol):
    """Draws one block: w is 64 in the first stage of an ImageNet net, doubled in each later one."""

    def __call__(self, s: Sketch, x: Value, name: str, w: int, *, stride: int) -> Value: ...


def deeper(
    s: Sketch,
    x: Value,
    name: str,
    w: int,
    *,
    stride: int,
    c: int = 1,
    d: int = 64,
    r: int | None = None,
    v1: bool = False,
) -> Value:
    """A bottleneck with 4w output channels whose 3x3 has c groups, d channels wide where w is 64.

    ResNeXt's letters (Xie et al. 2016, table 1): ResNet is 1x64d, Wide ResNet-50-2 is 1x128d.
    """
    g = d * w // 64
    return bottleneck(s, x, name, 4 * w, w_b=c * g, g=g if c > 1 else None, stride=stride, v1=v1, r=r)


def stem(
    s: Sketch,
    w: int = 64,
    *,
    small: bool = False,
    norm: bool = True,
    pool: MaxPool = MaxPool(3, stride=2, padding=1),  # noqa: B008 - immutable
) -> Value:
    """A 7x7 with stride 2 and a pool (ImageNet), or one 3x3 (`small`: CIFAR); `norm`: with norm and ReLU."""
    ops: dict[str, Op] = {"conv": Conv(w, 3) if small else Conv(w, 7, stride=2)}
    if norm:
        ops |= {"bn": BatchNorm(), "relu": RELU}
    if not small:
        ops |= {"pool": pool}
    with s.block("stem", "Stem"):
        return s.chain(s.input, **ops)


def head(s: Sketch, x: Value, classes: int, *, norm: bool = False, dropout: float = 0) -> Value:
    """Global pooling and the classifier; `norm`: behind a last norm and ReLU."""
    ops: dict[str, Op] = {"bn": BatchNorm(), "relu": RELU} if norm else {}
    ops |= {"pool": GlobalPool(), "flatten": Flatten()}
    if dropout:
        ops |= {"dropout": Dropout(dropout)}
    with s.block("head", "Head"):
        return s.chain(x, **ops, fc=Linear(classes))


def network(
    kind: str,
    depths: Sequence[int],
    block: Block,
    *,
    input: Shape,
    classes: int,
    first: Block | None = None,
    stem: Callable[[Sketch], Value] = stem,
    head: Callable[[Sketch, Value, int], Value] = head,
    w: int = 64,
) -> Genome:
    """Stem, stages of so many blocks, each later stage half as large and twice as wide, and head.

    Args:
        first: the very first block, where it is another than the others.
    """
    s = Sketch(input, kind)
    x = stem(s)
    for i, depth in enumerate(depths):
        for j in range(depth):
            draw = first or block if i == j == 0 else block
            x = draw(s, x, f"stages.{i}.{j}", w * 2**i, stride=2 if i and not j else 1)
    return s.genome(head(s, x, classes))


def small_network(kind: str, depth: int, block: Block, *, input: Shape, classes: int) -> Genome:
    """The CIFAR skeleton (section 4.2): a 3x3, then three stages of `depth` blocks at 16, 32 and 64."""
    small = partial(stem, w=16, small=True)
    return network(kind, (depth,) * 3, block, input=input, classes=classes, stem=small, w=16)


DEPTHS = {
    18: (2, 2, 2, 2),
    26: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
"""Blocks per stage by number of layers: basic blocks for 18 and 34, bottlenecks for the others (table 1)."""

_TOP1 = {18: 69.8, 34: 73.3, 50: 76.1, 101: 77.4, 152: 78.3}
_NEW = "shortcuts let blocks learn residuals, so that depth helps"

for _n, _depths in DEPTHS.items():
    _block: Block = basic if _n in (18, 34) else deeper
    _figure = (
        f"\n\nImageNet top-1 accuracy: {_TOP1[_n]} % (torchvision, IMAGENET1K_V1)." if _n in _TOP1 else ""
    )
    _pycls = (f"R-{_n}-1x64d",) if _n in (50, 101, 152) else ()
    _row = "ResNet-200 (v1.5 post-act)" if _n == 200 else f"ResNet-{_n}"
    classic(
        f"resnet{_n}",
        partial(network, "ResNet", _depths, _block),
        f"ResNet-{_n} (He et al. 2015): {_NEW}.{_figure}",
        aliases=(_row, *_pycls),
    )

for _n, _where, _error in ((50, "v1", 22.85), (101, "Caffe", 21.75), (152, "v1", 21.43)):
    classic(
        f"resnet{_n}_v1",
        partial(network, "ResNet", DEPTHS[_n], partial(deeper, v1=True)),
        f"ResNet-{_n} as published (He et al. 2015): {_NEW}; stride on the first 1x1.\n\n"
        f"ImageNet top-1 error: {_error} % (table 3, 10 crops).",
        aliases=(f"ResNet-{_n} ({_where}, stride on 1x1)",),
    )

for _n, _error in ((18, 27.94), (34, 28.54)):
    classic(
        f"plain{_n}",
        partial(network, "Plain", DEPTHS[_n], plain),
        f"Plain-{_n} (He et al. 2015): ResNet-{_n} without shortcuts: deeper is worse.\n\n"
        f"ImageNet top-1 error: {_error} % (table 2, 10 crops).",
        aliases=(f"plain-{_n}",),
    )

for _n, _figure in ((50, "error: 21.9 % (table 8)"), (101, "accuracy: 78.8 % (torchvision, IMAGENET1K_V1)")):
    classic(
        f"wide_resnet{_n}_2",
        partial(network, "WideResNet", DEPTHS[_n], partial(deeper, d=128)),
        f"WRN-{_n}-2 (Zagoruyko & Komodakis 2016, arXiv:1605.07146): twice as wide inside bottlenecks.\n\n"
        f"ImageNet top-1 {_figure}.",
        aliases=(f"WRN-{_n}-2", f"WRN-{_n}-2 (ImageNet bottleneck)"),
    )

_CIFAR = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43, 1202: 7.93}
for _n, _error in _CIFAR.items():
    classic(
        f"resnet{_n}",
        partial(small_network, "ResNet", _n // 6, partial(basic, option="A")),
        f"ResNet-{_n} for CIFAR (He et al. 2015): {_NEW}; shortcuts without parameters (option A).\n\n"
        f"CIFAR-10 test error: {_error} % (table 6).",
        input=(3, 32, 32),
        classes=10,
        aliases=(f"cifar_resnet{_n}", f"CIFAR ResNet-{_n} (option A)"),
    )
    classic(
        f"resnet{_n}_b",
        partial(small_network, "ResNet", _n // 6, basic),
        f"ResNet-{_n} for CIFAR with projections where the shape changes (He et al. 2015, option B).",
        input=(3, 32, 32),
        classes=10,
        aliases=(f"CIFAR ResNet-{_n} (option B)",),
    )
    if _n != 1202:
        classic(
            f"plain{_n}",
            partial(small_network, "Plain", _n // 6, plain),
            f"Plain-{_n} for CIFAR (He et al. 2015): ResNet-{_n} without shortcuts.",
            input=(3, 32, 32),
            classes=10,
            aliases=(f"cifar_plain{_n}", f"CIFAR plain-{_n}"),
        )

classic(
    "resnet164",
    partial(small_network, "ResNet", 18, deeper),
    "ResNet-164 for CIFAR (He et al. 2016, arXiv:1603.05027): bottlenecks, activated after the sum.\n\n"
    "CIFAR-10 test error: 5.93 % (table 3).",
    input=(3, 32, 32),
    classes=10,
    aliases=("CIFAR ResNet-164 (bottleneck, post-act)",),
)
