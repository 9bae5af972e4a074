"""Drawing a RegNet with shapes, costs and key, beside building its module and running it once."""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Invalid
from search_spaces import SPACES, Random


def arguments(p: argparse.ArgumentParser) -> None:
    """Flags of this benchmark."""
    p.add_argument("--draws", type=int, default=300, help="legal draws from each range (default: 300)")


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each range of the space, one core."""
    import torch

    from nas.build import build

    torch.set_num_threads(1)
    table = []
    space = SPACES["regnet"]
    for preset in ("laptop", "gpu", "paper"):
        bound = space.bind(**space.presets[preset].arguments)
        spans: list[float] = []
        genomes: list[Genome] = []
        seed = 0
        while len(spans) < given.draws:
            seed += 1
            begin = time.perf_counter()
            try:
                genome = bound.draw(Random(seed))
                costs = infer(genome)
                _ = genome.key
            except Invalid:
                continue
            spans.append(time.perf_counter() - begin)
            if costs.params < 20_000_000 and len(genomes) < 10:
                genomes.append(genome)
        built: list[float] = []
        for genome in genomes:
            begin = time.perf_counter()
            module = build(genome).eval()
            with torch.inference_mode():
                module(torch.zeros(1, *genome.input))
            built.append(time.perf_counter() - begin)
        drawn, made = 1000 * statistics.mean(spans), 1000 * statistics.mean(built)
        table.append(
            {
                "what": f"regnet {preset}",
                "draw + shapes + costs + key (ms)": drawn,
                "slowest (ms)": 1000 * max(spans),
                "build + one image (ms)": made,
                "ratio": made / drawn,
            }
        )
    return table
