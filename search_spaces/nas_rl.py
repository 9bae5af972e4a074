"""The space of Zoph & Le 2016 (arXiv:1611.01578, sections 3.3 and 4.1): convolutional layers of any filter
size, each of which reads any earlier ones.
"""

from __future__ import annotations

from cells.conv import Unit
from cells.genome import Genome
from cells.ops import BatchNorm, Concat, Conv, Flatten, GlobalPool, Linear, Pad, Shape
from cells.sketch import Sketch, Value
from search_spaces.choose import Chooser
from search_spaces.registry import Preset, space

SIZES = (1, 3, 5, 7)
FILTERS = (24, 36, 48, 64)


def _joined(s: Sketch, name: str, values: list[Value]) -> Value:
    """The values side by side, smaller ones with zeroes to the right and below."""
    if len(values) == 1:
        return values[0]
    height, width = (max(v.shape[axis] for v in values) for axis in (1, 2))
    padded = [
        v
        if v.shape[1:] == (height, width)
        else s.add(f"{name}_pad{i}", Pad((0, width - v.shape[2], 0, height - v.shape[1])), v)
        for i, v in enumerate(values)
    ]
    return s.add(name, Concat(), *padded)


@space(
    presets={
        "laptop": Preset({"filters": (6, 9, 12, 16)}),
        "gpu": Preset({"layers": 8}),
        "paper": Preset({"layers": 15}),
    }
)
def nas_rl(
    choose: Chooser,
    *,
    input: Shape = (3, 32, 32),
    classes: int = 10,
    layers: int = 6,
    sizes: tuple[int, ...] = SIZES,
    filters: tuple[int, ...] = FILTERS,
    strides: tuple[int, ...] = (1,),
) -> Genome:
    """Zoph & Le 2016: filter height, width and number of each layer, and any earlier layers as its input.

    4^3 answers for the filters of a layer, 2^i for what layer i reads. One that reads none reads the image;
    outputs that none reads are concatenated at the end. With several `strides` a layer's is asked as well
    (the paper's second experiment: 1, 2, 3), and smaller maps are padded with zeroes where they join.
    """
    s = Sketch(input, "NasRL")
    unit = Unit(BatchNorm())
    outputs: list[Value] = []
    read: set[int] = set()
    for i in range(layers):
        kernel = (choose.pick(f"layer{i}.height", sizes), choose.pick(f"layer{i}.width", sizes))
        out = choose.pick(f"layer{i}.filters", filters)
        stride = choose.pick(f"layer{i}.stride", strides) if len(strides) > 1 else strides[0]
        chosen = [j for j in range(i) if choose.pick(f"layer{i}.in{j}", (0, 1))]
        read.update(chosen)
        x = _joined(s, f"concat{i}", [outputs[j] for j in chosen]) if chosen else s.input
        outputs.append(unit(s, x, f"layers.{i}", Conv(out, kernel, stride)))
    x = _joined(s, "concat", [y for i, y in enumerate(outputs) if i not in read])
    with s.block("head", "Head"):
        return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes)))
