"""Hand-designed networks as genomes. A new family is one file and one import line here."""

from search_spaces.classics import regnet

__all__ = ["regnet"]
