"""Hand-designed networks as genomes. A new family is one file and one import line here."""

from search_spaces.classics import (
    efficientnet,
    fbnet,
    ghostnet,
    hardcorenas,
    mixnet,
    mnasnet,
    mobilenet,
    mobilenetv4,
    proxylessnas,
    regnet,
    shufflenet,
    squeezenet,
    xception,
)

__all__ = [
    "efficientnet",
    "fbnet",
    "ghostnet",
    "hardcorenas",
    "mixnet",
    "mnasnet",
    "mobilenet",
    "mobilenetv4",
    "proxylessnas",
    "regnet",
    "shufflenet",
    "squeezenet",
    "xception",
]
