"""Neural architecture search: find, measure and hand over networks.

The public names are `run`, `open_run`, `create_model` and `list_models`; each is loaded when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.api import create_model, list_models, open_run, run

__all__ = ["create_model", "list_models", "open_run", "run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from nas import api

        return getattr(api, name)
    raise AttributeError(f"module 'nas' has no attribute {name!r}")
