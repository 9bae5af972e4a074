"""`python -m nas.spaces`: list search spaces and networks, and say what is in one."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas.cli import guard, input_shape, parser, positive, window

if TYPE_CHECKING:
    from search_spaces.census import Census, Size
    from search_spaces.registry import Space

EXAMPLES = """\
  python -m nas.spaces
  python -m nas.spaces 'resnet*'
  python -m nas.spaces regnet
  python -m nas.spaces anynet --count --json
  python -m nas.spaces regnet --preset laptop --sample 2000 --macs 4M:6M
  python -m nas.spaces my_spaces.py:my_space
"""


PATIENCE = 60.0
"""Seconds after which a narrow window is described by the networks found so far."""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = parser("spaces", EXAMPLES)
    p.add_argument(
        "space",
        nargs="?",
        metavar="NAME",
        help="a search space, FILE.py:FUNCTION, around:NETWORK, or a pattern of names (default: list all)",
    )
    p.add_argument(
        "--preset",
        metavar="NAME",
        help="ranges of the space: laptop, gpu, paper, ... (default: the function's own)",
    )
    p.add_argument("--count", action="store_true", help="only the exact number of answer vectors")
    p.add_argument(
        "--sample",
        type=positive,
        default=500,
        metavar="N",
        help="random draws to describe it by; with --macs, different networks in the window (default: 500)",
    )
    p.add_argument("--input", type=input_shape, metavar="CxHxW", help="image the networks take")
    p.add_argument("--classes", type=positive, metavar="N", help="classes they tell apart")
    p.add_argument("--macs", type=window, metavar="LO:HI", help="a window to sample in, such as 4M:6M")
    p.add_argument("--json", action="store_true", help="one JSON object")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    p = arguments()
    given = p.parse_args(argv)

    from search_spaces import load_plugins, names

    load_plugins()
    if given.space is None or any(c in given.space for c in "*?["):
        pattern = given.space or "*"
        if not names(pattern):
            p.error(f"argument NAME: nothing matches {pattern}")
        _list(pattern, given.json)
        return 0

    from nas.targets import find_space
    from search_spaces.census import sample, size

    space = find_space(given.space)
    bound = {"input": given.input, "classes": given.classes}
    wanted = {k: v for k, v in bound.items() if v is not None}
    limits = given.macs
    if given.preset is not None:
        if given.preset not in space.presets:
            known = ", ".join(space.presets) or "none"
            p.error(f"argument --preset: {space.name} has {known}, not {given.preset}")
        preset = space.presets[given.preset]
        wanted = {**preset.arguments, **wanted}
        limits = limits or preset.macs
    space = space.bind(**wanted)
    census = sample(space, 100)
    counted = size(space, census)
    if not given.count:
        census = sample(space, given.sample, macs=limits, timeout=PATIENCE)
    if given.json:
        found = {
            "name": space.name,
            "size": counted.vectors,
            "counted": counted.how,
            "networks": counted.networks,
            "networks_counted": counted.source,
            "questions": len(census.asked),
        }
        print(json.dumps(found if given.count else found | census.to_json()))
    elif given.count:
        print(counted.how if counted.vectors is None else counted.vectors)
    else:
        _describe(space, census, counted, limits, given.sample)
    return 0


def _list(pattern: str, as_json: bool) -> None:
    """All spaces, and the networks that match; with a pattern, each with what it is."""
    from search_spaces import SPACES, names

    spaces, networks = names(pattern, classic=False), names(pattern, classic=True)
    if as_json:
        print(json.dumps({"spaces": spaces, "networks": networks}))
        return

    from rich.columns import Columns

    from nas.progress import columns, console

    out = console()

    def described(listed: list[str]) -> None:
        table = columns("", " ", left=("", " "))
        table.show_header = False
        for name in listed:
            table.add_row(f"  {name}", SPACES[name].summary)
        table.columns[0].min_width = max(map(len, listed)) + 2
        out.print(table)

    if spaces:
        out.print("Search spaces")
        described(spaces)
    if networks:
        out.print(f"Networks ({len(networks)})")
        if pattern == "*":
            out.print(Columns(networks, padding=(0, 2), column_first=True), soft_wrap=False)
            out.print(
                "`python -m nas.spaces 'resnet*'` says what each is, `python -m nas.show NAME` shows one."
            )
        else:
            described(networks)


def _describe(
    space: Space, census: Census, size: Size, limits: tuple[float, float] | None, wanted: int
) -> None:
    from nas.progress import columns, console, short
    from search_spaces.census import histogram, quantiles

    out = console()

    def line(title: str, text: str) -> None:
        out.print(f"{title:11} {text}", markup=False)

    line(f"{space.name}:", space.summary)
    vectors = size.how if size.vectors is None else f"{_count(size.vectors)} answer vectors ({size.how})"
    line("size", f"{vectors}, {len(census.asked)} questions")
    if size.networks is not None:
        line("networks", f"{_count(size.networks)} different ones ({size.source})")
    for name, domain in list(census.asked.items())[:40]:
        out.print(f"  {name:12} {domain}", markup=False)
    for group in census.groups:
        out.print(f"  {group}: {', '.join(group.names)}", markup=False)
    line("samples", f"{census.draws:,}: {census.valid / census.draws:.1%} valid, {_ms(census)} each")
    for reason, number in census.reasons[:3]:
        out.print(f"  invalid   {number / census.draws:.1%}: {reason}", markup=False)
    if limits is not None:
        line(
            "window",
            f"{short(limits[0])}-{short(limits[1])} MACs: {census.inside / census.draws:.2%} of the samples, "
            f"{census.outside:,} outside",
        )
        if census.distinct < wanted:
            line("stopped", f"with {census.distinct:,} of {wanted:,} networks: others are too rare")
    rate = census.duplicates / census.inside if census.inside else 0.0
    line(
        "repeats",
        f"{rate:.1%}: {census.duplicates:,} networks drawn before, {census.distinct:,} different ones",
    )
    table = columns("cost", "min", "q1", "median", "q3", "max", " ", left=("cost", " "))
    for name, values in census.costs.items():
        if values:
            table.add_row(name, *(short(v) for v in quantiles(values).values()), _bars(histogram(values)))
    out.print(table)


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**6 else f"{number:,} ({number:.3g})"


def _ms(census: Census) -> str:
    return f"{1000 * census.seconds:.2f} ms"


def _bars(counts: list[int]) -> str:
    """A line of blocks."""
    return "".join(" ▁▂▃▄▅▆▇█"[math.ceil(8 * c / max(counts))] for c in counts)


if __name__ == "__main__":
    sys.exit(guard(main))
