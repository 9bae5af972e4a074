"""The table of search spaces: functions from a chooser to a genome. One that asks nothing is a classic."""

from __future__ import annotations

import difflib
import fnmatch
import importlib.metadata
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cells.genome import Genome
from cells.ops import Invalid, Shape
from cells.sketch import at_most
from search_spaces.choose import Chooser, ReplayError, Scalar, SpaceError

SpaceFunction = Callable[..., Genome]
Answers = Mapping[str, Scalar]
Networks = Callable[..., tuple[int, str] | None]


class UnknownSpaceError(LookupError):
    """No space of that name; the message suggests the nearest."""


@dataclass(frozen=True)
class Preset:
    """Arguments of a space that suit one kind of machine or one paper.

    Attributes:
        arguments: keyword arguments of the space.
        macs: the complexity window (lowest, highest) that goes with them; None: no window.
        points: further seed points: answers by name.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    macs: tuple[int, int] | None = None
    points: Mapping[str, Answers] = field(default_factory=dict)


@dataclass(frozen=True)
class Space:
    """A search space, perhaps with some of its arguments bound.

    Attributes:
        classic: it asks no questions.
        presets: by name; `laptop` and `gpu` are those that a search takes by default.
        points: published settings as answers, by name: what a search may be seeded with.
        all_live: every node drawn is part of the network (none is dead, none auxiliary), so that a draw may
            be given up as soon as its running costs leave a window.
        count: the number of answer vectors, from the space's arguments; for a space that is too large to be
            gone through and whose answers change which questions are asked.
        networks: (how many different networks these are, how that is known), from the space's arguments.
    """

    name: str
    function: SpaceFunction
    classic: bool = False
    aliases: tuple[str, ...] = ()
    presets: Mapping[str, Preset] = field(default_factory=dict)
    points: Mapping[str, Answers] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    all_live: bool = False
    count: Callable[..., int] | None = None
    networks: Networks | None = None

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    def takes(self, argument: str) -> bool:
        """Whether the function has such a keyword argument."""
        parameters = inspect.signature(self.function).parameters
        return argument in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def bind(self, **arguments: Any) -> Space:
        """The space with arguments given. Raises `SpaceError` for one that it does not take."""
        for name in arguments:
            if not self.takes(name):
                raise SpaceError(f"space {self.name} takes no argument {name!r}")
        return replace(self, arguments={**self.arguments, **arguments})

    @property
    def settings(self) -> dict[str, Any]:
        """All arguments: those that are bound and the function's defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty} | dict(self.arguments)

    def draw(self, chooser: Chooser, limits: Mapping[str, float] | None = None) -> Genome:
        """The genome that the chooser's answers lead to.

        Args:
            limits: by cost; a space that allows it (`all_live`) gives a draw up once it costs more. Others
                draw it to the end: limits save time, and are no check.

        Raises:
            Invalid: the answers lead to no legal network, or (`Exceeded`) to one above the limits.
            SpaceError: the space's own code is at fault.
            ReplayError: the chooser has no answer.
        """
        try:
            with at_most(limits if limits and self.all_live else {}):
                genome = self.function(chooser, **self.arguments)
        except (Invalid, SpaceError, ReplayError):
            raise
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [f for f in frames if f.filename == inspect.getsourcefile(self.function)]
            where = (own or frames)[-1]
            raise SpaceError(
                f"space {self.name} raised {type(error).__name__}: {error} "
                f"({Path(where.filename).name}, line {where.lineno}, in {where.name})"
            ) from error
        if not isinstance(genome, Genome):
            raise SpaceError(f"space {self.name} returned {type(genome).__name__}, not a genome")
        return genome


SPACES: dict[str, Space] = {}
"""Every registered space, classics included, by name."""

_ALIASES: dict[str, str] = {}


def register(entry: Space) -> None:
    """Enters a space into the table. Raises ValueError when its name or an alias is taken."""
    for name in (entry.name, *entry.aliases):
        if name in SPACES or name in _ALIASES:
            raise ValueError(f"search space {name!r} is registered twice")
    SPACES[entry.name] = entry
    _ALIASES.update(dict.fromkeys(entry.aliases, entry.name))


def space(
    name: str | None = None,
    *,
    aliases: tuple[str, ...] = (),
    presets: Mapping[str, Preset] | None = None,
    points: Mapping[str, Answers] | None = None,
    all_live: bool = False,
    count: Callable[..., int] | None = None,
    networks: Networks | None = None,
    like: SpaceFunction | None = None,
) -> Callable[[SpaceFunction], SpaceFunction]:
    """Decorator: registers a function `(choose, **arguments) -> Genome` as a search space (see `Space`).

    Args:
        like: the space to which the function hands its `**arguments` on, which are then checked.
    """

    def enter(function: SpaceFunction) -> SpaceFunction:
        if like is not None:
            vars(function)["__signature__"] = inspect.signature(like)
        register(
            Space(
                name or function.__name__,
                function,
                aliases=aliases,
                presets=presets or {},
                points=points or {},
                all_live=all_live,
                count=count,
                networks=networks,
            )
        )
        return function

    return enter


def constrained(base: str) -> Callable[[Callable[[Chooser], Chooser]], Space]:
    """Decorator: a space under constraints, for a file of one's own.

    >>> @constrained("anynet_a")
    ... def tied(choose):
    ...     return tie(choose, each("b"))

    The function wraps the chooser (see `search_spaces.reduce`). The space has the presets and arguments of
    its base, but not the points, which may not keep the constraints. It is found as FILE.py:tied, and not
    registered, so that files may call theirs as they like.

    Args:
        base: any name that `find` takes.
    """
    inner = find(base)

    def enter(constrain: Callable[[Chooser], Chooser]) -> Space:
        def draw(choose: Chooser, **arguments: Any) -> Genome:
            return inner.function(constrain(choose), **arguments)

        draw.__doc__ = constrain.__doc__
        vars(draw)["__signature__"] = inspect.signature(inner.function)
        presets = {name: replace(preset, points={}) for name, preset in inner.presets.items()}
        return Space(
            constrain.__name__, draw, presets=presets, arguments=inner.arguments, all_live=inner.all_live
        )

    return enter


def classic(
    name: str,
    build: Callable[..., Genome],
    doc: str,
    *,
    input: Shape = (3, 224, 224),
    classes: int = 1000,
    aliases: tuple[str, ...] = (),
) -> None:
    """Registers a hand-designed network: a space that asks nothing.

    Args:
        build: called with keywords `input` (C, H, W) and `classes`.
        doc: paper, year, what was new in it, a figure published for it; the first line is its summary.
        input: what it was published for, and takes unless told otherwise.
    """
    shape, count = input, classes

    def draw(choose: Chooser, *, input: Shape = shape, classes: int = count) -> Genome:
        return build(input=input, classes=classes)

    draw.__doc__ = doc
    register(Space(name, draw, classic=True, aliases=aliases))


def find(name: str) -> Space:
    """The space of that name or alias, the one in a `FILE.py:FUNCTION`, or `around:` a network.

    Raises:
        UnknownSpaceError: there is none.
        SpaceError: the file cannot be loaded.
    """
    if name.startswith("around:"):
        from search_spaces.around import around  # which reads this table

        return around(name.removeprefix("around:"))
    if ".py:" in name:
        return _from_file(name)
    found = SPACES.get(_ALIASES.get(name, name))
    if found is not None:
        return found
    known = [*SPACES, *_ALIASES]
    folded = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.5)
    hint = f"did you mean {folded[close[0]]}?" if close else "`python -m nas.spaces` lists them"
    raise UnknownSpaceError(f"no search space or network is called {name!r}: {hint}")


def names(pattern: str = "*", *, classic: bool | None = None) -> list[str]:
    """Sorted names that match a shell pattern; of classics only (True) or of search spaces only (False)."""
    return sorted(
        s.name
        for s in SPACES.values()
        if fnmatch.fnmatchcase(s.name, pattern) and classic in (None, s.classic)
    )


def _from_file(name: str) -> Space:
    file, _, function = name.rpartition(":")
    path = Path(file)
    name = f"{path.as_posix()}:{function}"  # ./mine.py is mine.py
    if not path.is_file():
        raise SpaceError(f"no file {file}")
    found = getattr(load_file(path), function, None)
    if function in SPACES and SPACES[function].function is found:
        return replace(SPACES[function], name=name)
    if isinstance(found, Space):
        return replace(found, name=name)
    if not callable(found):
        raise SpaceError(f"{file} has no function {function!r}")
    return Space(name, found)


def load_file(path: Path) -> Any:
    """Imports a Python file, once. Raises `SpaceError` when it cannot be imported."""
    label = f"nas_user_{path.stem}_{abs(hash(str(path.resolve())))}"
    if label in sys.modules:
        return sys.modules[label]
    spec = importlib.util.spec_from_file_location(label, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[label] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[label]
        raise SpaceError(f"{path}: {type(error).__name__}: {error}") from error
    return module


def load_plugins() -> None:
    """Imports the modules that installed packages name in the entry point group `nas.plugins`."""
    for entry in importlib.metadata.entry_points(group="nas.plugins"):
        entry.load()
