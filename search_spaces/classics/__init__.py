"""Hand-designed networks as genomes. A new family is one file and one import line here."""

from search_spaces.classics import alphago, convnext, mixer, regnet, swin, vit

__all__ = ["alphago", "convnext", "mixer", "regnet", "swin", "vit"]
