"""MLP-Mixers as a space (Tolstikhin et al. 2021, arXiv:2105.01601, table 1, the letters)."""

from __future__ import annotations

from cells.genome import Genome
from cells.mixer import mixer_block
from cells.ops import Conv, LayerNorm, Linear, MeanTokens, Shape, Tokens
from cells.sketch import Sketch
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space


@space(
    presets={
        "laptop": Preset({"layers": (1, 6), "c": (32, 128), "patch": (4, 8)}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset({"layers": (2, 12), "c": (64, 256)}, macs=(30_000_000, 120_000_000)),
        "paper": Preset(
            {"input": (3, 224, 224), "classes": 1000, "patch": (16, 32), "layers": (4, 24), "c": (256, 1024)}
        ),
    },
    points={
        "mixer_s32_224": {"patch": 32, "C": 512, "D_S": 0.5, "D_C": 4, "layers": 8},
        "mixer_s16_224": {"patch": 16, "C": 512, "D_S": 0.5, "D_C": 4, "layers": 8},
    },
)
def mlp_mixer(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    patch: tuple[int, ...] = (2, 4, 8),
    layers: tuple[int, int] = (1, 12),
    c: tuple[int, int] = (32, 384),
) -> Genome:
    """MLP-Mixers: patch, width C, layers, and hidden widths across tokens and channels as multiples of C."""
    side = choose.pick("patch", patch)
    width = choose.integer("C", *c, step=32)
    d_s = choose.pick("D_S", [0.25, 0.5, 1.0])
    d_c = choose.pick("D_C", [1, 2, 4])
    s = Sketch(input, "Mixer")
    with s.block("embed", "Embedding"):
        x = s.chain(s.input, patches=Conv(width, side, side, 0, bias=True), tokens=Tokens())
    for i in range(choose.integer("layers", *layers)):
        x = mixer_block(s, x, f"blocks.{i}", d_s=round(d_s * width), d_c=d_c * width)
    with s.block("head", "Head"):
        x = s.chain(x, norm=LayerNorm(), mean=MeanTokens(), fc=Linear(classes))
    return s.genome(x)
