"""Writes a genome as readable PyTorch: the very source that is run, and that is handed over.

One class for each kind and structure of block; numbers in which blocks of a class differ become
constructor arguments; runs of equal calls become loops. Module paths are node paths, so `state_dict`
names are node path + parameter name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from cells.forward import forward_lines
from cells.genome import Genome
from cells.layout import fold, listed, steps, unfold, wrap
from cells.ops import Invalid, Shape
from cells.scopes import BlockClass, ClassName, Part, Scope, Structure, is_number

_CHANNELS = frozenset(
    "in_channels out_channels num_features num_channels in_features out_features width".split()
)
_FOLLOWING = _CHANNELS | {"groups"}  # what may be written as a multiple or a fraction of a width


def emit(genome: Genome, *, name: str | None = None) -> str:
    """The source of a Python file whose last class, called `name` (default: the root's kind), is the network.

    Raises:
        Invalid: the shapes do not fit, the paths cannot be made into classes, or the name is not free.
    """
    structure = Structure(genome)
    if name is not None:
        structure.root.kind = name
    classes = _classify(structure, fixed=name is not None)
    for made in classes:
        _write_class(structure, made)
    helpers = _helpers(structure)
    imports = "import torch\nfrom torch import Tensor, nn\n"
    return imports + "".join(f"\n\n{text}\n" for text in [*helpers, *(c.source for c in classes)])


def _helpers(structure: Structure) -> list[str]:
    """The classes that ops define, each once."""
    ops = [structure.genome.nodes[index].op for index in structure.root.nodes]
    return list(dict.fromkeys(source for op in ops if (source := op.definition().strip())))


def _classify(structure: Structure, *, fixed: bool) -> list[BlockClass]:
    """Groups blocks into classes, inner ones first, and settles each class's arguments.

    Args:
        fixed: the network's own class has its kind's name and no other.
    """
    classes: list[BlockClass] = []
    taken = {"Tensor", *re.findall(r"^class (\w+)", "\n".join(_helpers(structure)), re.MULTILINE)}
    root = structure.root.kind or "Net"
    if fixed and root in taken:
        raise Invalid(f"{root} cannot be the network's class: the source has another of that name")
    root = next(n for n in _numbered(root) if n not in taken)
    taken.add(root)
    waiting = structure.blocks()
    while waiting:
        # A block is ready when all blocks inside it have classes; equal ones become ready together.
        ready = [s for s in waiting if all(b.path in structure.classes for b in _inner(s))]
        groups: dict[tuple[object, ...], BlockClass] = {}
        for scope in ready:
            groups.setdefault(structure.signature(scope), BlockClass("", [])).scopes.append(scope)
        # The commonest of a kind has its plain name.
        for made in sorted(groups.values(), key=lambda made: -len(made.scopes)):
            names = _numbered(made.scopes[0].kind or "Block")
            is_root = made.scopes[0] is structure.root
            made.name = root if is_root else next(n for n in names if n not in taken)
            taken.add(made.name)
        for made in groups.values():
            made.formals = _formals(structure, made)
            made.params = _params(structure, made)
            for scope in made.scopes:
                structure.classes[scope.path] = made
            classes.append(made)
        waiting = [s for s in waiting if s.path not in structure.classes]
    return classes


def _inner(scope: Scope) -> Iterator[Scope]:
    for child in scope.children.values():
        if isinstance(child, Scope):
            if child.is_list:
                yield from _inner(child)
            else:
                yield child


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}{number}"
        number += 1


def _formals(structure: Structure, made: BlockClass) -> list[int]:
    """Slots that read the same node in every instance are one argument of `forward`."""
    seen: dict[tuple[int, ...], int] = {}
    slots = zip(*(structure.slots(scope) for scope in made.scopes), strict=True)
    return [seen.setdefault(slot, len(seen)) for slot in slots]


def _role(role: str) -> str:
    return "width" if role in _CHANNELS else role


Column = tuple[str, tuple[object, ...]]
Parameter = tuple[str, str, tuple[object, ...]]


def _columns(structure: Structure, made: BlockClass) -> list[Column]:
    """Every number of the class: its role, and its value in each instance."""
    rows = [[hole for part in structure.parts(scope) for hole in part.all_holes()] for scope in made.scopes]
    return [(column[0][0], tuple(value for _, value in column)) for column in zip(*rows, strict=True)]


def _width(shape: Shape) -> int:
    """Channels: first in a feature map (C, H, W), last in tokens and vectors."""
    return shape[0] if len(shape) == 3 else shape[-1]


def _params(structure: Structure, made: BlockClass) -> list[Parameter]:
    columns = [(role, values) for role, values in _columns(structure, made) if len(set(values)) > 1]
    if len(set(made.formals)) > 1:
        return _params_of_many(structure, made, columns)
    ins = tuple(_width(structure.shapes[structure.slots(s)[0]]) for s in made.scopes)
    outs = tuple(_width(structure.shapes[structure.writes(s.nodes)[0]]) for s in made.scopes)
    widths = [values for role, values in columns if _role(role) == "width"]
    params: list[Parameter] = []
    if ins == outs and ins in widths:
        params.append(("channels", "width", ins))
    else:
        params += [(n, "width", v) for n, v in (("in_channels", ins), ("out_channels", outs)) if v in widths]
    return _completed(params, columns)


def _params_of_many(structure: Structure, made: BlockClass, columns: list[Column]) -> list[Parameter]:
    """Those of a block with several inputs: the width of each input, and the width it uses most."""
    widths = [values for role, values in columns if _role(role) == "width"]
    rows = [structure.slots(scope) for scope in made.scopes]
    params: list[Parameter] = []
    for formal in sorted(set(made.formals)):
        slot = made.formals.index(formal)
        ins = tuple(structure.shapes[row[slot]][0] for row in rows)
        if ins in widths and ins not in [values for _, _, values in params]:
            params.append((f"in_channels{formal}", "width", ins))
    if len(params) == 1:
        params = [("in_channels", "width", params[0][2])]
    inner = [values for values in widths if values not in [known for _, _, known in params]]
    if inner:
        params.append(("channels", "width", max(inner, key=inner.count)))
    return _completed(params, columns)


def _completed(params: list[Parameter], columns: list[Column]) -> list[Parameter]:
    """The parameters, and one more for every column that does not follow from those before it."""
    for role, values in columns:
        if _derive(role, values, params) is None:
            role = _role(role)
            names = {name for name, _, _ in params}
            params.append((next(n for n in _numbered(role) if n not in names), role, values))
    return sorted(params, key=lambda p: p[1] != "width")


def _derive(role: str, values: tuple[object, ...], params: list[Parameter]) -> str | None:
    """An expression in the parameters that gives the values, if there is a simple one."""
    for name, param, known in params:
        if param == _role(role) and known == values:
            return name
    for name, param, known in params:
        pairs = list(zip(values, known, strict=True))
        numbers = [(v, k) for v, k in pairs if isinstance(v, int) and isinstance(k, int)]
        if len(numbers) < len(pairs):
            continue
        if role == "padding" and param == "kernel_size" and all(v == k // 2 for v, k in numbers):
            return f"{name} // 2"
        if role in _FOLLOWING and param == "width" and all(v > 0 and k > 0 for v, k in numbers):
            value, base = numbers[0]
            if value > base and all(v * base == k * value for v, k in numbers):
                if value % base == 0:
                    return f"{value // base} * {name}"
            elif base % value == 0 and all(k == v * (base // value) for v, k in numbers):
                return name if base == value else f"{name} // {base // value}"
            if all(v == k // 2 for v, k in numbers):  # of odd widths too
                return f"{name} // 2"
            if all(v == k - k // 2 for v, k in numbers):
                return f"{name} - {name} // 2"
    return None


Numbers = Callable[[], tuple[str, object]]
"""Gives the next number of a class: how it is written, and its value if that is one in all instances."""


def _write_class(structure: Structure, made: BlockClass) -> None:
    columns = iter(_columns(structure, made))

    def number() -> tuple[str, object]:
        role, values = next(columns)
        if len(set(values)) == 1:
            return repr(values[0]), values[0]
        derived = _derive(role, values, made.params)
        assert derived is not None
        return derived, None

    body: list[str] = []
    for part in structure.parts(made.scopes[0]):
        for index, line in enumerate(_construct(part, number, 8 + len(f"self.{part.name} = "))):
            body.append(f"self.{part.name} = {line}" if index == 0 else line)
    arguments = [f"{name}: {_type(values)}" for name, _, values in made.params]
    forms, forward = forward_lines(structure, made)
    returns = "Tensor" if len(structure.writes(made.scopes[0].nodes)) == 1 else "tuple[Tensor, ...]"
    if made.scopes[0] is structure.root and structure.genome.aux:
        returns = "Tensor | tuple[Tensor, ...]"
    lines = [f"class {made.name}(nn.Module):"]
    if body:
        lines += fold(f"    def __init__(self{''.join(', ' + a for a in arguments)}) -> None:")
        lines += ["        super().__init__()", *("        " + line for line in body), ""]
    lines += fold(f"    def forward(self, {', '.join(f'{f}: Tensor' for f in forms)}) -> {returns}:")
    lines += ["        " + broken for line in forward for broken in unfold(line, 8)]
    made.source = "\n".join(lines)


def _type(values: tuple[object, ...]) -> str:
    """The annotation of a parameter with these values."""
    kinds = {type(v) for v in values}
    if kinds == {ClassName}:
        return "type[nn.Module]"
    if any(isinstance(v, tuple) and len(v) != 2 for v in values):
        return "tuple[int, ...]"
    if kinds == {int}:
        return "int"
    if kinds <= {int, float}:
        return "float"
    return "int | tuple[int, int]" if int in kinds else "tuple[int, int]"


def _construct(part: Part, number: Numbers, indent: int) -> list[str]:
    """The lines that construct a part; the first starts after `indent` columns."""
    text = _call(part, number)
    if isinstance(text, str):
        return wrap(text, indent)
    name = "nn.Sequential" if part.sequential else "nn.ModuleList"
    entries: list[list[str]] = []
    index = 0
    inner = [_construct(p, number, 13) for p in part.parts]  # one more for the comma
    while index < len(inner):
        run = index
        while run < len(inner) and inner[run] == inner[index]:
            run += 1
        count = run - index
        if count > 1:
            *start, last = inner[index]
            loop = [*start, f"{last} for _ in range({count})"]
            if not start:
                loop = [f"*[{loop[0]}]"]
            else:
                loop = ["*[", *("    " + line for line in loop), "]"]
            entries.append(loop)
        elif (climb := steps(inner[index:])) is not None:
            text, count = climb
            entries.append([f"*[{text} for i in range({count})]"])
            run = index + count
        else:
            entries.append(inner[index])
        index = run
    if not part.sequential:
        return listed(name, entries, indent, "([", "])")
    return listed(name, entries, indent, "(", ")")


def _call(part: Part, number: Numbers) -> str | None:
    """The constructor call of an op or a block; None for a list."""
    if part.call is not None:
        texts = []
        for arg in part.call.args:
            text, value = number() if is_number(arg) else (repr(arg.value), arg.value)
            if arg.default is None:
                texts.append(text)
            elif value is None or value != arg.default:
                texts.append(f"{arg.name}={text}")
        return f"{part.call.func}({', '.join(texts)})"
    if part.block is not None:
        made = part.block.name if part.name.isdigit() else number()[0]
        texts = []
        for name, role, _ in part.block.params:
            text, _ = number()
            texts.append(text if role == "width" else f"{name}={text}")
        return f"{made}({', '.join(texts)})"
    return None
