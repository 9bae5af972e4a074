"""Changes a genome node by node: what is inserted lies inside the block of the node that it stands behind.

Paths of nodes that stay are kept, so that weights can be inherited by path and later edits find their
places.
"""

from __future__ import annotations

from cells.genome import Genome, Node
from cells.ops import Op


class Rewrite:
    """A genome taken apart into nodes by path.

    Attributes:
        ops, inputs: of each node, by path; may be changed.
        kinds: class names by block path; may be changed.
    """

    def __init__(self, genome: Genome) -> None:
        paths = [node.path for node in genome.nodes]
        self.input = genome.input
        self.ops: dict[str, Op] = {node.path: node.op for node in genome.nodes}
        self.inputs = {node.path: [paths[i] for i in node.inputs] for node in genome.nodes}
        self.kinds = dict(genome.kinds)
        self._order = paths
        self._aux = [paths[i] for i in genome.aux]
        self._scopes = {path[:i] for path in paths for i, c in enumerate(path) if c == "."}

    def insert(self, behind: str, path: str, op: Op, *inputs: str) -> str:
        """Adds a node directly behind another in drawing order; returns its path."""
        self._order.insert(self._order.index(behind) + 1, path)
        self.ops[path] = op
        self.inputs[path] = list(inputs)
        self._scopes |= {path[:i] for i, c in enumerate(path) if c == "."}
        return path

    def free(self, path: str) -> str:
        """The path, or the path with the first number that makes it unused by nodes and blocks."""
        name, number = path, 1
        while name in self.ops or name in self._scopes:
            number += 1
            name = f"{path}{number}"
        return name

    def redirect(self, old: str, new: str) -> None:
        """What read `old` reads `new`, except `new` itself and what stands between the two."""
        after = self._order.index(new)
        for path in self._order[after + 1 :]:
            self.inputs[path] = [new if source == old else source for source in self.inputs[path]]

    def genome(self) -> Genome:
        """The genome without the nodes on which no output depends.

        Raises:
            Invalid: from the genome's `facts`, when shapes no longer fit.
        """
        alive = {"input", self._order[-1], *self._aux}
        for path in reversed(self._order):
            if path in alive:
                alive.update(self.inputs[path])
        kept = [path for path in self._order if path in alive]
        index = {path: i for i, path in enumerate(kept)}
        nodes = tuple(Node(self.ops[p], tuple(index[i] for i in self.inputs[p]), p) for p in kept)
        scopes = {path[:i] for path in kept for i, c in enumerate(path) if c == "."} | {""}
        kinds = tuple(sorted((path, kind) for path, kind in self.kinds.items() if path in scopes))
        return Genome(self.input, nodes, kinds, tuple(index[path] for path in self._aux))
