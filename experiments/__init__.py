"""Reproductions and benchmarks: short scripts over the public API, run from a checkout."""
