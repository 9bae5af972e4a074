"""Lays out emitted source: lines that fit, loops over equal steps."""

from __future__ import annotations

import re

WIDTH = 100
"""Longest line."""


def fold(signature: str) -> list[str]:
    """A `def` line, or one line for each argument where it is too long."""
    if len(signature) <= WIDTH:
        return [signature]
    head, _, tail = signature.partition("(")
    arguments, _, end = tail.rpartition(")")
    return [f"{head}(", *(f"        {a}," for a in split(arguments)), f"    ){end}"]


def wrap(text: str, indent: int) -> list[str]:
    """A call, or one line for each argument where it is too long."""
    if indent + len(text) <= WIDTH:
        return [text]
    head, _, rest = text.partition("(")
    return [f"{head}(", *(f"    {a}," for a in split(rest[:-1])), ")"]


def unfold(line: str, indent: int) -> list[str]:
    """A statement over as many lines as it needs: what stands in its last bracket goes below it."""
    if indent + len(line) <= WIDTH or line[-1] not in ")]":
        return [line]
    depth, start = 0, len(line)
    while start and (depth or start == len(line)):
        start -= 1
        depth += (line[start] in ")]") - (line[start] in "([")
    lines = [line[: start + 1]]
    for argument in split(line[start + 1 : -1]):
        *most, last = unfold(argument, indent + 5)  # one more for the comma
        lines += ["    " + text for text in (*most, f"{last},")]
    return [*lines, line[-1]]


def split(arguments: str) -> list[str]:
    """Arguments at their top-level commas."""
    found, depth = [""], 0
    for char in arguments:
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            found.append("")
        else:
            found[-1] += char
    return [a.strip() for a in found]


def listed(name: str, entries: list[list[str]], indent: int, opening: str, closing: str) -> list[str]:
    """The lines of a container's call; the first starts after `indent` columns."""
    flat = [entry[0] for entry in entries if len(entry) == 1]
    line = f"{name}{opening}{', '.join(flat)}{closing}"
    if len(flat) == len(entries) and indent + len(line) <= WIDTH and len(flat) <= 3:
        if opening == "([" and len(flat) == 1 and flat[0].startswith("*["):
            return [f"{name}({flat[0][1:]})"]
        return [line]
    lines = [name + opening]
    for entry in entries:
        lines += ["    " + text for text in entry[:-1]]
        lines.append(f"    {entry[-1]},")
    return [*lines, closing]


_INTEGER = re.compile(r"(?:(?<=[(=])|(?<=, ))\d+(?=[,)])")  # an argument that is an integer


def steps(entries: list[list[str]]) -> tuple[str, int] | None:
    """Three or more calls in front whose numbers go up by equal steps: their text in `i`, and how many."""
    first = entries[0][0]
    rows: list[list[int]] = []
    for text, *more in entries:
        row = [int(number) for number in _INTEGER.findall(text)]
        if more or " for " in text or _INTEGER.sub("", text) != _INTEGER.sub("", first):
            break
        if len(rows) > 1 and any(a - b != b - c for a, b, c in zip(row, *rows[:-3:-1], strict=True)):
            break
        rows.append(row)
    if len(rows) < 3:
        return None
    terms = iter(
        f"{a} {'+' if b > a else '-'} {abs(b - a)} * i" if a != b else str(a)
        for a, b in zip(rows[0], rows[1], strict=True)
    )
    return _INTEGER.sub(lambda _: next(terms), first), len(rows)
