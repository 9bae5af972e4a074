"""Which architectures there are. A new space is one file and one import line here."""

from search_spaces import anynet, anynet_reduced, classics, regnet
from search_spaces.choose import Chooser, Enumerate, Fixed, Random, Replay, ReplayError, SpaceError
from search_spaces.registry import (
    SPACES,
    Preset,
    Space,
    UnknownSpaceError,
    find,
    load_plugins,
    names,
    space,
)

__all__ = [
    "SPACES",
    "Chooser",
    "Enumerate",
    "Fixed",
    "Preset",
    "Random",
    "Replay",
    "ReplayError",
    "Space",
    "SpaceError",
    "UnknownSpaceError",
    "anynet",
    "anynet_reduced",
    "classics",
    "find",
    "load_plugins",
    "names",
    "regnet",
    "space",
]
