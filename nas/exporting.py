"""The texts in which a network is handed over."""

from __future__ import annotations

import json

from cells.emit import emit
from cells.infer import infer
from nas.targets import Target


def source_text(target: Target, name: str | None = None) -> str:
    """A Python file that needs nothing but torch, and says in its docstring what it holds."""
    genome = target.genome
    costs = infer(genome)
    kind = name or dict(genome.kinds).get("", "Net")
    extent = "x".join(map(str, genome.input))
    lines = [
        f"{kind}: {_one_line(target.name)}.",
        "",
        f"Input {extent}, output {'x'.join(map(str, costs.output))}.",
    ]
    lines.append(f"Parameters {costs.params:,}, multiply-adds {costs.macs:,}, key {genome.key}.")
    if target.row is not None and target.row["stage"] == "final":
        row = target.row
        recipe = json.loads(row["recipe"])
        lines.append(
            f"Trained by the recipe {recipe['name']} on {_one_line(recipe['dataset'])}, seed {row['seed']}: "
            f"test accuracy {row['test_accuracy']:.2%}."
        )
    elif target.row is not None:
        row = target.row
        recipe = json.loads(row["recipe"])
        lines.append(
            f"Trial {row['trial']} of a search of {_one_line(row['space'])} on "
            f"{_one_line(recipe['dataset'])}: "
            f"validation accuracy {row['val_accuracy']:.2%} after brief training."
        )
    return emit(genome, name=name, doc="\n".join(lines))


def _one_line(text: str) -> str:
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def genome_text(target: Target) -> str:
    """The genome's JSON, readable, one node a line."""
    data = target.genome.to_json()
    nodes = ",\n".join("    " + json.dumps(node) for node in data.pop("nodes"))
    rest = "".join(f',\n  "{name}": {json.dumps(value)}' for name, value in data.items() if name != "format")
    return f'{{\n  "format": {data["format"]}{rest},\n  "nodes": [\n{nodes}\n  ]\n}}\n'
