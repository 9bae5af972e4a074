"""Scales a genome in depth: repeated blocks of its stages are drawn more or fewer times (see `stages`)."""

from __future__ import annotations

import math

from cells.genome import Genome, Node
from cells.ops import Invalid, Op
from cells.stages import Copy, Stage, stages
from cells.view import View


def deepened(genome: Genome, factor: float) -> Genome:
    """The genome with `factor` times as many blocks in each stage, rounded up as in EfficientNet's code.

    What is new stands behind what it repeats; later blocks of the list are renumbered, so their paths change.

    Raises:
        Invalid: no block is repeated.
    """
    view = View(genome)
    found = stages(view)
    if not any(stage.copies for stage in found):
        raise Invalid(
            "depth: no block is repeated: none whose path ends in a number gives the shape that it reads"
        )
    again: dict[int, tuple[Stage, list[Copy]]] = {}
    gone: dict[int, str] = {}
    numbers: dict[str, str] = {}
    shift: dict[str, int] = {}
    for stage in found:
        more = math.ceil(round(factor * stage.depth, 9)) - stage.depth if stage.copies else 0
        fewer = set(stage.spare[: max(0, -more)])
        moved = shift.setdefault(stage.parent, 0)
        for number in stage.numbers:
            path = f"{stage.parent}.{number}"
            if path in fewer:
                gone[view.closed[path].exit] = path
                moved -= 1
            else:
                numbers[path] = f"{stage.parent}.{number + moved}"
            if number == stage.behind and more > 0:
                again[stage.last[-1]] = stage, [stage.copies[i % len(stage.copies)] for i in range(more)]
                moved += more
        shift[stage.parent] = moved
    return _Drawing(view, again, gone, numbers).genome()


class _Drawing:
    """Draws a genome anew, with blocks left out and drawn again."""

    def __init__(
        self,
        view: View,
        again: dict[int, tuple[Stage, list[Copy]]],
        gone: dict[int, str],
        numbers: dict[str, str],
    ) -> None:
        self.view = view
        self.again = again
        self.gone = gone
        self.numbers = numbers
        self.nodes: list[Node] = []
        self.kinds: list[tuple[str, str]] = []
        self.at: dict[int, int] = {}  # who stands for an old node to those that read it

    def renamed(self, path: str) -> str:
        for cut in (i for i, c in enumerate(path + ".") if c == "."):
            if path[:cut] in self.numbers:
                return self.numbers[path[:cut]] + path[cut:]
        return path

    def add(self, op: Op, inputs: tuple[int, ...], path: str) -> int:
        self.nodes.append(Node(op, inputs, path))
        return len(self.nodes) - 1

    def genome(self) -> Genome:
        old = self.view.genome
        left_out = {i for path in self.gone.values() for i in self.view.closed[path].nodes}
        own = {}
        for index, (op, inputs, path) in enumerate(old.nodes):
            if index not in left_out:
                self.at[index] = self.add(op, tuple(self.at[i] for i in inputs), self.renamed(path))
                own[index] = self.at[index]
            if index in self.gone:
                entries = self.view.closed[self.gone[index]].entries
                state = [self.at[i] for i in entries]
                self.at.update(zip((*entries[1:], index), state, strict=True))
            if index in self.again:
                self.repeat(*self.again[index])
        removed = tuple(self.gone.values())
        for path, kind in old.kinds:
            if not any(path == out or path.startswith(f"{out}.") for out in removed):
                self.kinds.append((self.renamed(path), kind))
        kinds = tuple(sorted(self.kinds))
        return Genome(old.input, tuple(self.nodes), kinds, tuple(own[i] for i in old.aux))

    def repeat(self, stage: Stage, copies: list[Copy]) -> None:
        """Draws blocks one after another behind the stage's last; later readers see what they give."""
        old = self.view.genome.kinds
        state = [self.at[i] for i in stage.last]
        path, _, number = self.renamed(f"{stage.parent}.{stage.behind}").rpartition(".")
        for offset, copy in enumerate(copies, start=1):
            new = f"{path}.{int(number) + offset}"
            local = dict(zip(copy.entries, state, strict=True))
            for name, op, inputs, below in copy.nodes:
                local[name] = self.add(op, tuple(local[i] for i in inputs), new + below)
            for block, kind in old:
                if block == copy.path or block.startswith(f"{copy.path}."):
                    self.kinds.append((new + block[len(copy.path) :], kind))
            state = [*state[1:], local[copy.nodes[-1].name]]
        self.at.update(zip(stage.last, state, strict=True))
