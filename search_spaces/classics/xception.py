"""Xception (Chollet 2016, arXiv:1610.02357)."""

from __future__ import annotations

from cells.genome import Genome
from cells.mobile import separable_conv, xception_module
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


classic(
    "xception",
    xception,
    """Xception (Chollet 2016): Inception modules taken to the extreme, separable convolutions with residuals.

    ImageNet top-1 79.0% (arXiv:1610.02357, table 1).
    """,
    input=(3, 299, 299),
    aliases=("Xception", "legacy_xception"),
)
