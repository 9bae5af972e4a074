"""What is done to a network that knows something already: parts frozen, its head or upper stages replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Flatten, GlobalPool, Invalid, Linear
from cells.rewrite import Rewrite

LECTURE = (("all-but-head", 0.01), ("first-third", 0.0), ("head", 0.1))
"""Fine-tuning as the lectures teach it: first layers frozen, the middle at 1/100, the top layer at 1/10."""


class TransferError(ValueError):
    """A part of a network that is not there, or cannot be replaced; one line."""


def head(genome: Genome) -> str:
    """Path of the layer that tells the classes apart: the last with weights before the output.

    Raises:
        TransferError: there is none on a chain to the output.
    """
    return genome.nodes[_last_layer(genome, genome.output)].path


def _last_layer(genome: Genome, index: int) -> int:
    while not genome.nodes[index].op.weighted:
        if len(genome.nodes[index].inputs) != 1:
            raise TransferError(f"the output {genome.nodes[index].path} is not that of one layer: no head")
        index = genome.nodes[index].inputs[0]
    return index


def with_classes(genome: Genome, classes: int) -> Genome:
    """The genome with heads (auxiliary ones, too) for so many classes; paths stay.

    Raises:
        TransferError: the head is no layer whose outputs can be chosen.
    """
    made = Rewrite(genome)
    for output in (genome.output, *genome.aux):
        op = genome.nodes[index := _last_layer(genome, output)].op
        path = genome.nodes[index].path
        if op.name not in ("linear", "conv"):
            raise TransferError(f"the head {path} is a {op.name}: give it {classes} classes by hand")
        made.ops[path] = replace(op, out=classes)  # type: ignore[call-arg]
    changed = made.genome()
    try:
        told = infer(changed).output
    except Invalid as error:
        raise TransferError(f"the head cannot tell {classes} classes apart: {error}") from error
    if told != (classes,):
        raise TransferError(f"with {classes} outputs of {head(genome)} the network's output is {told}")
    return changed


def cut(genome: Genome, part: str, classes: int) -> Genome:
    """The network up to the end of a part, then a pool over all positions and a linear classifier.

    Args:
        part: a path, or a stage by its number, such as `stage2`.

    Raises:
        TransferError: there is no such part, or what it makes is no feature map or vector.
    """
    inside = _matching(genome, part)
    end = max(inside)
    made = Rewrite(Genome(genome.input, genome.nodes[: end + 1], _kinds(genome, end)))
    last, shape = genome.nodes[end].path, genome.facts[end].shape
    if len(shape) not in (1, 3):
        raise TransferError(f"{part}: its output {last} is of shape {shape}, no feature map and no vector")
    if len(shape) == 3:
        last = made.insert(last, made.free("classifier.pool"), GlobalPool(), last)
        last = made.insert(last, made.free("classifier.flatten"), Flatten(), last)
    made.insert(last, made.free("classifier.fc"), Linear(classes), last)
    return made.genome()


def _kinds(genome: Genome, end: int) -> tuple[tuple[str, str], ...]:
    """Class names of the blocks that are there up to a node."""
    paths = [node.path for node in genome.nodes[: end + 1]]
    return tuple((b, k) for b, k in genome.kinds if not b or any(p.startswith(b + ".") for p in paths))


def _matching(genome: Genome, part: str) -> set[int]:
    """Nodes of a part. Raises `TransferError` when there are none."""
    if part == "head":
        return {_last_layer(genome, genome.output)}
    paths = [node.path for node in genome.nodes]
    stage = re.fullmatch(r"stage([1-9]\d*)", part)
    options = [part] + ([f"stages.{int(stage[1]) - 1}"] if stage else [])
    for option in options:
        found = {i for i, path in enumerate(paths) if path == option or path.startswith(option + ".")}
        if found:
            return found
    blocks = dict.fromkeys(_block(path) for path in paths[1:])
    raise TransferError(f"the network has no part {part!r}: it has {', '.join(blocks)}")


def _block(path: str) -> str:
    first, _, rest = path.partition(".")
    return f"{first}.{rest.partition('.')[0]}" if rest[:1].isdigit() else first


def _selected(genome: Genome, selector: str) -> set[int]:
    """Nodes of a selector, see `factors`."""
    everything = set(range(1, len(genome.nodes)))
    top = _last_layer(genome, genome.output)
    if selector == "all-but-head":
        return everything - {top}
    if selector == "first-third":
        layers = [i for i in sorted(everything) if genome.nodes[i].op.weighted]
        return {i for i in everything if i < layers[len(layers) // 3]} - {top}
    if selector.startswith("until:"):
        begin = min(_matching(genome, selector.removeprefix("until:")))
        return {i for i in everything if i < begin}
    return _matching(genome, selector)


def factors(genome: Genome, pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The factor of the learning rate for every node, by path; 1 where nothing is said.

    Args:
        pairs: (selector, factor), later ones before earlier ones. A selector is a path, which means all that
            lies below it (`stem`, `stages.0`); `stage1` for `stages.0`; `head`, the layer that tells the
            classes apart; `all-but-head`; `until:PATH`, all that is drawn before PATH; `first-third`, what
            is drawn before a third of the layers with weights is over.

    Raises:
        TransferError: a selector selects nothing.
    """
    found = dict.fromkeys((node.path for node in genome.nodes), 1.0)
    for selector, factor in pairs:
        for index in _selected(genome, selector):
            found[genome.nodes[index].path] = factor
    return found
