"""One trial: a genome is built, measured and trained, and whatever happens becomes a row."""

from __future__ import annotations

import json
import os
import platform
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import torch
from safetensors.torch import save

from cells.genome import Genome
from cells.ops import Invalid
from nas import build, measure
from nas.data import Split, split
from nas.dispatch import Job, Outcome, one_line
from nas.fit import Epoch, TrainingFailedError, fit
from nas.recipe import Recipe
from nas.sources import Images


@dataclass
class Worker:
    """Runs trials one after another; holds its images and, on its device, the split of the last recipe."""

    images: Images
    threads: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    _splits: dict[tuple[object, ...], Split] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.threads:
            torch.set_num_threads(self.threads)
        self.lock = measure.DeviceLock(self.device)

    def data(self, recipe: Recipe) -> Split:
        """The recipe's split on this device; the last one is kept."""
        which = (
            *(recipe.split, recipe.train_images, recipe.val_images),
            *(recipe.side, recipe.normalise, recipe.pca > 0),
        )
        if which not in self._splits:
            self._splits.clear()
            self._splits[which] = split(self.images, recipe, self.device)
        return self._splits[which]

    def run(self, job: Job) -> Iterator[Outcome]:
        """What is known after every epoch, and last the outcome, which alone has a status.

        No exception of the trial itself escapes. Who stops before the end has the last epoch's in its place.
        """
        begin = time.monotonic()
        curve: list[Epoch] = []
        row: dict[str, Any] = {
            "device": device_name(self.device),
            "versions": json.dumps(versions()),
            "worker": f"{socket.gethostname()}:{os.getpid()}",
            "started": datetime.now(UTC),
        }
        weights: bytes | None = None
        try:
            for report in self._train(job, row, begin + job.seconds):
                if isinstance(report, Epoch):
                    curve.append(report)
                    yield Outcome(row | self._trained(job, curve))
                else:
                    weights = report
            row["status"] = "ok"
        except (Invalid, TrainingFailedError) as error:
            row |= {"status": "failed", "error": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever an architecture does, the search goes on
            row |= {"status": "failed", "error": one_line(error)}
        finally:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        yield Outcome(row | self._trained(job, curve), weights)

    def _trained(self, job: Job, curve: list[Epoch]) -> dict[str, Any]:
        """The columns that the epochs so far give."""
        known: dict[str, Any] = {"curve": [e._asdict() for e in curve], "finished": datetime.now(UTC)}
        if not curve:
            return known
        seconds = sum(e.seconds for e in curve)
        images = len(self.data(Recipe.from_json(job.recipe)).y)
        return known | {
            "val_accuracy": curve[-1].accuracy,
            "train_seconds": seconds,
            "images_per_second": len(curve) * images / seconds,
        }

    def _train(self, job: Job, row: dict[str, Any], deadline: float) -> Iterator[Epoch | bytes]:
        recipe = Recipe.from_json(job.recipe)
        data = self.data(recipe)
        genome = Genome.loads(job.genome)
        peak = measure.PeakMemory(self.device)
        torch.manual_seed(job.seed)
        module = build.build(genome)
        build.initialise(module, genome, recipe)
        module.to(self.device)
        if job.latency is not None:
            for _ in range(3):  # where something else is running, perhaps it is short
                timing = measure.latency(module, genome.input, self.device, self.lock)
                if timing.quiet:
                    break
            row |= {
                "latency_ms": timing.median_ms,
                "latency_iqr_ms": timing.iqr_ms,
                "latency_batch": timing.batch,
                "latency_quiet": timing.quiet,
            }
            low, high = job.latency
            if timing.quiet and not low <= timing.median_ms <= high:
                raise TrainingFailedError(f"latency {timing.median_ms:.3g} ms is outside {low:g}:{high:g} ms")
        yield from fit(module, data, recipe, job.seed, genome=genome, step=self.lock.step, deadline=deadline)
        row["peak_memory_bytes"] = peak.bytes()
        yield save({name: t.detach().cpu().contiguous() for name, t in module.state_dict().items()})


def device_name(device: torch.device) -> str:
    """What a row calls the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


def versions() -> dict[str, str]:
    """Of what the result may depend on."""
    return {"python": platform.python_version(), "torch": torch.__version__}
