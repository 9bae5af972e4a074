"""ConvNeXts as a space (Liu et al. 2022, arXiv:2201.03545, section 2 and figure 4; V2 arXiv:2301.00808)."""

from __future__ import annotations

from cells.convnext import convnext_block, downsample
from cells.genome import Genome
from cells.ops import Conv, Flatten, GlobalPool, LayerNorm, LayerNorm2d, Linear, Shape
from cells.sketch import Sketch
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space


@space(
    presets={
        "laptop": Preset({"d": (1, 3), "w": (16, 64)}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset({"d": (1, 6), "w": (16, 128)}, macs=(30_000_000, 120_000_000)),
        "paper": Preset({"input": (3, 224, 224), "classes": 1000, "stages": 4, "w": (32, 768)}),
    },
)
def convnext_like(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    stages: int = 3,
    d: tuple[int, int] = (1, 9),
    w: tuple[int, int] = (16, 256),
) -> Genome:
    """ConvNeXts: depth, width, kernel and expansion of each stage, with or without V2's response norm.

    Patches of the stem are 4x4, and 2x2 on images below 96 pixels.
    """
    response_norm = choose.pick("response_norm", [False, True])
    patch = 4 if min(input[1:]) >= 96 else 2
    s = Sketch(input, "ConvNeXt")
    x = s.input
    for i in range(stages):
        width = choose.integer(f"stage{i + 1}.w", *w, step=16, log=True)
        k = choose.pick(f"stage{i + 1}.k", [3, 5, 7, 9])
        ratio = choose.pick(f"stage{i + 1}.ratio", [1, 2, 3, 4])
        if i == 0:
            with s.block("stem", "Stem"):
                conv = Conv(width, patch, stride=patch, padding=0, bias=True)
                x = s.chain(x, conv=conv, norm=LayerNorm2d())
        else:
            x = downsample(s, x, f"stages.{i}.0", width)
        for j in range(choose.integer(f"stage{i + 1}.d", *d)):
            name = f"stages.{i}.{j + (i > 0)}"
            x = convnext_block(s, x, name, response_norm=response_norm, k=k, ratio=ratio)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), norm=LayerNorm(), fc=Linear(classes))
    return s.genome(x)
