"""Which architectures there are. A new space is one file and one import line here."""

from search_spaces import anynet, classics, darts, enas, nas_rl, nasbench101, nasbench201, nasnet, regnet
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
    "classics",
    "darts",
    "enas",
    "find",
    "load_plugins",
    "names",
    "nas_rl",
    "nasbench101",
    "nasbench201",
    "nasnet",
    "regnet",
    "space",
]
