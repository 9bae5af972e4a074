"""Once-for-all's space around MobileNetV3-Large (Cai et al. 2019, arXiv:1908.09791, section 4.1).

Five units of 2 to 4 layers; each layer chooses its kernel out of 3, 5, 7 and its expansion out of 3, 4, 6;
the image may be made smaller first.
"""

from __future__ import annotations

from cells.genome import Genome
from cells.mobile import HARDSWISH
from cells.ops import RELU, AdaptivePool, Shape
from cells.rewrite import Rewrite
from cells.stem import small_stem
from search_spaces.choose import Chooser
from search_spaces.classics.mobilenet import searched_network
from search_spaces.mobile import Row, scaled
from search_spaces.registry import Preset, space

UNITS = (
    Row(6, 24, 1, 2, act=RELU),
    Row(6, 40, 1, 2, se=True, act=RELU),
    Row(6, 80, 1, 2, act=HARDSWISH),
    Row(6, 112, 1, 1, se=True, act=HARDSWISH),
    Row(6, 160, 1, 2, se=True, act=HARDSWISH),
)
"""MobileNetV3-Large by units (Howard et al. 2019, table 1; as in OFA's code)."""


@space(
    aliases=("ofa",),
    presets={
        "laptop": Preset({"alpha": 0.35}, macs=(3_000_000, 12_000_000)),
        "gpu": Preset(macs=(30_000_000, 120_000_000)),
        "paper": Preset({"input": (3, 224, 224), "classes": 1000, "resolution": (128, 160, 192, 224)}),
    },
)
def mobilenetv3(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    d: tuple[int, int] = (2, 4),
    k: tuple[int, ...] = (3, 5, 7),
    t: tuple[int, ...] = (3, 4, 6),
    resolution: tuple[int, ...] = (24, 28, 32),
    units: int = 5,
    alpha: float = 1.0,
) -> Genome:
    """OFA's space: depth of each unit, kernel and expansion of each layer, and the side of the image.

    (9^2 + 9^3 + 9^4)^5 answer vectors, 2e19, for each resolution. An image is never made larger. Widths are
    MobileNetV3-Large's times `alpha`. Below 96 pixels the stem and the first unit have stride 1.
    """
    side = choose.pick("resolution", resolution)
    small = min(input[1:]) < 96
    rows = scaled([Row(1, 16, 1, 1, act=RELU)], alpha)
    for i, unit in enumerate(scaled(UNITS[:units], alpha), 1):
        for j in range(choose.integer(f"unit{i}.d", *d)):
            kernel, expansion = choose.pick(f"unit{i}.{j}.k", k), choose.pick(f"unit{i}.{j}.t", t)
            stride = unit.s if j == 0 and not (small and i == 1) else 1
            rows.append(unit._replace(k=kernel, t=expansion, s=stride))
    genome = searched_network(
        "MobileNetV3", input, classes, rows, stem=16, head=round(960 * alpha), hidden=round(1280 * alpha)
    )
    if small:
        genome = small_stem(genome)
    if side < min(input[1:]):
        new = Rewrite(genome)
        new.redirect("input", new.insert("input", "resize", AdaptivePool(side), "input"))
        genome = new.genome()
    return genome
