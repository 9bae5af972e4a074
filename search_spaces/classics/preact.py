"""Pre-activation ResNets (He et al. 2016, arXiv:1603.05027) and the Wide ResNets for CIFAR made of them.

The ImageNet nets come twice: `preactresnet*` with norm and ReLU behind the stem's convolution, and
timm's `resnetv2_*` with the bare convolution, 128 parameters less.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cells.genome import Genome
from cells.ops import Shape
from cells.residual import preact_basic, preact_bottleneck
from cells.sketch import Sketch, Value
from search_spaces.classics.resnet import DEPTHS, Block, head, network, stem
from search_spaces.registry import classic


def deeper(
    s: Sketch, x: Value, name: str, w: int, *, stride: int, v1: bool = False, first: bool = False
) -> Value:
    """A bottleneck with 4w output channels."""
    return preact_bottleneck(s, x, name, 4 * w, w_b=w, stride=stride, v1=v1, first=first)


def small_network(
    kind: str, depth: int, block: Callable[..., Value], *, input: Shape, classes: int, k: int = 1
) -> Genome:
    """The CIFAR skeleton: a bare 3x3, then three stages of `depth` blocks at 16k, 32k and 64k."""
    return network(
        kind,
        (depth,) * 3,
        block,
        input=input,
        classes=classes,
        first=partial(block, first=True),
        stem=partial(stem, w=16, small=True, norm=False),
        head=partial(head, norm=True),
        w=16 * k,
    )


_NEW = "norm and ReLU before each convolution leave the path of shortcuts free"
_ERRORS = {
    18: "",
    34: "",
    50: "",
    101: "",
    152: "\n\nImageNet top-1 error: 21.1 % (table 5, 320x320).",
    200: "\n\nImageNet top-1 error: 20.7 % (table 5, 320x320).",
}

for _n, _figure in _ERRORS.items():
    _block: Block = preact_basic if _n in (18, 34) else deeper
    classic(
        f"preactresnet{_n}",
        partial(network, "PreActResNet", DEPTHS[_n], _block, head=partial(head, norm=True)),
        f"PreAct ResNet-{_n} (He et al. 2016): {_NEW}.{_figure}",
        aliases=(f"PreAct ResNet-{_n} (ImageNet)",),
    )
    classic(
        f"resnetv2_{_n}",
        partial(
            network,
            "ResNetV2",
            DEPTHS[_n],
            _block,
            stem=partial(stem, norm=False),
            head=partial(head, norm=True),
        ),
        f"ResNetV2-{_n} (He et al. 2016; timm): {_NEW}; the stem is a bare convolution.",
    )

classic(
    "preactresnet50_v1",
    partial(network, "PreActResNet", DEPTHS[50], partial(deeper, v1=True), head=partial(head, norm=True)),
    f"PreAct ResNet-50 (He et al. 2016): {_NEW}; stride on the first 1x1.",
    aliases=("PreAct ResNet-50 (stride on 1x1)",),
)


def _small(
    name: str, build: partial[Genome], doc: str, row: str, *others: str, hundred: bool = False
) -> None:
    """Registers a CIFAR-10 network, with `hundred` also the one for CIFAR-100's classes."""
    classic(name, build, doc, input=(3, 32, 32), classes=10, aliases=(*others, row, f"{row} CIFAR-10"))
    if hundred:
        classic(f"{name}_cifar100", build, doc, input=(3, 32, 32), classes=100, aliases=(f"{row} CIFAR-100",))


for _n, _figure in (
    (20, ""),
    (56, ""),
    (110, "\n\nCIFAR-10 test error: 6.37 % (table 3)."),
    (164, "\n\nCIFAR-10 test error: 5.46 % (table 3)."),
    (1001, "\n\nCIFAR-10 test error: 4.92 %, CIFAR-100: 22.71 % (table 3)."),
):
    _block, _layers = (deeper, 9) if _n in (164, 1001) else (preact_basic, 6)
    _small(
        f"preactresnet{_n}",
        partial(small_network, "PreActResNet", _n // _layers, _block),
        f"PreAct ResNet-{_n} for CIFAR (He et al. 2016): {_NEW}.{_figure}",
        f"PreAct ResNet-{_n}",
        hundred=_n == 1001,
    )

for _n, _k, _figure in (
    (16, 4, ""),
    (16, 8, "4.27 %, CIFAR-100: 20.43 %"),
    (16, 10, ""),
    (22, 8, ""),
    (28, 2, ""),
    (28, 10, "4.00 %, CIFAR-100: 19.25 %"),
    (40, 4, "4.53 %, CIFAR-100: 21.18 %"),
    (40, 8, ""),
):
    _quoted = f"\n\nCIFAR-10 test error: {_figure} (Wide Residual Networks, table 5)." if _figure else ""
    _small(
        f"wide_resnet{_n}_{_k}",
        partial(small_network, "WideResNet", (_n - 4) // 6, preact_basic, k=_k),
        f"WRN-{_n}-{_k} (Zagoruyko & Komodakis 2016, arXiv:1605.07146): wide beats thin and deep.{_quoted}",
        f"WRN-{_n}-{_k}",
        f"wrn{_n}_{_k}",
        f"wrn_{_n}_{_k}",
        hundred=(_n, _k) == (16, 8),
    )
