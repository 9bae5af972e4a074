"""The library: networks by name, searches, and their results."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from search_spaces import load_plugins, names

if TYPE_CHECKING:
    from torch import nn

    from cells.ops import Shape
    from nas.store import Run


def list_models(pattern: str = "*") -> list[str]:
    """Names of the networks that match a shell pattern, such as `regnet*`."""
    load_plugins()
    return names(pattern, classic=True)


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    input: Shape | None = None,
    stem: Literal["published", "small"] = "published",
    weights: str | os.PathLike[str] | None = None,
    strict: bool = True,
) -> nn.Module:
    """A network by name (or genome file, or RUN:KEY) as an ordinary torch module.

    Args:
        num_classes: None: as published.
        input: (C, H, W) it is drawn for; None: as published.
        stem: `small` takes the strides out of the stem, for small images (see `cells.stem.small_stem`).
        weights: a .safetensors or .pt file of ours, loaded by name; None: random weights.
        strict: whether weights must fit exactly. If not, what fits is loaded and the rest is warned of.

    Raises:
        LookupError: no network has that name.
        WeightsError: the weights do not fit; the message names the first mismatch.
        Invalid: the network does not fit the input.
    """
    import warnings

    from cells.stem import small_stem
    from nas.build import build, load_weights
    from nas.targets import resolve

    load_plugins()
    shape = None if input is None else (input[0], input[1], input[2])
    genome = resolve(name, shape, num_classes).genome
    module = build(small_stem(genome) if stem == "small" else genome)
    if weights is not None:
        left = load_weights(module, weights, strict=strict)
        if left:
            warnings.warn("weights left out: " + "; ".join(left), stacklevel=2)
    return module


def open_run(path: str | os.PathLike[str]) -> Run:
    """What a search left in its directory. Raises `nas.store.StoreError` when it is none."""
    from nas.store import Run

    return Run(path)


def run(space: str = "regnet", **options: Any) -> Run:
    """Searches, as `nas.search` does, and returns the finished run.

    >>> best = nas.run("regnet", dataset="digits", trials=4, executor="local", confirm=0).best()

    Args:
        space: a name, or FILE.py:FUNCTION.
        options: the fields of `nas.options.Options`, which are the flags of `nas.search`.

    Raises:
        UsageError: an option that cannot be met.
    """
    from nas.launch import launch
    from nas.options import Options
    from nas.planning import plan
    from nas.progress import Reporter

    folder = launch(plan(Options(space=space, **options)), Reporter(quiet=True)).plan.run
    assert folder is not None
    return open_run(folder)
