"""`python -m nas.show`: one network: shapes, costs, blocks."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import guard, input_shape, parser, positive

if TYPE_CHECKING:
    from cells.genome import Genome
    from cells.infer import Costs, Layer
    from nas.targets import Target

EXAMPLES = """\
  python -m nas.show regnetx_004
  python -m nas.show regnety_008 --input 3x32x32 --classes 10 --layers
  python -m nas.show runs/first
  python -m nas.show runs/first:2d040a4c --json
  python -m nas.show genome.json --draw net.svg
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = parser("show", EXAMPLES)
    p.add_argument("target", metavar="TARGET", help="NAME, FILE.json, RUN (its best) or RUN:KEY")
    p.add_argument(
        "--input", type=input_shape, metavar="CxHxW", help="image a named network takes (default: its own)"
    )
    p.add_argument(
        "--classes", type=positive, metavar="N", help="classes a named network tells apart (default: its own)"
    )
    p.add_argument("--layers", action="store_true", help="a line for each layer instead of each block")
    p.add_argument("--aux", action="store_true", help="count auxiliary heads as well")
    p.add_argument("--draw", metavar="FILE.svg", help="write a picture by block (.svg, .pdf or .png)")
    p.add_argument("--json", action="store_true", help="one JSON object")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    p = arguments()
    given = p.parse_args(argv)
    if given.draw is not None and Path(given.draw).suffix not in (".svg", ".pdf", ".png"):
        p.error(f"argument --draw: {given.draw} must end in .svg, .pdf or .png")

    from cells.infer import infer
    from nas.targets import resolve
    from search_spaces import load_plugins

    load_plugins()
    target = resolve(given.target, given.input, given.classes)
    costs = infer(target.genome, aux=given.aux)
    if given.draw is not None:
        _draw(target, given.draw)
    if given.json:
        print(json.dumps(facts(target, costs)))
    else:
        _print(target, costs, by_layer=given.layers)
    return 0


def _draw(target: Target, file: str) -> None:
    from cells.draw import draw
    from nas.targets import TargetError

    try:
        draw(target.genome, Path(file), target.name)
    except ImportError as error:
        raise TargetError(f"--draw needs the extra draw: pip install 'nas-engine[draw]' ({error})") from error
    except OSError as error:
        raise TargetError(f"--draw {file}: {error.strerror}") from error


def facts(target: Target, costs: Costs) -> dict[str, Any]:
    """What `--json` prints."""
    genome = target.genome
    found: dict[str, Any] = {"name": target.name, "key": genome.key}
    names = ("params", "macs", "flops", "activations", "depth", "receptive_field", "global_context")
    found |= {name: getattr(costs, name) for name in names}
    found |= {"input": list(genome.input), "output": list(costs.output), "warnings": warnings(genome, costs)}
    if target.row is not None:
        known = ("run", "trial", "stage", "val_accuracy", "test_accuracy", "reward", "latency_ms", "weights")
        found["result"] = {name: target.row[name] for name in known}
    return found


def warnings(genome: Genome, costs: Costs) -> list[str]:
    """What is likely to be unintended."""
    found = []
    side = max(genome.input[1:])
    if costs.receptive_field < side and not costs.global_context:
        found.append(
            f"the input is {side} pixels wide, but a position of the last feature map sees "
            f"{costs.receptive_field} of them"
        )
    small: dict[int, str] = {}
    for layer in costs.layers:
        op, path = genome.nodes[layer.index].op, genome.nodes[layer.index].path
        window = op.window()
        if op.conv and window is not None and max(window.extent) >= 3:
            small.setdefault(min(layer.shape[1:]), path)
    side = min(small, default=3)
    if side <= 2:
        taps = "8 of the 9" if side == 1 else "5 of the 9"
        found.append(
            f"from {small[side]} on the map is {side} wide: there {taps} taps of a 3x3 read padding "
            "(fewer strides?)"
        )
    return found


def _print(target: Target, costs: Costs, *, by_layer: bool) -> None:
    from nas.progress import columns, console, short

    genome = target.genome
    out = console()
    out.print(f"{target.name}  key {genome.key}  ({target.origin})", markup=False)
    if target.row is not None:
        row = target.row
        known = {"validation": row["val_accuracy"], "test": row["test_accuracy"]}
        told = ", ".join(f"{name} accuracy {a:.2%}" for name, a in known.items() if a is not None)
        out.print(f"trial {row['trial']}: {told} ({row['stage']})", markup=False)
    what = "op" if by_layer else "block"
    titles = ("path", what, "output", "kernel", "params", "%", "MACs", "%", "memory", "%", "sees", "jump")
    total = sum(memory(genome, layer) for layer in costs.layers) or 1
    table = columns(*titles, left=("path", what))

    def add(path: str, what: str, layers: list[Layer]) -> None:
        last = layers[-1]
        params, macs = (sum(getattr(layer, n) for layer in layers) for n in ("params", "macs"))
        held = sum(memory(genome, layer) for layer in layers)
        table.add_row(
            path,
            what,
            "x".join(map(str, last.shape)),
            kernels(genome, layers),
            f"{params:,}",
            f"{100 * params / max(costs.params, 1):.1f}",
            short(macs),
            f"{100 * macs / max(costs.macs, 1):.1f}",
            f"{held:,}",
            f"{100 * held / total:.1f}",
            str(max(last.receptive_field)),
            str(max(last.jump)),
        )

    if by_layer:
        for layer in costs.layers:
            node = genome.nodes[layer.index]
            what = str(getattr(node.op, "kind", node.op.name))
            add(node.path, what, [layer])
    else:
        from cells.draw import blocks

        for path, kind, layers in blocks(genome, costs):
            add(path, kind, layers)
    out.print(table)
    context = ", sees the whole image by gates or attention" if costs.global_context else ""
    out.print(
        f"total: {costs.params:,} params, {costs.macs:,} MACs ({costs.flops:,} FLOPs), {costs.activations:,} "
        f"activations, depth {costs.depth}, receptive field {costs.receptive_field}{context}",
        markup=False,
    )
    held = total + math.prod(genome.input)
    out.print(
        f"memory: {held:,} values of the input and of every layer that does not work in place, "
        f"{4 * held / 1e6:.3g} MB in fp32 for one image",
        markup=False,
    )
    for warning in warnings(genome, costs):
        out.print(f"warning: {warning}", markup=False)


def memory(genome: Genome, layer: Layer) -> int:
    """Values that a layer's output holds; none where it may take the place of its input."""
    return 0 if genome.nodes[layer.index].op.in_place else math.prod(layer.shape)


def kernels(genome: Genome, layers: list[Layer]) -> str:
    """The windows of the layers that are not points, largest first: `3x3 /2` is a 3x3 of stride 2."""
    found: dict[str, int] = {}
    for layer in layers:
        window = genome.nodes[layer.index].op.window()
        if window is not None and (max(window.extent) > 1 or max(window.stride) > 1):
            stride = "x".join(map(str, dict.fromkeys(window.stride)))
            text = "x".join(map(str, window.extent)) + (f" /{stride}" if stride != "1" else "")
            found[text] = max(window.extent)
    return ", ".join(sorted(found, key=lambda text: -found[text])[:3])


if __name__ == "__main__":
    sys.exit(guard(main))
