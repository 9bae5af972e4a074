"""What an operation must say of itself, and the table in which every operation is found by name.

An op states each fact once: its fields, the shape it makes, its trainable tensors, its multiply-adds
and its PyTorch source. Parameters, costs, identity, initialisation and the emitted module are all
derived from those.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

Shape = tuple[int, ...]
"""Without the batch: (C, H, W) for a feature map, (C,) for a vector."""

Size = int | tuple[int, int]
"""A square extent, or (height, width)."""

Number = int | float | tuple[int, ...]
"""What may become a constructor argument of an emitted block."""


class Invalid(ValueError):  # noqa: N818 - what it says of an architecture
    """An architecture, or an answer leading to one, that cannot be; the message says why in words.

    Attributes:
        violation: how far the answer is from a legal one (0 when there is no such distance), which
            strategies that model constraints can learn from.
    """

    def __init__(self, reason: str, *, violation: float = 0.0) -> None:
        super().__init__(reason)
        self.violation = violation


class Arg(NamedTuple):
    """One argument of a module constructor: its name, value and torch's default (None: no default)."""

    name: str
    value: Number | bool | str
    default: Number | bool | str | None = None


class Call(NamedTuple):
    """The constructor of a torch module: `func(*args)`; arguments without a default are positional."""

    func: str
    args: tuple[Arg, ...] = ()


class Window(NamedTuple):
    """How far one output position of an op looks: extent and step in input positions, as (h, w)."""

    extent: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)


Channels = Literal["mix", "keep", "order"]
"""Whether an op mixes all its input channels densely, keeps them apart, or depends on their order."""


class _Values(type):
    """Equal calls of a class give one object, checked once: a genome repeats few ops many times."""

    @lru_cache(maxsize=1 << 16, typed=True)  # noqa: B019 - classes live as long as the table
    def __call__(cls, *args: Any, **fields: Any) -> Any:
        made = super().__call__(*args, **fields)
        check(made)
        vars(made)["_known"] = {}  # facts by input shapes
        return made


@dataclass(frozen=True)
class Op(metaclass=_Values):
    """Base of all operations. Field defaults are part of the file format and never change.

    Making one raises `Invalid` when a field's value is not of the field's type.

    Every method takes the shapes of the inputs in order. `shape` raises `Invalid` for illegal ones;
    the others may assume that it did not.
    """

    name: ClassVar[str]
    arity: ClassVar[int | None] = 1
    """Number of inputs; None: one or more."""
    commutative: ClassVar[bool] = False
    """The order of inputs means nothing, and nested uses may be flattened."""
    random: ClassVar[bool] = False
    """Draws random numbers, so two of it are never one."""
    weighted: ClassVar[bool] = False
    """Counts as a layer of the network's depth."""
    conv: ClassVar[bool] = False
    """Its output elements count as activations (Radosavovic et al. 2020, section 4)."""
    norm: ClassVar[bool] = False
    in_place: ClassVar[bool] = False
    """Its output may take the place of its input, and is not counted as memory."""
    context: ClassVar[bool] = False
    """Lets positions see others all over the map without being one summary of it (attention, for one)."""

    def shape(self, *inputs: Shape) -> Shape:
        """The output's shape. Raises `Invalid` when the op cannot take these inputs."""
        return inputs[0]

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        """Shapes of the trainable tensors by the name they have in the module."""
        return {}

    def macs(self, *inputs: Shape) -> int:
        """Multiply-adds for one image; bias adds are not counted."""
        return 0

    def window(self) -> Window | None:
        """The receptive window; None when the op sees the whole map (see `infer.Costs`)."""
        return Window()

    def channels(self, *inputs: Shape) -> Channels:
        """What the op does with the order of its input channels."""
        return "order"

    def alias(self) -> bool:
        """Whether the op passes its only input on unchanged."""
        return False

    def identity(self, *inputs: Shape) -> tuple[object, ...]:
        """What tells this op from others that compute something else (part of the genome's key)."""
        return (self.name, *(getattr(self, f.name) for f in dataclasses.fields(self)))

    def module(self, *inputs: Shape) -> Call | None:
        """The torch module to construct; None for an op written as an expression."""
        return None

    def expression(self, *args: str) -> str:
        """The forward expression of an op that has no module, from those of its inputs."""
        raise TypeError(f"op {self.name} has neither a module nor an expression")

    def definition(self) -> str:
        """Source of a helper class which the module needs and torch lacks ("" when none)."""
        return ""


OPS: dict[str, type[Op]] = {}
"""Every op by name."""


T = TypeVar("T", bound=Op)


def op(name: str) -> Callable[[type[T]], type[T]]:
    """Class decorator: enters a frozen dataclass into the table. A name used twice raises ValueError."""

    def enter(cls: type[T]) -> type[T]:
        if name in OPS:
            raise ValueError(f"op {name!r} is defined twice: {OPS[name].__module__} and {cls.__module__}")
        cls.name = name
        OPS[name] = cls
        return cls

    return enter


def pair(size: Size) -> tuple[int, int]:
    """(height, width) of a size."""
    return size if isinstance(size, tuple) else (size, size)


def square(size: tuple[int, int]) -> Size:
    """The shorter spelling of a size: one number when both are equal."""
    return size[0] if size[0] == size[1] else size


def feature_map(shape: Shape, who: str) -> tuple[int, int, int]:
    """(C, H, W), or `Invalid` for anything else."""
    if len(shape) != 3:
        raise Invalid(f"{who} needs a feature map (C, H, W), not {shape}")
    return shape


def slide(extent: int, window: int, stride: int, padding: int, who: str, *, ceil: bool = False) -> int:
    """Output positions of a window that slides over `extent` inputs. Raises `Invalid` if it does not fit.

    Args:
        ceil: a last window may hang over the end, as long as it starts on the input or the padding before it.
    """
    room = extent + 2 * padding - window
    if room < 0 and not (ceil and room > -stride):
        raise Invalid(f"{who}: a window of {window} does not fit an input of {extent} padded by {padding}")
    if ceil and -(-room // stride) * stride < extent + padding:
        return -(-room // stride) + 1
    return room // stride + 1


def operand(text: str) -> str:
    """An expression that a method can follow: in parentheses where it holds an operator."""
    level = 0
    for character in text:
        level += (character in "([") - (character in ")]")
        if character == " " and level == 0:
            return f"({text})"
    return text


@cache
def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _fits(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if origin is Literal:
        return any(type(value) is type(option) and value == option for option in get_args(hint))
    if origin is tuple:
        inner = get_args(hint)
        return (
            isinstance(value, tuple)
            and ((len(inner) == 2 and inner[1] is ...) or len(inner) == len(value))
            and all(_fits(v, inner[0]) for v in value)
        )
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
    return type(value) is hint


def check(op: Op) -> None:
    """Raises `Invalid` when a field's value is not of the field's type, so that no source can hide in one."""
    for field, hint in _hints(type(op)).items():
        value = getattr(op, field)
        if not _fits(value, hint):
            expected = getattr(hint, "__name__", None) if get_origin(hint) is None else str(hint)
            raise Invalid(f"{op.name}: {field} = {value!r} is not of type {expected}")


class Facts(NamedTuple):
    """All that follows from an op and the shapes of its inputs."""

    shape: Shape
    params: int
    macs: int
    activations: int
    token: bytes
    window: Window | None = Window()


def image_facts(shape: Shape) -> Facts:
    """The facts of a genome's first node, which is an image of that shape."""
    return Facts(shape, 0, 0, 0, repr(("input", shape)).encode())


POINT = Window()
"""The window of ops that treat every position alike."""


def facts(op: Op, inputs: tuple[Shape, ...]) -> Facts:
    """The facts of one use of an op. Raises `Invalid`."""
    known: dict[tuple[Shape, ...], Facts] = op.__dict__["_known"]
    found = known.get(inputs)
    if found is None:
        found = known[inputs] = _facts(op, inputs)
    return found


def _facts(op: Op, inputs: tuple[Shape, ...]) -> Facts:
    if op.arity is not None and len(inputs) != op.arity:
        raise Invalid(f"{op.name} takes {op.arity} inputs, not {len(inputs)}")
    if op.arity is None and not inputs:
        raise Invalid(f"{op.name} needs at least one input")
    shape, window = op.shape(*inputs), op.window()
    return Facts(
        shape,
        sum(math.prod(w) for w in op.weights(*inputs).values()),
        op.macs(*inputs),
        math.prod(shape) if op.conv else 0,
        repr(op.identity(*inputs)).encode(),
        POINT if window == POINT else window,
    )
