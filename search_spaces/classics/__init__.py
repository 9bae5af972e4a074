"""Hand-designed networks as genomes. A new family is one file and one import line here."""

from search_spaces.classics import alexnet, googlenet, inception, lenet, nin, regnet, vgg

__all__ = ["alexnet", "googlenet", "inception", "lenet", "nin", "regnet", "vgg"]
