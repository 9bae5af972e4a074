"""Scales any genome: in depth, in width and in resolution, by themselves or together.

Tan & Le 2019 (EfficientNet, arXiv:1905.11946), section 3.3, equation 3: depth by alpha^phi, width by
beta^phi, resolution by gamma^phi, where alpha · beta² · gamma² is about 2, so that multiply-adds grow by
about 2^phi. Howard et al. 2017 (MobileNet, arXiv:1704.04861), section 3.3: width alone.
"""

from __future__ import annotations

import dataclasses
import math

from cells.depths import deepened
from cells.genome import Genome, live
from cells.mobile import rounded
from cells.ops import Conv, Invalid, Linear, Shape
from cells.view import View
from cells.widths import Tie, reset, ties

ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15
"""EfficientNet's own coefficients (section 4)."""


class FixedExtentError(Invalid):
    """The network has weights for every position, and takes images of one extent only."""


def scaled(
    genome: Genome, *, depth: float = 1, width: float = 1, resolution: float = 1, divisor: int = 8
) -> Genome:
    """The genome so many times as deep, as wide, and for images so many times as large.

    Factors of 1 change nothing.

    Args:
        divisor: of widths (see `broadened`).

    Raises:
        Invalid: the network cannot be scaled so; the message begins with the dimension.
    """
    if depth != 1:
        genome = deepened(genome, depth)
    if width != 1:
        genome = broadened(genome, width, divisor)
    return genome if resolution == 1 else sharpened(genome, resolution)


def sharpened(genome: Genome, factor: float) -> Genome:
    """The genome for images `factor` times as high and wide, or the nearest extent that it takes.

    Raises:
        Invalid: no extent fits that is nearer than the present one, within 32 pixels.
    """
    channels, *sides = genome.input
    wished = [math.floor(side * factor + 0.5) for side in sides]
    reason = f"resolution: images {factor:g} times as large are none"
    for offset in sorted(range(-32, 33), key=lambda o: (abs(o), -o)):
        near = [side + offset for side in wished]
        if near == sides and offset:
            break
        if min(near) < 1:
            continue
        try:
            return taking(genome, (channels, *near))
        except FixedExtentError:
            raise
        except Invalid as error:
            reason = reason if offset else str(error)
    raise Invalid(reason)


def broadened(genome: Genome, factor: float, divisor: int = 8) -> Genome:
    """The genome with all its layers `factor` times as wide; image and classes stay as they are.

    What sums, groups and heads ask of widths is kept. A hidden layer that is wider than what its block reads
    and gives stays in proportion to what the block reads, so that inverted bottlenecks keep their expansion.

    Args:
        divisor: widths that are multiples of it remain so, never below 90% of what is asked for (8 in the
            code of MobileNet and EfficientNet); others keep what they have in common with it.

    Raises:
        Invalid: every width is tied to the image, the classes or a number of positions.
    """
    found = ties(genome)
    expanded = _expansions(genome, found)
    if len(expanded) == len(found):
        raise Invalid("width: every width is tied to the image, the classes or a number of positions")
    units = [_rounded(tie, factor, divisor) for tie in found]
    wide = reset(genome, zip(found, units, strict=True))
    for number, entry in expanded.items():
        ratio = _channels(wide.facts[entry].shape) / _channels(genome.facts[entry].shape)
        units[number] = _rounded(found[number], ratio, divisor)
    return reset(genome, zip(found, units, strict=True))


def _rounded(tie: Tie, factor: float, divisor: int) -> int:
    """The unit of a tie for widths `factor` times as large."""
    return rounded(round(tie.unit * factor, 6), math.lcm(tie.step, math.gcd(tie.unit, divisor)))


def _channels(shape: Shape) -> int:
    return shape[0] if len(shape) == 3 else shape[-1]


def _expansions(genome: Genome, found: list[Tie]) -> dict[int, int]:
    """Numbers of ties that lie in one block and are wider than what it reads and gives: the node it reads."""
    view, facts = View(genome), genome.facts
    blocks: list[tuple[set[int], int, int]] = []
    for inside in view.spans.values():
        first, last = inside[0], inside[-1]
        entries = {i for index in inside for i in genome.nodes[index].inputs if i < first}
        if len(entries) == 1 and 0 not in entries and last != genome.output:
            blocks.append((set(inside), entries.pop(), last))
    blocks.sort(key=lambda block: len(block[0]))
    expanded: dict[int, int] = {}
    for number, tie in enumerate(found):
        inner = next((block for block in blocks if block[0].issuperset(tie.nodes)), None)
        if inner is not None:
            _, entry, last = inner
            outside = max(_channels(facts[entry].shape), _channels(facts[last].shape))
            if _channels(facts[tie.nodes[0]].shape) > outside:
                expanded[number] = entry
    return expanded


def taking(genome: Genome, input: Shape) -> Genome:
    """The genome for other images, layer for layer the same.

    Raises:
        FixedExtentError: a layer has weights for every position.
        Invalid: the output depends on the extent, or a layer does not take what comes of these images.
    """
    made, here = (
        Genome((input[0], *sides), genome.nodes, genome.kinds, genome.aux)
        for sides in (input[1:], genome.input[1:])
    )
    size = "x".join(map(str, input))
    try:
        pairs = list(zip(genome.nodes, here.facts, made.facts, live(genome), strict=True))
    except Invalid as error:
        raise Invalid(f"resolution: the network does not take images of {size}: {error}") from error
    fixed = next((n.path for n, before, after, on in pairs if on and before.params != after.params), None)
    if fixed is not None:
        own = "x".join(map(str, genome.input[1:]))
        raise FixedExtentError(
            f"resolution: {fixed} has weights for every position: the network takes images of {own} only"
        )
    if made.facts[-1].shape != genome.facts[-1].shape:
        raise Invalid(f"resolution: the output is one of every position, so {size} changes its shape")
    return made


def telling(genome: Genome, classes: int) -> Genome:
    """The genome that tells so many classes apart, in its auxiliary heads too.

    Raises:
        Invalid: its output is not that of a convolution or a linear layer.
    """
    nodes = list(genome.nodes)
    for index in (genome.output, *genome.aux):
        while not isinstance(nodes[index].op, Conv | Linear):
            if len(nodes[index].inputs) != 1:
                raise Invalid(f"classes: {nodes[index].path} is no layer whose outputs could be others")
            (index,) = nodes[index].inputs
        nodes[index] = nodes[index]._replace(op=dataclasses.replace(nodes[index].op, out=classes))  # type: ignore[call-arg]
    made = Genome(genome.input, tuple(nodes), genome.kinds, genome.aux)
    if made.facts[-1].shape != (classes,):
        raise Invalid(f"classes: the output is {made.facts[-1].shape}, not one number for each class")
    return made
