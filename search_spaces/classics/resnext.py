"""ResNeXts (Xie et al. 2016, arXiv:1611.05431): bottlenecks with a 3x3 in c groups of d channels."""

from __future__ import annotations

from functools import partial

from search_spaces.classics.resnet import DEPTHS, deeper, network, stem
from search_spaces.registry import classic

_NEW = "cardinality, the number of parallel transformations, as a dimension next to depth and width"

for _n, _c, _d, _figure in (
    (50, 32, 4, "error: 22.2 % (table 3)"),
    (101, 32, 4, "error: 21.2 % (table 3)"),
    (101, 32, 8, "accuracy: 79.3 % (torchvision, IMAGENET1K_V1)"),
    (101, 64, 4, "error: 20.4 % (table 4)"),
    (152, 32, 4, ""),
):
    _quoted = f"\n\nImageNet top-1 {_figure}." if _figure else ""
    classic(
        f"resnext{_n}_{_c}x{_d}d",
        partial(network, "ResNeXt", DEPTHS[_n], partial(deeper, c=_c, d=_d)),
        f"ResNeXt-{_n} {_c}x{_d}d (Xie et al. 2016): {_NEW}.{_quoted}",
        aliases=(f"ResNeXt-{_n} {_c}x{_d}d", f"X-{_n}-{_c}x{_d}d"),
    )

for _c, _figure in (
    (2, ""),
    (4, ""),
    (8, "3.65 %, CIFAR-100: 17.77 %"),
    (16, "3.58 %, CIFAR-100: 17.31 %"),
):
    _quoted = f"\n\nCIFAR-10 test error: {_figure} (table 7, with pre-activated blocks)." if _figure else ""
    classic(
        f"resnext29_{_c}x64d",
        partial(network, "ResNeXt", (3, 3, 3), partial(deeper, c=_c, d=64), stem=partial(stem, small=True)),
        f"ResNeXt-29 {_c}x64d for CIFAR (Xie et al. 2016): {_NEW}.{_quoted}",
        input=(3, 32, 32),
        classes=10,
        aliases=(f"ResNeXt-29 {_c}x64d", f"ResNeXt-29 {_c}x64d CIFAR-10"),
    )
