"""Draws a genome step by step, checking shapes as it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from cells.genome import Genome, Node, check_kind, check_path
from cells.ops import Facts, Input, Invalid, Op, Shape, facts
from cells.ops.base import image_facts


class Value(NamedTuple):
    """The output of a node drawn so far: its index, and its shape without the batch."""

    index: int  # type: ignore[assignment]
    shape: Shape


class Exceeded(Invalid):
    """A drawing that was given up, because what is drawn costs more than `at_most` allows."""


_LIMITS: ContextVar[Mapping[str, float]] = ContextVar("limits", default={})  # noqa: B039 - never changed


@contextmanager
def at_most(limits: Mapping[str, float]) -> Iterator[None]:
    """Sketches begun inside raise `Exceeded` once the nodes drawn cost more.

    Args:
        limits: by cost, which is a number in `Facts`: params, macs or activations.
    """
    token = _LIMITS.set(limits)
    try:
        yield
    finally:
        _LIMITS.reset(token)


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
        self._nodes = [Node(Input(), (), "input")]
        self._facts = [image_facts(input)]
        self._paths = {"input"}
        self._scopes: set[str] = set()
        self._prefix = ""
        self._kinds: dict[str, str] = {"": kind}
        self._left = dict(_LIMITS.get())
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
        if self._left:
            self._spend(fact, path)
        self._paths.add(path)
        self._nodes.append(Node(op, sources, path))
        self._facts.append(fact)
        return Value(len(self._nodes) - 1, fact.shape)

    def _spend(self, fact: Facts, path: str) -> None:
        """Takes the costs of one node off what is left."""
        for cost, left in self._left.items():
            self._left[cost] = left = left - getattr(fact, cost)
            if left < 0:
                raise Exceeded(f"{cost} above {_LIMITS.get()[cost]:,.0f} at {path}")

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
