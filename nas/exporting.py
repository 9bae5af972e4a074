"""The texts in which a network is handed over, and which file names mean what."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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
    if to.is_dir() or not (to.suffix or to.exists()):
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
    facts = "\n".join(textwrap.fill(" ".join(told), 100, **_WRAP) for told in _facts(target, genome))
    doc = f"""{made}: {_one_line(target.name)}.

{facts}

    net = {made}().eval()
    net.load_state_dict(torch.load("{_one_line(weights)}", weights_only=True))
"""
    results = target.members or (target,)
    if all(result.weights is not None for result in results):
        fused = " --fuse-bn" if genome != target.genome else ""
        doc += f"""
    python -m nas.export {_one_line(target.name)}{fused} --to {_one_line(weights)}  # writes them
"""
    check = f"""

if __name__ == "__main__":
    params = sum(p.numel() for p in {made}().parameters())
    if params != {whole:_}:
        raise SystemExit(f"{made} has {{params:,}} parameters instead of {whole:,}")
    print(f"{made}: {{params:,}} parameters")
"""
    return f'"""{doc}"""\n\n{source}{check}'


_WRAP: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False, "subsequent_indent": "  "}


def _facts(target: Target, genome: Genome) -> Iterator[list[str]]:
    """What the docstring says: paragraphs of sentences."""
    costs = infer(genome)
    more = infer(genome, aux=True).params - costs.params
    yield [
        f"Input {'x'.join(map(str, genome.input))}, output {'x'.join(map(str, costs.output))}.",
        f"Parameters {costs.params:,}{f' and {more:,} of auxiliary heads' if more else ''},",
        f"multiply-adds {costs.macs:,}, key {genome.key}.",
    ]
    if target.row is not None:
        yield [_history(target.row, target.confirmed)]
    for number, member in enumerate(target.members):
        assert member.row is not None
        yield [f"Member {number}, {member.row['key']}:", _history(member.row, member.confirmed)]
    if target.members:
        yield ["The output is the mean of the members' probabilities."]
    if target.row is not None and target.row["stage"] == "final":
        yield [_normalisation(target)]
    elif target.row is not None or target.members:
        yield ["Images are normalised as in training: by each channel's mean and deviation over all images."]
    else:
        yield [f"From {_one_line(target.origin).rstrip('.')}."]
    if genome != target.genome:
        yield ["Batch norms are folded into the convolutions: for inference."]


def _history(row: Mapping[str, Any], confirmed: tuple[float, float, int] | None) -> str:
    """Where a result comes from and what it reached."""
    recipe = json.loads(row["recipe"])
    if row["stage"] == "final":
        return (
            f"Trained by the recipe {recipe['name']} on {_one_line(recipe['dataset'])}, seed {row['seed']}: "
            f"test accuracy {row['test_accuracy']:.2%}."
        )
    found = (
        f"Trial {row['trial']} of a search of {_one_line(row['space'])} on {_one_line(recipe['dataset'])}, "
        f"validation accuracy {row['val_accuracy']:.2%} in the search"
    )
    if confirmed is not None:
        mean, deviation, seeds = confirmed
        found += f", confirmed {mean:.2%}" + (
            f" ± {100 * deviation:.2f} ({seeds} seeds)" if seeds > 1 else ""
        )
        found += "; the weights that the run keeps are those of the search"
    return found + "."


def _normalisation(target: Target) -> str:
    """How a full training showed images to the network."""
    from nas.build import metadata_of

    told = {} if target.weights is None else metadata_of(target.weights)
    mean, std = (json.loads(told.get(name, "[]")) for name in ("mean", "std"))
    if len(mean) != 3:
        return "Images are normalised by the mean and std in the metadata of the .safetensors."
    numbers = [", ".join(f"{v:.2f}" for v in values) for values in (mean, std)]
    return f"Images, in units of 0-255, are normalised by means ({numbers[0]}) and deviations ({numbers[1]})."


def _one_line(text: str) -> str:
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def genome_text(genome: Genome) -> str:
    """The genome's JSON, readable, one node a line."""
    data = genome.to_json()
    nodes = ",\n".join("    " + json.dumps(node) for node in data.pop("nodes"))
    rest = "".join(f',\n  "{name}": {json.dumps(value)}' for name, value in data.items() if name != "format")
    return f'{{\n  "format": {data["format"]}{rest},\n  "nodes": [\n{nodes}\n  ]\n}}\n'
