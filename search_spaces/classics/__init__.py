"""Hand-designed networks as genomes. A new family is one file and one import line here."""

from search_spaces.classics import (
    alphago,
    convnext,
    densenet,
    mixer,
    preact,
    regnet,
    resnet,
    resnext,
    senet,
    swin,
    vit,
)

__all__ = [
    "alphago",
    "convnext",
    "densenet",
    "mixer",
    "preact",
    "regnet",
    "resnet",
    "resnext",
    "senet",
    "swin",
    "vit",
]
