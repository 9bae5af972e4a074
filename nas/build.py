"""Builds the torch module of a genome by running the very source that is exported."""

from __future__ import annotations

import linecache
import os
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from cells.emit import emit
from cells.genome import Genome
from cells.infer import infer, residual_norms
from nas.recipe import Recipe

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

    def __deepcopy__(self, memo: object) -> _Lines:
        return self  # a copy of the module runs the same text

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


def initialise(module: nn.Module, genome: Genome, recipe: Recipe) -> None:
    """Fills the module's weights by the recipe; norms keep scale 1 and shift 0 but for `zero-gamma`."""
    layers = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    for part in layers:
        if recipe.init == "he":
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        elif recipe.init == "xavier":
            nn.init.xavier_uniform_(part.weight)
        elif recipe.init == "gaussian" or isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.01)
        else:
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        if part.bias is not None:
            nn.init.zeros_(part.bias)
    if recipe.init == "gaussian":
        convs = [part for part in layers if isinstance(part, nn.Conv2d)]
        hidden = [part for part in layers if isinstance(part, nn.Linear)][:-1]
        for layer in [*convs[1:2], *convs[3:5], *hidden]:
            if layer.bias is not None:
                nn.init.ones_(layer.bias)  # type: ignore[arg-type]
    if recipe.init == "zero-gamma":
        for path in residual_norms(genome):
            nn.init.zeros_(module.get_submodule(path).weight)  # type: ignore[arg-type]


class WeightsError(RuntimeError):
    """A file of weights that does not fit the network; the message names the first mismatch."""


def load_weights(module: nn.Module, file: str | os.PathLike[str], *, strict: bool = True) -> list[str]:
    """Loads weights (.safetensors, or .pt of plain tensors) by name, which is node path + tensor name.

    Args:
        strict: every name must be there, on both sides, in the same shape. Otherwise what fits is loaded.

    Returns:
        What was left out, one line each; nothing when strict.

    Raises:
        WeightsError: the file cannot be read, or (strict) does not fit.
    """
    path = Path(file)
    try:
        if path.suffix == ".safetensors":
            given = load_file(path)
        else:
            given = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"cannot read weights from {path}: {type(error).__name__}: {reason}") from error
    own = module.state_dict()
    left: list[str] = []
    for name, tensor in own.items():
        if name not in given:
            left.append(f"{name} is not in the file")
        elif given[name].shape != tensor.shape:
            left.append(
                f"{name} is {list(given[name].shape)} in the file, {list(tensor.shape)} in the network"
            )
    left += [f"{name} is not in the network" for name in given if name not in own]
    if left and strict:
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        raise WeightsError(f"{path}: {left[0]}{more}")
    fits = {n: t for n, t in given.items() if n in own and t.shape == own[n].shape}
    module.load_state_dict(fits, strict=False)
    return left


def metadata_of(file: Path) -> dict[str, str]:
    """What a .safetensors file says of its weights; nothing of other files. Raises `WeightsError`."""
    if file.suffix != ".safetensors":
        return {}
    try:
        with safe_open(file, "pt") as opened:
            return dict(opened.metadata() or {})
    except SafetensorError as error:
        raise WeightsError(f"cannot read weights from {file}: {error}") from error
