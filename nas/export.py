"""`python -m nas.export`: write a network as plain PyTorch or JSON."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nas.cli import guard, input_shape, parser, positive

EXAMPLES = """\
  python -m nas.export runs/first --to net.py
  python -m nas.export runs/first:2d040a4c --to genome.json
  python -m nas.export regnetx_004 --to net.py --classes 10
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = parser("export", EXAMPLES)
    p.add_argument("target", metavar="TARGET", help="NAME, FILE.json, RUN (its best), RUN:best or RUN:KEY")
    p.add_argument(
        "--to",
        required=True,
        metavar="FILE",
        help="what to write: a .py (needs only torch) or a .json (the genome)",
    )
    p.add_argument(
        "--input", type=input_shape, metavar="CxHxW", help="image a named network takes (default: its own)"
    )
    p.add_argument(
        "--classes", type=positive, metavar="N", help="classes a named network tells apart (default: its own)"
    )
    p.add_argument("--name", metavar="CLASS", help="class name of the network (default: its kind)")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    p = arguments()
    given = p.parse_args(argv)
    target = Path(given.to)
    if target.suffix not in (".py", ".json"):
        p.error(f"argument --to: {given.to} must end in .py or .json")
    if not target.parent.is_dir():
        p.error(f"argument --to: there is no folder {target.parent}")

    from cells.genome import check_kind
    from nas.exporting import genome_text, source_text
    from nas.targets import resolve
    from search_spaces import load_plugins

    if given.name is not None:
        check_kind(given.name)
    load_plugins()
    found = resolve(given.target, given.input, given.classes)
    text = source_text(found, given.name) if target.suffix == ".py" else genome_text(found)
    target.write_text(text)
    print(f"wrote {target} ({found.name}, key {found.genome.key}, {len(text.splitlines())} lines)")
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
