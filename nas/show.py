"""`python -m nas.show`: one network: shapes, costs, blocks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
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
  python -m nas.show genome.json
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
    p.add_argument("--json", action="store_true", help="one JSON object")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    given = arguments().parse_args(argv)

    from cells.infer import infer
    from nas.targets import resolve
    from search_spaces import load_plugins

    load_plugins()
    target = resolve(given.target, given.input, given.classes)
    costs = infer(target.genome, aux=given.aux)
    if given.json:
        print(json.dumps(facts(target, costs)))
    else:
        _print(target, costs, by_layer=given.layers)
    return 0


def facts(target: Target, costs: Costs) -> dict[str, Any]:
    """What `--json` prints."""
    genome = target.genome
    found: dict[str, Any] = {"name": target.name, "key": genome.key}
    names = ("params", "macs", "flops", "activations", "depth", "receptive_field", "global_context")
    found |= {name: getattr(costs, name) for name in names}
    found |= {"input": list(genome.input), "output": list(costs.output), "warnings": warnings(genome, costs)}
    if target.row is not None:
        known = ("run", "trial", "stage", "val_accuracy", "reward", "latency_ms", "weights")
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
    for layer in costs.layers:
        node = genome.nodes[layer.index]
        window = node.op.window()
        if node.op.conv and window is not None and max(window.extent) > 1 and max(layer.shape[1:]) < 2:
            found.append(
                f"from {node.path} on the map is 1x1: all but one tap of a kernel read padding "
                "(fewer strides?)"
            )
            break
    return found


def blocks(genome: Genome, costs: Costs) -> list[tuple[str, str, list[Layer]]]:
    """(path, kind, layers) of the outermost numbered or named blocks, in order."""
    kinds = dict(genome.kinds)
    found: list[tuple[str, str, list[Layer]]] = []
    for layer in costs.layers:
        path = genome.nodes[layer.index].path
        parts = path.split(".")
        prefixes = [".".join(parts[:i]) for i in range(1, len(parts))]
        block = next((p for p in prefixes if p in kinds), path)
        kind = kinds.get(block, genome.nodes[layer.index].op.name)
        if found and found[-1][0] == block:
            found[-1][2].append(layer)
        else:
            found.append((block, kind, [layer]))
    return found


def _print(target: Target, costs: Costs, *, by_layer: bool) -> None:
    from nas.progress import columns, console, short

    genome = target.genome
    out = console()
    out.print(f"{target.name}  key {genome.key}  ({target.origin})", markup=False)
    if target.row is not None:
        row = target.row
        out.print(
            f"trial {row['trial']}: validation accuracy {row['val_accuracy']:.2%} ({row['stage']})",
            markup=False,
        )
    what = "op" if by_layer else "block"
    titles = ("path", what, "output", "params", "%", "MACs", "%", "activations", "sees", "jump")
    table = columns(*titles, left=("path", what))

    def add(path: str, what: str, layers: list[Layer]) -> None:
        last = layers[-1]
        params, macs, acts = (
            sum(getattr(layer, n) for layer in layers) for n in ("params", "macs", "activations")
        )
        table.add_row(
            path,
            what,
            "x".join(map(str, last.shape)),
            f"{params:,}",
            f"{100 * params / max(costs.params, 1):.1f}",
            short(macs),
            f"{100 * macs / max(costs.macs, 1):.1f}",
            f"{acts:,}",
            str(max(last.receptive_field)),
            str(max(last.jump)),
        )

    if by_layer:
        for layer in costs.layers:
            node = genome.nodes[layer.index]
            call = node.op.module(*(_shape(genome, costs, i) for i in node.inputs))
            what = node.op.name
            if call is not None and node.op.window() is not None:
                sizes = [
                    a
                    for a in call.args
                    if a.name in ("kernel_size", "stride", "groups") and a.value != a.default
                ]
                what += "".join(f" {a.name.removesuffix('_size')} {a.value}" for a in sizes)
            add(node.path, what, [layer])
    else:
        for path, kind, layers in blocks(genome, costs):
            add(path, kind, layers)
    out.print(table)
    context = ", sees the whole image by gates or attention" if costs.global_context else ""
    out.print(
        f"total: {costs.params:,} params, {costs.macs:,} MACs ({costs.flops:,} FLOPs), {costs.activations:,} "
        f"activations, depth {costs.depth}, receptive field {costs.receptive_field}{context}",
        markup=False,
    )
    for warning in warnings(genome, costs):
        out.print(f"warning: {warning}", markup=False)


def _shape(genome: Genome, costs: Costs, index: int) -> tuple[int, ...]:
    return genome.input if index == 0 else next(layer.shape for layer in costs.layers if layer.index == index)


if __name__ == "__main__":
    sys.exit(guard(main))
