"""The library: networks by name, searches, and their results."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from search_spaces import names

if TYPE_CHECKING:
    from torch import nn

    from cells.ops import Shape
    from nas.store import Run


def list_models(pattern: str = "*") -> list[str]:
    """Names of the networks that match a shell pattern, such as `regnet*`."""
    return names(pattern, classic=True)


def create_model(name: str, *, num_classes: int | None = None, input: Shape | None = None) -> nn.Module:
    """A network by name (or genome file, or RUN:KEY) as an ordinary torch module, with random weights.

    Args:
        num_classes: None: as published.
        input: (C, H, W) it is drawn for; None: as published.

    Raises:
        LookupError: no network has that name.
    """
    from nas.build import build
    from nas.targets import resolve

    return build(resolve(name, input, num_classes).genome)


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
    from nas.options import Options, plan
    from nas.progress import Reporter

    search = launch(plan(Options(space=space, **options)), Reporter(quiet=True))
    return open_run(search.plan.run)
