"""Xception (Chollet 2016, arXiv:1610.02357) and DeepLab's aligned Xceptions (Chen et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells.genome import Genome
from cells.mobile import aligned_module, depthwise_separable, separable_conv, xception_module
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic


def xception(*, input: Shape = (3, 299, 299), classes: int = 1000) -> Genome:
    """Entry flow, eight times the middle flow, exit flow (figure 5)."""
    s = Sketch(input, "Xception")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv1=Conv(32, 3, stride=2, padding=0), bn1=BatchNorm(), relu1=RELU)
        x = s.chain(x, conv2=Conv(64, 3, padding=0), bn2=BatchNorm(), relu2=RELU)
    for i, w in enumerate((128, 256, 728)):
        x = xception_module(s, x, f"entry.{i}", (w, w), stride=2, relu_first=i > 0)
    for i in range(8):
        x = xception_module(s, x, f"middle.{i}", (728, 728, 728))
    x = xception_module(s, x, "exit", (728, 1024), stride=2)
    with s.block("head", "Head"):
        x = s.add("relu1", RELU, separable_conv(s, x, "conv1", 1536))
        x = s.add("relu2", RELU, separable_conv(s, x, "conv2", 2048))
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


# Width and stride of the modules of the entry flow (arXiv:1802.02611, figure 4, and their code).
ENTRY = ((128, 2), (256, 2), (728, 2))
ENTRY_71 = ((128, 2), (256, 1), (256, 2), (728, 1), (728, 2))


def aligned_xception(
    entry: Sequence[tuple[int, int]], middle: int, *, input: Shape = (3, 299, 299), classes: int = 1000
) -> Genome:
    """Entry flow, `middle` modules, exit flow: every pooling is a strided separable convolution instead."""
    s = Sketch(input, "AlignedXception")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv1=Conv(32, 3, stride=2), bn1=BatchNorm(), relu1=RELU)
        x = s.chain(x, conv2=Conv(64, 3), bn2=BatchNorm(), relu2=RELU)
    for i, (w, stride) in enumerate(entry):
        x = aligned_module(s, x, f"entry.{i}", (w, w, w), stride=stride)
    for i in range(middle):
        x = aligned_module(s, x, f"middle.{i}", (728, 728, 728))
    x = aligned_module(s, x, "exit", (728, 1024, 1024), stride=2)
    with s.block("head", "Head"):
        for i, w in enumerate((1536, 1536, 2048), 1):
            x = depthwise_separable(s, x, f"conv{i}", w)
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


classic(
    "xception",
    xception,
    """Xception (Chollet 2016): Inception modules taken to the extreme, separable convolutions with residuals.

    ImageNet top-1 79.0% (arXiv:1610.02357, table 1).
    """,
    input=(3, 299, 299),
    aliases=("Xception", "legacy_xception"),
)
for _name, _entry, _middle in (("41", ENTRY, 8), ("65", ENTRY, 16), ("71", ENTRY_71, 16)):
    classic(
        f"xception{_name}",
        partial(aligned_xception, _entry, _middle),
        f"Xception-{_name}, aligned (Chen et al. 2018, arXiv:1802.02611): strides in place of pooling.",
        input=(3, 299, 299),
        aliases=(f"Xception-{_name} (aligned)",),
    )
