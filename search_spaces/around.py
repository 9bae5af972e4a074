"""`around:NAME`: the neighbourhood of one network, by typed edits; `hybrid`: that of every classic.

The start is a classic or a saved genome (FILE.json). The edits are in `edits` and `rewiring`; questions and
their options depend on the start alone, and an edit names its site by path. An edit whose site an earlier
one has taken away changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from pathlib import Path

import search_spaces.classics  # noqa: F401 - registers what `hybrid` starts from
from cells.genome import Genome
from cells.ops import Invalid, Linear, Shape
from cells.view import View
from search_spaces.choose import Chooser, Fixed, SpaceError
from search_spaces.edits import LAYERS
from search_spaces.registry import Preset, Space, find, names, space
from search_spaces.rewiring import GRAPH

EDITS = LAYERS | GRAPH


class Start:
    """A network, and by kind of edit the sites where it can be edited."""

    def __init__(self, genome: Genome) -> None:
        _ = genome.facts  # shapes fit
        self.view = View(genome)

    @cached_property
    def sites(self) -> dict[str, list[str]]:
        """Kinds that have sites, and those."""
        found = {kind: list(edit.sites(self.view)) for kind, edit in EDITS.items()}
        return {kind: sites for kind, sites in found.items() if sites}


@lru_cache(maxsize=512)
def _classic(name: str, input: Shape, classes: int) -> Start:
    return Start(find(name).bind(input=input, classes=classes).draw(Fixed()))


def edited(choose: Chooser, start: Start, edits: int, prefix: str = "") -> Genome:
    """The start after 0 to `edits` edits, each chosen by kind, site and what the kind leaves open."""
    view = start.view
    for number in range(choose.integer(f"{prefix}edits", 0, edits)):
        kind = choose.pick(f"{prefix}edit{number}", list(start.sites))
        name = f"{prefix}edit{number}.{kind}"
        site = choose.pick(name, start.sites[kind])
        if site in EDITS[kind].sites(view):
            view = View(EDITS[kind].apply(view, site, choose, name))
    return view.genome


def around(name: str) -> Space:
    """The space `around:NAME` of a classic or of a genome file.

    Raises:
        UnknownSpaceError, SpaceError: there is no such network.
    """
    if name.endswith(".json"):
        try:
            genome = Genome.loads(Path(name).read_text())
        except (OSError, UnicodeDecodeError, Invalid) as error:
            raise SpaceError(f"around:{name}: {error}") from error
        return around_genome(name, genome)
    classic = find(name)
    if not classic.classic:
        raise SpaceError(f"around:{name}: {classic.name} is a search space, not one network")
    return _around(classic.name, partial(_classic, classic.name))


def around_genome(name: str, genome: Genome) -> Space:
    """The space `around:NAME` of a given genome, which takes other images and classes as they come."""

    @lru_cache(maxsize=8)
    def start(input: Shape, classes: int) -> Start:
        *before, last = genome.nodes
        if isinstance(last.op, Linear):
            last = last._replace(op=replace(last.op, out=classes))
        return Start(Genome(input, (*before, last), genome.kinds, genome.aux))

    return _around(name, start)


def _around(name: str, start: Callable[[Shape, int], Start]) -> Space:
    def neighbourhood(
        choose: Chooser, *, input: Shape = (3, 32, 32), classes: int = 10, edits: int = 3
    ) -> Genome:
        try:
            begin = start(tuple(input), classes)
        except Invalid as error:
            size = "x".join(map(str, input))
            raise SpaceError(
                f"{name} does not take images of {size} in {classes} classes: {error}"
            ) from error
        return edited(choose, begin, edits)

    neighbourhood.__doc__ = f"Up to three edits of {name}."
    return Space(f"around:{name}", neighbourhood, points={name: {"edits": 0}})


@space(
    presets={"laptop": Preset(macs=(3_000_000, 60_000_000)), "gpu": Preset(macs=(30_000_000, 600_000_000))},
    points={name: {"start": name, f"{name}.edits": 0} for name in names(classic=True)},
)
def hybrid(choose: Chooser, *, input: Shape = (3, 32, 32), classes: int = 10, edits: int = 3) -> Genome:
    """Any classic that fits the images, and what up to three edits make of it."""
    start = choose.pick("start", names(classic=True))
    return edited(choose, _classic(start, tuple(input), classes), edits, f"{start}.")
