"""The texts in which a network is handed over, and which file names mean what."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer
from nas.targets import Target

SUFFIXES = (".py", ".pt", ".safetensors", ".pt2", ".onnx", ".json")
"""Of the files that can be written."""


def file_names(to: Path) -> list[str]:
    """What is written: one file, or all of them where a folder is named (something without an ending).

    Raises:
        ValueError: no format has that ending.
    """
    if to.is_dir() or not to.suffix:
        return ["genome.json", *(f"net{suffix}" for suffix in SUFFIXES if suffix != ".json")]
    if to.suffix not in SUFFIXES:
        raise ValueError(f"{to} must end in {', '.join(SUFFIXES)} or, for all of them, be a folder")
    return [to.name]


def class_name(source: str) -> str:
    """The network's class in an emitted source: the last."""
    *_, last = re.finditer(r"^class (\w+)", source, re.MULTILINE)
    return last[1]


def source_text(target: Target, genome: Genome, name: str | None = None, *, weights: str = "net.pt") -> str:
    """A Python file that needs nothing but torch, and says in its docstring what it holds.

    Args:
        genome: the target's, or the same with its batch norms folded.
        name: of the class; None: the genome's kind.
        weights: name of the file that the docstring loads.

    Raises:
        Invalid: an op defines a class of that name.
    """
    source = emit(genome, name=name)
    made = class_name(source)
    whole = infer(genome, aux=True).params
    doc = "\n".join([f"{made}: {_one_line(target.name)}.", "", *_paragraph(_facts(target, genome)), ""])
    doc += (
        f"\n    net = {made}().eval()"
        f'\n    net.load_state_dict(torch.load("{_one_line(weights)}", weights_only=True))\n'
    )
    check = f"""

if __name__ == "__main__":
    params = sum(p.numel() for p in {made}().parameters())
    if params != {whole:_}:
        raise SystemExit(f"{made} has {{params:,}} parameters instead of {whole:,}")
    print(f"{made}: {{params:,}} parameters")
"""
    return f'"""{doc}"""\n\n{source}{check}'


def _facts(target: Target, genome: Genome) -> Iterator[str]:
    """What the docstring says, sentence by sentence."""
    costs = infer(genome)
    more = infer(genome, aux=True).params - costs.params
    yield f"Input {'x'.join(map(str, genome.input))}, output {'x'.join(map(str, costs.output))}"
    yield (
        f"Parameters {costs.params:,}{f' and {more:,} of auxiliary heads' if more else ''}, "
        f"multiply-adds {costs.macs:,}, key {genome.key}"
    )
    if genome != target.genome:
        yield "Batch norms are folded into the convolutions: for inference"
    if target.members:
        yield "The output is the mean of the members' probabilities"
    for number, member in enumerate(target.members):
        yield f"Member {number} is {_one_line(member.name)}: {', '.join(_history(member))}"
    if target.row is not None:
        yield ", ".join(_history(target))
    if target.row is not None or target.members:
        yield "Images are normalised as in training: by channel, to mean 0 and deviation 1"
    if target.row is None and not target.members:
        yield f"From {_one_line(target.origin).rstrip('.')}"


def _history(target: Target) -> Iterator[str]:
    """Where a result comes from and what it reached."""
    row = target.row
    assert row is not None
    recipe = json.loads(row["recipe"])
    yield f"trial {row['trial']} of a search of {_one_line(row['space'])} on {_one_line(recipe['dataset'])}"
    yield f"validation accuracy {row['val_accuracy']:.2%} in the search"
    if target.confirmed is not None:
        mean, deviation, seeds = target.confirmed
        spread = f" ± {100 * deviation:.2f}" if seeds > 1 else ""
        yield f"confirmed {mean:.2%}{spread} ({seeds} seeds)" if seeds > 1 else f"confirmed {mean:.2%}"


def _paragraph(sentences: Iterator[str]) -> list[str]:
    text = " ".join(f"{s[0].upper()}{s[1:]}." for s in sentences)
    return textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)


def _one_line(text: str) -> str:
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def genome_text(genome: Genome) -> str:
    """The genome's JSON, readable, one node a line."""
    data = genome.to_json()
    nodes = ",\n".join("    " + json.dumps(node) for node in data.pop("nodes"))
    rest = "".join(f',\n  "{name}": {json.dumps(value)}' for name, value in data.items() if name != "format")
    return f'{{\n  "format": {data["format"]}{rest},\n  "nodes": [\n{nodes}\n  ]\n}}\n'
