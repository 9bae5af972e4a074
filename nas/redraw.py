"""Draws a network of a space again with other arguments: the cell found on CIFAR-10 as an ImageNet network.

Zoph et al. 2018 (NASNet, arXiv:1707.07012), section 3: what is searched is a cell; N, the filters, the stem,
the images and the classes are arguments of the network around it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cells.ops import Shape
from nas.targets import Target, TargetError, find_space
from search_spaces import Fixed, Replay, Space, UnknownSpaceError, find
from search_spaces.choose import Scalar


def is_point(text: str) -> bool:
    """Whether a target is SPACE:POINT, a published setting of a search space."""
    name, colon, _ = text.partition(":")
    if not colon or name == "around" or ".py:" in text or Path(name).exists():
        return False
    try:
        return not find(name).classic
    except UnknownSpaceError:
        return False


def redrawn(
    text: str,
    settings: Mapping[str, Any] | None = None,
    preset: str | None = None,
    input: Shape | None = None,
    classes: int | None = None,
) -> Target:
    """The network of RUN, RUN:KEY or SPACE:POINT with other arguments of its space.

    Args:
        settings: arguments by name.
        preset: of the space, whose arguments come before those.
        input, classes: further arguments, where not None.

    Raises:
        TargetError: the target has no space, or the space no such preset, point or argument.
        ReplayError: under these arguments the space asks other questions.
        Invalid: the answers draw no legal network there.
    """
    name, _, which = text.partition(":")
    row: dict[str, Any] | None = None
    if is_point(text):
        space = find(name)
    elif Path(name).is_dir():
        from nas.store import Run

        run = Run(name)
        row = run.best("" if which == "best" else which)
        space = find_space(row["space"])
        space = space.bind(**{k: _tuples(v) for k, v in run.config.get("arguments", {}).items()})
    else:
        raise TargetError(f"{text} is no result of a search and no SPACE:POINT: only those are drawn again")
    wanted = dict(_preset(space, preset))
    given = dict(settings or {})
    given |= {k: v for k, v in (("input", input), ("classes", classes)) if v is not None}
    space = _bound(space, {**wanted, **given})
    if row is None:
        chooser: Fixed | Replay = Fixed(**_point(space, preset, which))
        title, origin = text, f"a published point of {space.name}"
    else:
        chooser = Replay(json.loads(row["choices"]))
        title, origin = f"{name}:{row['key']}", f"run {name}"
    genome = space.draw(chooser)
    if isinstance(chooser, Replay):
        chooser.finish()
    return Target(title, genome, origin)


def _preset(space: Space, name: str | None) -> Mapping[str, Any]:
    if name is None:
        return {}
    if name not in space.presets:
        known = ", ".join(space.presets) or "none"
        raise TargetError(f"--preset {name}: {space.name} has {known}")
    return space.presets[name].arguments


def _point(space: Space, preset: str | None, name: str) -> Mapping[str, Scalar]:
    known = {**space.points, **(space.presets[preset].points if preset else {})}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known) or 'none'}"
        raise TargetError(f"{space.name} has no point {name!r}: {hint}")
    return known[name]


def _bound(space: Space, given: Mapping[str, Any]) -> Space:
    """The space with arguments that were JSON. Raises `TargetError` for one of another type."""
    settings, fitting = space.settings, {}
    for name, value in given.items():
        if name not in settings and not space.takes(name):
            raise TargetError(f"--set {name}: {space.name} has {', '.join(settings)}")
        fitting[name] = _tuples(value)
        default = settings.get(name)
        whole = type(default) is float and type(fitting[name]) is int
        if default is not None and not whole and type(default) is not type(fitting[name]):
            like = json.dumps(default)
            raise TargetError(f"--set {name}={value}: {space.name} takes a value such as {name}={like}")
    return space.bind(**fitting)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value
