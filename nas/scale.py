"""`python -m nas.scale`: make a network deeper, wider, or one for larger images."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas.cli import guard, input_shape, parser, positive, seed

EXAMPLES = """\
  python -m nas.scale regnetx_002 --phi 2 --to larger.json
  python -m nas.scale mobilenetv1_100 --width 0.75
  python -m nas.scale efficientnet_b0 --width 1.1 --depth 1.2 --input 3x260x260 --to b2.py
  python -m nas.scale runs/darts:2d040a4c --preset imagenet --to net.json
  python -m nas.scale nasnet:NASNet-A --set n=4 --set f=44 --set stem=nasnet --input 3x224x224 --classes 1000
  python -m nas.scale runs/first --grid --dataset cifar10 --run runs/grid
"""

COEFFICIENTS = ("alpha", "beta", "gamma")
FACTORS = ("depth", "width", "resolution")
SEARCHING = ("step", "tolerance", "dataset", "data_dir", "epochs", "train_images", "seed")


MOST = 100.0
"""Of a factor: what lies beyond takes all memory, and is a slip."""


def factor(text: str) -> float:
    """A number above 0, at most `MOST`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, at most {MOST:g}")
    return value


def coefficient(text: str) -> float:
    """A number of at least 1."""
    if factor(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is below 1")
    return float(text)


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE, where the value is JSON or else text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE such as n=4")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = parser("scale", EXAMPLES)
    p.add_argument("target", metavar="TARGET", help="NAME, FILE.json, RUN (its best), RUN:KEY or SPACE:POINT")
    g = p.add_argument_group("compound scaling (EfficientNet)")
    g.add_argument("--phi", type=factor, metavar="X", help="about 2^X times the multiply-adds")
    g.add_argument("--alpha", type=coefficient, metavar="A", help="of depth: alpha^phi (default: 1.2)")
    g.add_argument("--beta", type=coefficient, metavar="B", help="of width (default: 1.1)")
    g.add_argument("--gamma", type=coefficient, metavar="C", help="of resolution (default: 1.15)")
    g = p.add_argument_group("one dimension at a time")
    g.add_argument("--depth", type=factor, metavar="X", help="times as many repeated blocks, rounded up")
    g.add_argument("--width", type=factor, metavar="X", help="times as wide (see --divisor)")
    g.add_argument("--resolution", type=factor, metavar="X", help="times as large images")
    g.add_argument("--input", type=input_shape, metavar="CxHxW", help="the image that the result takes")
    g.add_argument("--classes", type=positive, metavar="N", help="that the result tells apart")
    g.add_argument(
        "--divisor",
        type=positive,
        default=8,
        metavar="N",
        help="widths that are multiples of it remain so; less for narrow networks (default: 8)",
    )
    g = p.add_argument_group("drawing a network of a search space again (RUN, RUN:KEY or SPACE:POINT)")
    g.add_argument("--preset", metavar="NAME", help="arguments of the space, such as imagenet")
    g.add_argument(
        "--set",
        type=setting,
        action="append",
        metavar="NAME=VALUE",
        help="an argument of the space, such as n=4 or f=44",
    )
    g = p.add_argument_group("finding alpha, beta and gamma: brief trainings at phi = 1")
    g.add_argument("--grid", action="store_true", help="search those of the three that are not given")
    g.add_argument("--step", type=factor, metavar="X", help="of the grid (default: 0.1)")
    g.add_argument(
        "--tolerance",
        type=factor,
        metavar="X",
        help="of alpha · beta² · gamma² about 2 (default: 0.1)",
    )
    g.add_argument("--dataset", metavar="NAME", help="as of nas.search (default: auto)")
    g.add_argument("--data-dir", metavar="DIR", help="where CIFAR-10 lies")
    g.add_argument("--epochs", type=positive, metavar="N", help="of each training (default: by device)")
    g.add_argument("--train-images", type=positive, metavar="N", help="of each (default: by device)")
    g.add_argument("--seed", type=seed, metavar="S", help="of each (default: 0)")
    g.add_argument("--run", metavar="DIR", help="where rows are kept; what is there is not trained again")
    g = p.add_argument_group("what is written")
    g.add_argument("--to", metavar="FILE", help="a .json (the genome) or a .py (needs only torch)")
    g.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    p = arguments()
    given = p.parse_args(argv)
    _check(p, given)
    if given.grid:
        return _grid(given, list(sys.argv[1:] if argv is None else argv))

    from nas.scaling import before_and_after, scaled_target, show, write
    from search_spaces import load_plugins

    load_plugins()
    factors = _factors(given)
    before, after = scaled_target(
        given.target,
        factors,
        settings=dict(given.set or ()),
        preset=given.preset,
        input=given.input,
        classes=given.classes,
        divisor=given.divisor,
        compound=given.phi is not None,
    )
    if given.input is not None:
        factors["resolution"] = math.sqrt(
            math.prod(after.genome.input[1:]) / math.prod(before.genome.input[1:])
        )
    said = before_and_after(before, after, factors)
    if given.phi is not None:
        rule = factors["depth"] * factors["width"] ** 2 * factors["resolution"] ** 2
        said |= {"phi": given.phi, "wished": 2**given.phi, "rule": rule}
    if given.json:
        print(json.dumps(said))
    else:
        show(said)
    if given.to is not None:
        write(after, Path(given.to), quiet=given.json)
    return 0


def _check(p: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Ends with a usage error where options contradict each other or ask for nothing."""
    single = [name for name in FACTORS if getattr(given, name) is not None]
    if given.to is not None:
        if Path(given.to).suffix not in (".json", ".py"):
            p.error(f"argument --to: {given.to} must end in .json or .py")
        if not Path(given.to).parent.is_dir():
            p.error(f"argument --to: there is no folder {Path(given.to).parent}")
    if given.grid:
        wrong = ("phi", *FACTORS, "input", "classes", "preset", "set", "to")
        mixed = next((name for name in wrong if getattr(given, name) is not None), None)
        if mixed or given.json:
            p.error(f"argument --{mixed or 'json'}: not with --grid")
        if given.step is not None and given.step < 0.01:
            p.error("argument --step: a grid of steps below 0.01 is too large to train")
        return
    stray = next((name for name in ("run", *SEARCHING) if getattr(given, name) is not None), None)
    if stray:
        p.error(f"argument --{stray.replace('_', '-')}: only with --grid")
    lone = next((name for name in COEFFICIENTS if getattr(given, name) is not None), None)
    if lone and given.phi is None:
        p.error(f"argument --{lone}: only with --phi or --grid")
    if given.phi is not None and single:
        p.error(f"argument --{single[0]}: not with --phi, which sets all three")
    if given.phi is not None and max(_factors(given).values()) > MOST:
        p.error(f"argument --phi: {given.phi:g} asks for more than {MOST:g} times of something")
    if given.input is not None and given.resolution is not None:
        p.error("argument --resolution: not with --input, which says the resolution")
    asked = [given.phi, *single, given.input, given.classes, given.preset, given.set]
    if all(value is None for value in asked):
        p.error("nothing to scale: give --phi, --depth, --width, --resolution, --input, --classes or --set")


def _factors(given: argparse.Namespace) -> dict[str, float]:
    """Of depth, width and resolution; that of the resolution is 1 where --input says it."""
    from cells.scale import ALPHA, BETA, GAMMA

    if given.phi is None:
        found = {name: getattr(given, name) or 1.0 for name in FACTORS}
    else:
        own = [getattr(given, name) for name in COEFFICIENTS]
        pairs = zip(own, (ALPHA, BETA, GAMMA), strict=True)
        powers = [(usual if value is None else value) ** given.phi for value, usual in pairs]
        found = dict(zip(FACTORS, powers, strict=True))
    return found if given.input is None else found | {"resolution": 1.0}


def _grid(given: argparse.Namespace, words: list[str]) -> int:
    import shlex

    from nas.grid import Options, conclusion, fresh, search, table
    from nas.progress import Reporter
    from search_spaces import load_plugins

    load_plugins()
    fixed = {name: getattr(given, name) for name in COEFFICIENTS if getattr(given, name) is not None}
    reporter = Reporter()
    run = Path(given.run) if given.run else fresh(given.target)
    names = ("target", "divisor", *SEARCHING)
    asked = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    options = Options(fixed=fixed, run=run, **asked)
    try:
        rows = search(options, reporter)
    except KeyboardInterrupt:
        words += [] if given.run else ["--run", str(run)]
        reporter.line(f"Interrupted; every finished row is in {run}. To go on:")
        reporter.line(f"  python -m nas.scale {shlex.join(words)}")
        return 130
    reporter.console.print(table(rows))
    said = list(conclusion(rows, given.target, given.divisor))
    for line in said:
        reporter.line(line)
    return 0 if said else 1


if __name__ == "__main__":
    sys.exit(guard(main))
