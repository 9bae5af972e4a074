"""Draws a genome step by step, checking shapes as it goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from cells.genome import Genome, Node, check_kind, check_path
from cells.ops import Facts, Input, Invalid, Op, Shape, facts


class Value(NamedTuple):
    """The output of a node drawn so far: its index, and its shape without the batch."""

    index: int  # type: ignore[assignment]
    shape: Shape


class Sketch:
    """A genome in the making.

    >>> s = Sketch((3, 32, 32), "Tiny")
    >>> with s.block("stem", "Stem"):
    ...     x = s.chain(s.input, conv=Conv(16, 3), bn=BatchNorm(), relu=RELU)
    >>> x = s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10))
    >>> genome = s.genome(x)
    """

    def __init__(self, input: Shape, kind: str = "Net") -> None:
        if len(input) != 3 or min(input) < 1:
            raise Invalid(f"input must be (channels, height, width), not {input}")
        self.input = Value(0, input)
        self._shape = input
        self._nodes = [Node(Input(), (), "input")]
        self._facts = [Facts(input, 0, 0, 0, repr(("input", input)).encode())]
        self._paths = {"input"}
        self._scopes: set[str] = set()
        self._prefix = ""
        self._kinds: dict[str, str] = {"": kind}
        check_kind(kind)

    def add(self, name: str, op: Op, *inputs: Value) -> Value:
        """Appends a node called `name` in the open block. Raises `Invalid` naming its path."""
        path = self._prefix + name
        if path in self._paths:
            raise Invalid(f"{path}: the path is used twice")
        check_path(name)
        if "." in name:
            self._enter(path)
        try:
            if len(inputs) == 1:
                index, shape = inputs[0]
                fact = facts(op, (shape,))
                sources: tuple[int, ...] = (index,)
            else:
                fact = facts(op, tuple([v[1] for v in inputs]))
                sources = tuple([v[0] for v in inputs])
        except Invalid as error:
            raise Invalid(f"{path}: {error}", violation=error.violation) from error
        self._paths.add(path)
        self._nodes.append(Node(op, sources, path))
        self._facts.append(fact)
        return Value(len(self._nodes) - 1, fact.shape)

    def _enter(self, path: str) -> None:
        """Notes the blocks that a path runs through."""
        self._scopes.update(path[:i] for i, c in enumerate(path) if c == ".")

    def chain(self, x: Value, /, **ops: Op) -> Value:
        """Appends the ops one after another, each under its keyword's name."""
        for name, op in ops.items():
            x = self.add(name, op, x)
        return x

    @contextmanager
    def block(self, name: str, kind: str | None = None) -> Iterator[None]:
        """Nodes added inside lie below `name`, which becomes a class called `kind` (None: a mere path)."""
        check_path(name)
        outer, self._prefix = self._prefix, f"{self._prefix}{name}."
        self._enter(self._prefix)
        if kind is not None:
            path = self._prefix[:-1]
            if path in self._kinds:
                raise Invalid(f"{path}: the block is drawn twice")
            check_kind(kind)
            self._kinds[path] = kind
        try:
            yield
        finally:
            self._prefix = outer

    def genome(self, output: Value, aux: tuple[Value, ...] = ()) -> Genome:
        """The finished genome. Nodes drawn after `output` must be none: the output is the last node."""
        if output.index != len(self._nodes) - 1:
            raise Invalid("the output must be the node drawn last")
        clash = self._paths & self._scopes
        if clash:
            raise Invalid(f"{min(clash)}: a node and a block have the same path")
        made = Genome(
            self.input.shape,
            tuple(self._nodes),
            tuple(sorted(self._kinds.items())),
            tuple(v.index for v in aux),
        )
        vars(made)["facts"] = tuple(self._facts)  # the cached property, known already
        return made
