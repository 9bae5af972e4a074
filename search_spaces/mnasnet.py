"""MnasNet's factorised hierarchical space (Tan et al. 2018, arXiv:1807.11626, section 4.1, figure 4).

MobileNetV2's seven blocks; each block chooses one kind of layer for all its layers: 432 choices per block.
"""

from __future__ import annotations

from cells.genome import Genome
from cells.mobile import Skip, fused_inverted_residual, inverted_residual, rounded
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Linear, Shape
from cells.sketch import Sketch
from search_spaces.choose import Chooser
from search_spaces.classics.mobilenet import V2
from search_spaces.registry import Preset, space

EXPANSION = {"depthwise": 1, "mbconv3": 3, "mbconv6": 6}
SKIPS: dict[str, Skip] = {"pool": "pool", "identity": "identity", "none": "none"}


@space(
    presets={
        "laptop": Preset({"alpha": 0.35}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset(macs=(30_000_000, 120_000_000)),
        "paper": Preset({"input": (3, 224, 224), "classes": 1000}, macs=(250_000_000, 400_000_000)),
    },
    points={
        "MobileNetV2": {
            f"block{i}.{question}": answer
            for i, row in enumerate(V2, 1)
            for question, answer in (
                ("op", "depthwise" if row.t == 1 else "mbconv6"),
                ("k", 3),
                ("se", 0),
                ("skip", "identity"),
                ("filters", 1),
                ("layers", 0),
            )
        }
    },
)
def mnasnet(
    choose: Chooser, *, input: Shape = (3, 32, 32), classes: int = 10, alpha: float = 1.0, blocks: int = 7
) -> Genome:
    """MnasNet's space: layer kind, kernel, SE, skip, filters and number of layers of each of seven blocks.

    432^7 answer vectors. Filters and layers are relative to MobileNetV2's, `alpha` times as wide; a block of
    no layers is left out. Below 96 pixels the stem and the second block have stride 1.
    """
    small = min(input[1:]) < 96
    s = Sketch(input, "MnasNet")
    with s.block("stem", "Stem"):
        stem = Conv(rounded(32 * alpha), 3, stride=1 if small else 2)
        x = s.chain(s.input, conv=stem, bn=BatchNorm(), relu=RELU)
    for i, row in enumerate(V2[:blocks], 1):
        op = choose.pick(f"block{i}.op", ["conv", *EXPANSION])
        k = choose.pick(f"block{i}.k", [3, 5])
        se = choose.pick(f"block{i}.se", [0, 0.25])
        skip = SKIPS[choose.pick(f"block{i}.skip", list(SKIPS))]
        c = rounded(alpha * row.c * choose.pick(f"block{i}.filters", [0.75, 1, 1.25]))
        n = row.n + choose.pick(f"block{i}.layers", [-1, 0, 1])
        for j in range(n):
            name, stride = f"blocks.{i - 1}.{j}", row.s if j == 0 and not (small and i == 2) else 1
            gate = int(se * x.shape[0])
            if op == "conv":
                x = fused_inverted_residual(
                    s, x, name, c, t=1, k=k, stride=stride, act=RELU, se=gate, skip=skip
                )
            else:
                t = EXPANSION[op]
                x = inverted_residual(s, x, name, c, t=t, k=k, stride=stride, act=RELU, se=gate, skip=skip)
    with s.block("head", "Head"):
        x = s.chain(x, conv=Conv(rounded(1280 * alpha), 1), bn=BatchNorm(), relu=RELU)
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)
