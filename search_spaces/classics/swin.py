"""Swin Transformers: attention in shifted windows, on maps that halve (Liu et al. 2021, arXiv:2103.14030)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells.attention import patch_merging, swin_block
from cells.genome import Genome
from cells.ops import Conv, Flatten, GlobalPool, LayerNorm2d, Linear, Shape
from cells.sketch import Sketch
from search_spaces.registry import classic


def swin(*, input: Shape, classes: int, c: int, layers: Sequence[int], m: int = 7, d: int = 32) -> Genome:
    """Four stages of windows of M x M behind 4x4 patches of width C; heads of width d (section 3.3).

    Maps that are no whole number of windows are filled up with zeros in front of attention.
    """
    s = Sketch(input, "Swin")
    with s.block("embed", "Embedding"):
        patches = Conv(c, 4, stride=4, padding=0, bias=True)
        x = s.chain(s.input, patches=patches, norm=LayerNorm2d(1e-5))
    for i, count in enumerate(layers):
        names = iter(range(count + 1))
        if i:
            x = patch_merging(s, x, f"stages.{i}.{next(names)}")
        for j in range(count):
            shift = m // 2 if j % 2 else 0
            x = swin_block(s, x, f"stages.{i}.{next(names)}", head_width=d, window=m, shift=shift)
    with s.block("head", "Head"):
        x = s.chain(x, norm=LayerNorm2d(1e-5), pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)


# C and layers (section 3.3), ImageNet-1k top-1 at 224 (table 1; L after ImageNet-22k at 384).
for _name, _c, _layers, _figure in (
    ("tiny", 96, (2, 2, 6, 2), "81.3%"),
    ("small", 96, (2, 2, 18, 2), "83.0%"),
    ("base", 128, (2, 2, 18, 2), "83.5%"),
    ("large", 192, (2, 2, 18, 2), "87.3% after ImageNet-22k, at 384"),
):
    _letter = _name[0].upper()
    classic(
        f"swin_{_name}_patch4_window7_224",
        partial(swin, c=_c, layers=_layers),
        f"Swin-{_letter} (Liu et al. 2021): attention in windows that shift from block to block.\n\n"
        f"ImageNet top-1 {_figure} (arXiv:2103.14030, table 1).",
        aliases=(f"Swin-{_letter}", *((f"swin_{_name[0]}",) if _name != "large" else ())),
    )
