"""Builds the torch module of a genome by running the very source that is exported."""

from __future__ import annotations

import linecache
from itertools import count
from typing import Any

import torch
from torch import nn

from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer

_numbers = count()


class BuildError(RuntimeError):
    """The built module is not what the genome says: a fault of an op, never of the user."""


def module_from_source(source: str, name: str) -> nn.Module:
    """An instance of the last class of a source text. Tracebacks show the text's lines."""
    file = f"<{name} {next(_numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(source, file, "exec"), namespace)
    classes = [v for v in namespace.values() if isinstance(v, type) and issubclass(v, nn.Module)]
    made: nn.Module = classes[-1]()
    # The text is needed as long as the module lives, no longer.
    made.__dict__["_source_file"] = _Lines(file)
    return made


class _Lines:
    def __init__(self, file: str) -> None:
        self.file = file

    def __del__(self) -> None:
        linecache.cache.pop(self.file, None)


def build(genome: Genome) -> nn.Module:
    """The network of a genome, with torch's default initialisation.

    Raises:
        Invalid: the genome's shapes do not fit.
        BuildError: the module has another number of parameters than was inferred.
    """
    kind = dict(genome.kinds).get("", "Net")
    module = module_from_source(emit(genome), kind)
    built = sum(p.numel() for p in module.parameters())
    inferred = infer(genome, aux=True).params
    if built != inferred:
        raise BuildError(f"the built {kind} has {built:,} parameters where {inferred:,} were inferred")
    return module


def pick_device() -> torch.device:
    """The first CUDA device, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
