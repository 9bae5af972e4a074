"""`python -m nas.export`: write a network as plain PyTorch, ONNX, JSON, or its weights."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli import guard, input_shape, parser, positive

if TYPE_CHECKING:
    from nas.targets import Target

EXAMPLES = """\
  python -m nas.export runs/first --to net.py
  python -m nas.export runs/first --to handover/
  python -m nas.export runs/first:2d040a4c --to net.onnx --fuse-bn
  python -m nas.export runs/first --ensemble 5 --to vote.pt2
  python -m nas.export regnetx_004 --to net.py --classes 10 --name MyNet
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = parser("export", EXAMPLES)
    p.add_argument("target", metavar="TARGET", help="NAME, FILE.json, RUN (its best), RUN:best or RUN:KEY")
    p.add_argument(
        "--to",
        required=True,
        metavar="FILE",
        help="what to write, by its ending: .py (needs only torch), .pt2 (torch.export), .onnx, .json (the "
        "genome), .safetensors or .pt (weights); without an ending: a folder, with all of them",
    )
    p.add_argument(
        "--weights", metavar="FILE", help=".safetensors or .pt to load (default: those that the run kept)"
    )
    p.add_argument(
        "--ensemble", type=positive, metavar="K", help="the soft vote of the best K networks of a RUN"
    )
    p.add_argument(
        "--fuse-bn", action="store_true", help="fold batch norms into the convolutions before them"
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
    if not Path(given.to).parent.is_dir():
        p.error(f"argument --to: there is no folder {Path(given.to).parent}")
    if given.ensemble is not None:
        own = next(
            (name for name in ("weights", "input", "classes") if getattr(given, name) is not None), None
        )
        if own is not None:
            p.error(f"argument --{own}: an ensemble has the {own} of its members")

    from nas.exporting import file_names
    from nas.progress import console
    from nas.targets import best_together, resolve
    from search_spaces import load_plugins

    try:
        file_names(Path(given.to))
    except ValueError as error:
        p.error(f"argument --to: {error}")
    load_plugins()
    if given.ensemble is not None:
        found = best_together(given.target, given.ensemble)
    else:
        found = resolve(given.target, given.input, given.classes)
    _describe(found)
    with console(stderr=True).status("loading torch") as status, warnings.catch_warnings():
        warnings.showwarning = _warn

        from nas.formats import export
        from nas.verify import VerificationError

        try:
            written = export(
                found,
                given.to,
                name=given.name,
                weights=given.weights,
                fuse_bn=given.fuse_bn,
                say=status.update,
            )
        except VerificationError as error:
            print(f"nas: {error}; nothing is written", file=sys.stderr)
            return 1
    for file, difference in written:
        if difference is None:
            checked = "read again, it has the same key"
        elif difference == 0:
            checked = "alone it gives the same, bit by bit"
        else:
            checked = f"alone it gives the same within {difference:.1e} of the largest output"
        print(f"wrote {file}: {checked}")
    return 0


def _describe(target: Target) -> None:
    """A line for the network; for an ensemble, also one for each member."""
    from cells.infer import infer

    for part in (*target.members, target):
        costs = infer(part.genome)
        print(f"{part.name}  key {part.genome.key}, {costs.params:,} params, {costs.macs:,} MACs")


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    print(f"nas: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(guard(main))
