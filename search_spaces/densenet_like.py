"""DenseNets as a space (Huang et al. 2016, arXiv:1608.06993, section 3 and table 1).

The letters are the paper's: growth rate k, compression theta; B is the 1x1 in front of each 3x3.
"""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.ops import Shape
from search_spaces.choose import Chooser
from search_spaces.classics.densenet import network
from search_spaces.classics.resnet import stem
from search_spaces.registry import Preset, space


@space(
    presets={
        "laptop": Preset({"d": (2, 6), "k": (4, 16)}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset({"d": (2, 12), "k": (8, 32)}, macs=(30_000_000, 120_000_000)),
        "paper": Preset({"input": (3, 224, 224), "classes": 1000, "blocks": 4, "d": (2, 64)}),
    },
    points={
        "densenet100_k12_bc": {"k": 12, "B": True, "theta": 0.5, **{f"block{i}.d": 16 for i in (1, 2, 3)}},
        "densenet40_k12": {"k": 12, "B": False, "theta": 1.0, **{f"block{i}.d": 12 for i in (1, 2, 3)}},
    },
)
def densenet_like(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    blocks: int = 3,
    d: tuple[int, int] = (2, 32),
    k: tuple[int, int] = (4, 48),
) -> Genome:
    """DenseNets: growth rate, bottlenecks or not, compression, layers in each dense block."""
    growth = choose.integer("k", *k, step=4)
    b = choose.pick("B", [False, True])
    theta = choose.pick("theta", [0.5, 0.75, 1.0])
    small = min(input[1:]) < 96
    width = 2 * growth if b or not small else 16
    return network(
        [choose.integer(f"block{i}.d", *d) for i in range(1, blocks + 1)],
        input=input,
        classes=classes,
        k=growth,
        stem=partial(stem, w=width, small=small, norm=not small),
        b=b,
        theta=theta,
    )
