"""SENets (Hu et al. 2018, arXiv:1709.01507): ResNet and ResNeXt blocks that weigh their channels.

`legacy_*` are the networks as first released (timm's name for them): as in Caffe the stem's pool rounds
up instead of padding, and ResNet's bottlenecks have their stride on the first 1x1.
"""

from __future__ import annotations

from functools import partial

from cells.ops import RELU, BatchNorm, Conv, MaxPool
from cells.residual import basic, bottleneck
from cells.sketch import Sketch, Value
from search_spaces.classics.resnet import DEPTHS, Block, deeper, head, network, small_network, stem
from search_spaces.registry import classic

R = 16
"""The paper's reduction ratio r (section 6.1)."""

_CAFFE_POOL = MaxPool(3, stride=2, ceil=True)
_NEW = "squeeze-and-excitation weighs each channel by what the whole image holds"
_ERRORS = {50: 23.29, 101: 22.38, 152: 21.57}

for _n in (18, 34, 50, 101, 152):
    _quoted = f"\n\nImageNet top-1 error: {_ERRORS[_n]} % (table 2)." if _n in _ERRORS else ""
    _block: Block = partial(basic, r=R) if _n in (18, 34) else partial(deeper, r=R)
    classic(
        f"seresnet{_n}",
        partial(network, "SEResNet", DEPTHS[_n], _block),
        f"SE-ResNet-{_n} (Hu et al. 2018): {_NEW}.{_quoted}",
        aliases=(f"SE-ResNet-{_n} (v1.5 stride)",) if _n in _ERRORS else (),
    )
    classic(
        f"legacy_seresnet{_n}",
        partial(
            network,
            "SEResNet",
            DEPTHS[_n],
            partial(basic, r=R) if _n in (18, 34) else partial(deeper, r=R, v1=True),
            stem=partial(stem, pool=_CAFFE_POOL),
        ),
        f"SE-ResNet-{_n} as released (Hu et al. 2018): {_NEW}.{_quoted}",
        aliases=(f"SE-ResNet-{_n} (stride on 1x1)" if _n in _ERRORS else f"SE-ResNet-{_n}",),
    )

for _n, _error in ((50, 21.10), (101, 20.70)):
    _doc = f"(Hu et al. 2018): {_NEW}.\n\nImageNet top-1 error: {_error:.2f} % (table 2)."
    classic(
        f"seresnext{_n}_32x4d",
        partial(network, "SEResNeXt", DEPTHS[_n], partial(deeper, c=32, d=4, r=R)),
        f"SE-ResNeXt-{_n} 32x4d {_doc}",
    )
    classic(
        f"legacy_seresnext{_n}_32x4d",
        partial(
            network,
            "SEResNeXt",
            DEPTHS[_n],
            partial(deeper, c=32, d=4, r=R),
            stem=partial(stem, pool=_CAFFE_POOL),
        ),
        f"SE-ResNeXt-{_n} 32x4d as released {_doc}",
        aliases=(f"SE-ResNeXt-{_n} 32x4d",),
    )


def _stem154(s: Sketch) -> Value:
    """Three 3x3 instead of the 7x7."""
    with s.block("stem", "Stem"):
        return s.chain(
            s.input,
            conv1=Conv(64, 3, stride=2),
            bn1=BatchNorm(),
            relu1=RELU,
            conv2=Conv(64, 3),
            bn2=BatchNorm(),
            relu2=RELU,
            conv3=Conv(128, 3),
            bn3=BatchNorm(),
            relu3=RELU,
            pool=_CAFFE_POOL,
        )


def _block154(s: Sketch, x: Value, name: str, w: int, *, stride: int) -> Value:
    """A ResNeXt bottleneck of 64 groups with half as wide a first 1x1 and 3x3 projections."""
    return bottleneck(s, x, name, 4 * w, w_b=4 * w, w_1=2 * w, g=w // 32, k=3, stride=stride, r=R)


classic(
    "legacy_senet154",
    partial(network, "SENet", DEPTHS[152], _block154, stem=_stem154, head=partial(head, dropout=0.2)),
    f"SENet-154 (Hu et al. 2018): {_NEW}; a modified ResNeXt-152 64x4d.\n\n"
    "ImageNet top-1 error: 18.68 % at 224x224, 17.28 % at 320x320 (single crops; table 8).",
    aliases=("senet154", "SENet-154"),
)

for _n in (20, 56):
    classic(
        f"seresnet{_n}",
        partial(small_network, "SEResNet", _n // 6, partial(basic, r=R)),
        f"SE-ResNet-{_n} for CIFAR (Hu et al. 2018): {_NEW}; projections where the shape changes.",
        input=(3, 32, 32),
        classes=10,
        aliases=(f"CIFAR SE-ResNet-{_n}",),
    )
