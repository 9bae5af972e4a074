"""Hand-designed networks as genomes. A new family is one file and one import line here."""

from search_spaces.classics import densenet, preact, regnet, resnet, resnext, senet

__all__ = ["densenet", "preact", "regnet", "resnet", "resnext", "senet"]
