"""ResNets and their kin as one space: what He, Xie, Zagoruyko and Wu et al. changed one by one.

Blocks and order of activation: He et al. 2015 (arXiv:1512.03385, table 1) and 2016 (arXiv:1603.05027,
figure 4); width: Zagoruyko & Komodakis 2016 (arXiv:1605.07146); cardinality: Xie et al. 2016
(arXiv:1611.05431, table 1); normalisation: Wu & He 2018 (arXiv:1803.08494).
"""

from __future__ import annotations

from cells.genome import Genome
from cells.ops import (
    RELU,
    BatchNorm,
    Conv,
    Flatten,
    GlobalPool,
    GroupNorm,
    InstanceNorm,
    Linear,
    MaxPool,
    Op,
    Shape,
)
from cells.residual import basic, bottleneck, preact_basic, preact_bottleneck
from cells.sketch import Sketch
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space

NORMS: dict[str, Op] = {
    "batch": BatchNorm(),
    "group": GroupNorm(8),
    "layer": GroupNorm(1),
    "instance": InstanceNorm(),
}


@space(
    presets={
        "laptop": Preset({"d": (1, 3), "w": (8, 64), "step": 8}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset({"d": (1, 6), "w": (16, 128), "step": 16}, macs=(30_000_000, 120_000_000)),
        "paper": Preset({"input": (3, 224, 224), "classes": 1000, "stages": 4}),
    },
    points={
        "resnet20_b": {
            "block": "basic",
            "order": "post",
            "norm": "batch",
            **{f"stage{i}.{q}": a for i in (1, 2, 3) for q, a in (("d", 3), ("w", 8 << i))},
        },
    },
)
def resnet_like(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    stages: int = 3,
    d: tuple[int, int] = (1, 8),
    w: tuple[int, int] = (32, 512),
    step: int = 32,
    cardinality: tuple[int, ...] = (1, 2, 4, 8, 32),
) -> Genome:
    """ResNets: basic or bottleneck, pre- or post-activation, normalisation, cardinality, depths and widths.

    w is the width of a block's 3x3; a bottleneck's output is four times as wide where its cardinality is 1,
    and otherwise twice (ResNeXt). A cardinality above w means groups of one channel.
    """
    block = choose.pick("block", ["basic", "bottleneck"])
    pre = choose.pick("order", ["post", "pre"]) == "pre"
    norm = NORMS[choose.pick("norm", list(NORMS))]
    c = choose.pick("cardinality", cardinality) if block == "bottleneck" else 1
    s = Sketch(input, "ResNet")
    first_width = choose.integer("stage1.w", *w, step=step, log=True)
    small = min(input[1:]) < 96
    with s.block("stem", "Stem"):
        width = first_width if block == "basic" else 64
        x = s.add("conv", Conv(width, 3) if small else Conv(width, 7, stride=2), s.input)
        if not pre:
            x = s.chain(x, norm=norm, relu=RELU)
        if not small:
            x = s.add("pool", MaxPool(3, 2, 1), x)
    for i in range(stages):
        width = first_width if i == 0 else choose.integer(f"stage{i + 1}.w", *w, step=step, log=True)
        for j in range(choose.integer(f"stage{i + 1}.d", *d)):
            name, stride, first = f"stages.{i}.{j}", 2 if i and not j else 1, i == j == 0
            g = max(1, width // c) if c > 1 else None
            out = width * (4 if c == 1 else 2)
            if block == "basic" and pre:
                x = preact_basic(s, x, name, width, stride=stride, first=first, norm=norm)
            elif block == "basic":
                x = basic(s, x, name, width, stride=stride, norm=norm)
            elif pre:
                x = preact_bottleneck(s, x, name, out, w_b=width, stride=stride, first=first, g=g, norm=norm)
            else:
                x = bottleneck(s, x, name, out, w_b=width, g=g, stride=stride, norm=norm)
    with s.block("head", "Head"):
        if pre:
            x = s.chain(x, norm=norm, relu=RELU)
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)
