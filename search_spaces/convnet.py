"""The plain chain of convolutions: [(CONV-RELU)*N-POOL?]*M-(FC-RELU)*K-SOFTMAX.

The grammar of Stanford's CS231n lectures (2015 on, "Layer patterns"): N to 5, M large, K to 2.
"""

from __future__ import annotations

from cells.conv import PLAIN, Unit
from cells.genome import Genome
from cells.ops import RELU, BatchNorm, Conv, Flatten, Linear, MaxPool, Shape
from cells.sketch import Sketch
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space


@space(
    presets={
        "laptop": Preset({"w": (8, 64), "fc": (16, 128), "m": (2, 4)}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset({"m": (2, 5)}, macs=(30_000_000, 120_000_000)),
    },
)
def convnet(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    m: tuple[int, int] = (1, 5),
    n: tuple[int, int] = (1, 5),
    k: tuple[int, int] = (0, 2),
    w: tuple[int, int] = (8, 256),
    fc: tuple[int, int] = (16, 512),
) -> Genome:
    """The lectures' ConvNet: M times N convolutions with ReLU and perhaps a pool, then K dense layers.

    Each of the M parts has one width and one kernel; with or without batch norm throughout.
    """
    unit = Unit(norm=BatchNorm()) if choose.pick("norm", [False, True]) else PLAIN
    s = Sketch(input, "ConvNet")
    x = s.input
    for i in range(choose.integer("M", *m)):
        width = choose.integer(f"part{i}.w", *w, step=8, log=True)
        kernel = choose.pick(f"part{i}.kernel", [3, 5])
        for j in range(choose.integer(f"part{i}.N", *n)):
            x = unit(s, x, f"parts.{i}.conv{j}", Conv(width, kernel))
        if choose.pick(f"part{i}.pool", [False, True]):
            x = s.add(f"parts.{i}.pool", MaxPool(2, 2), x)
    with s.block("head", "Head"):
        x = s.add("flatten", Flatten(), x)
        for j in range(choose.integer("K", *k)):
            width = choose.integer(f"fc{j}.w", *fc, step=8, log=True)
            x = s.chain(x, **{f"fc{j}": Linear(width), f"relu{j}": RELU})
        x = s.add("fc", Linear(classes), x)
    return s.genome(x)
