"""Hand-designed networks as genomes. A new family is one file and one import line here."""

from search_spaces.classics import darts, enas, nasnet, regnet

__all__ = ["darts", "enas", "nasnet", "regnet"]
