"""Inception modules as a space, from v1 to Inception-ResNet.

Szegedy et al. 2014 (arXiv:1409.4842, figure 2), 2015 (arXiv:1512.00567, figures 5 and 6) and 2016
(arXiv:1602.07261, figures 10 and 11): which branches stand side by side, reduced by how much, added to the
module's input or not.
"""

from __future__ import annotations

from cells.conv import Unit
from cells.genome import Genome
from cells.inception import AVERAGE, LARGEST, Branch, bn_reduction, inception_resnet, parallel
from cells.ops import BatchNorm, Conv, Flatten, GlobalPool, Invalid, Linear, MaxPool, Op, Shape
from cells.sketch import Sketch
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space

UNIT = Unit(norm=BatchNorm())
LARGE = ("none", "5x5", "double3x3", "1x7-7x1")
POOLS: dict[str, Op | None] = {"none": None, "max": LARGEST, "avg": AVERAGE}


def _large(kind: str, r: int, n: int) -> Branch:
    """The branch that sees most: v1's 5x5, its two 3x3 or its row and column."""
    if kind == "5x5":
        return [Conv(r), Conv(n, 5)]
    if kind == "double3x3":
        return [Conv(r), Conv(n, 3), Conv(n, 3)]
    return [Conv(r), Conv(r, (1, 7)), Conv(n, (7, 1))]


@space(
    presets={
        "laptop": Preset({"d": (1, 2), "w": (32, 96)}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset({"d": (1, 4), "w": (64, 256)}, macs=(30_000_000, 120_000_000)),
        "paper": Preset({"input": (3, 224, 224), "classes": 1000}),
    },
)
def inception(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    stages: int = 3,
    d: tuple[int, int] = (1, 5),
    w: tuple[int, int] = (64, 1024),
) -> Genome:
    """Stages of inception modules: their branches, kernels, reductions, numbers and widths, residual or not.

    w channels are shared out evenly among the branches of a stage; r of a branch's channels come out of its
    1x1. Stages are joined by a pool or by a strided module. A stage without branches is `Invalid`.
    """
    residual = choose.pick("residual", [False, True])
    joint = choose.pick("joint", ["pool", "module"])
    small = min(input[1:]) < 96
    s = Sketch(input, "Inception")
    x = UNIT(s, s.input, "stem", Conv(32, 3, 1 if small else 2))
    if not small:
        x = s.add("stem_pool", MaxPool(3, 2, 1), x)
    for i in range(stages):
        name = f"stage{i + 1}"
        width = choose.integer(f"{name}.w", *w, step=32, log=True)
        ones = choose.pick(f"{name}.1x1", [False, True])
        threes = choose.pick(f"{name}.3x3", [False, True])
        large = choose.pick(f"{name}.large", LARGE)
        pool = POOLS[choose.pick(f"{name}.pool", list(POOLS))]
        reduction = choose.pick(f"{name}.r", [0.25, 0.5, 1.0])
        count = ones + threes + (large != "none") + (pool is not None)
        if not count:
            raise Invalid(f"{name} has no branches", violation=1)
        n = width // count
        r = max(1, round(reduction * n))
        branches: dict[str, Branch] = {}
        if ones:
            branches["branch1x1"] = [Conv(n)]
        if threes:
            branches["branch3x3"] = [Conv(r), Conv(n, 3)]
        if large != "none":
            branches["large"] = _large(large, r, n)
        if pool is not None:
            branches["pool"] = [pool, Conv(n)]
        if i and joint == "pool":
            x = s.add(f"pool{i}", MaxPool(3, 2, 1), x)
        elif i:
            x = bn_reduction(s, x, f"reduction{i}", r, n, r, n, unit=UNIT)
        for j in range(choose.integer(f"{name}.d", *d)):
            place = f"stages.{i}.{j}"
            if residual:
                x = inception_resnet(s, x, place, "InceptionResNet", 0.2, unit=UNIT, last=False, **branches)
            else:
                x = parallel(s, x, place, "Inception", UNIT, **branches)
    with s.block("head", "Head"):
        x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes))
    return s.genome(x)
