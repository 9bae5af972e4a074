"""Latency and memory, measured while the device's other workers keep still."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import torch
from torch import nn

from cells.ops import Shape

try:
    import fcntl
except ImportError:  # Windows has no advisory locks: nothing is ever called quiet there
    fcntl = None  # type: ignore[assignment]

WARMUP = 5
LEAST, MOST = 20, 200
SECONDS = 0.25
"""Passes are repeated for so long, at least and at most so often; slow ones at least five times."""


class DeviceLock:
    """Lets one process of a device measure while the others wait between two steps.

    Two lock files: a measuring process holds the gate, so that no new step begins, and waits for the
    floor, which every step holds in common with others.
    """

    def __init__(self, device: torch.device) -> None:
        user = os.getuid() if hasattr(os, "getuid") else 0
        folder = Path(tempfile.gettempdir()) / f"nas-locks-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        label = device.type
        if device.type == "cuda":
            properties = torch.cuda.get_device_properties(device)
            label += f"-{getattr(properties, 'uuid', properties.name)}".replace(" ", "-")
        self._device = device
        self._gate: IO[bytes] = (folder / f"{label}.gate").open("ab")
        self._floor: IO[bytes] = (folder / f"{label}.floor").open("ab")

    @contextmanager
    def step(self) -> Iterator[None]:
        """Held around each step of training, until the device has done it."""
        if fcntl is None:
            yield
            return
        fcntl.flock(self._gate, fcntl.LOCK_SH)
        fcntl.flock(self._floor, fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        try:
            yield
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
        finally:
            fcntl.flock(self._floor, fcntl.LOCK_UN)

    @contextmanager
    def quiet(self) -> Iterator[bool]:
        """Held while measuring; yields whether the workers of this device are held off."""
        if fcntl is None:
            yield False
            return
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._floor, fcntl.LOCK_EX)
        try:
            yield True
        finally:
            fcntl.flock(self._floor, fcntl.LOCK_UN)
            fcntl.flock(self._gate, fcntl.LOCK_UN)


class Latency(NamedTuple):
    """Of one forward pass in milliseconds: median, interquartile range; batch; whether undisturbed."""

    median_ms: float
    iqr_ms: float
    batch: int
    quiet: bool


def default_batch(device: torch.device) -> int:
    """Images in a forward pass whose time is of interest: 1 on CPUs, 64 on GPUs (1 measures the launches)."""
    return 64 if device.type == "cuda" else 1


@torch.inference_mode()
def latency(module: nn.Module, shape: Shape, device: torch.device, lock: DeviceLock) -> Latency:
    """Times the module in eval mode, fp32, contiguous, on random images."""
    module.eval()
    batch = default_batch(device)
    x = torch.randn(batch, *shape, device=device)

    def once() -> float:
        begin = time.perf_counter()
        module(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return 1000 * (time.perf_counter() - begin)

    with lock.quiet() as quiet:
        slow = max(once() for _ in range(2)) > 1000 * SECONDS
        for _ in range(0 if slow else WARMUP - 2):
            once()
        least = 5 if slow else LEAST
        times: list[float] = []
        begin, worked = time.perf_counter(), time.thread_time()
        while len(times) < least or (len(times) < MOST and time.perf_counter() - begin < SECONDS):
            times.append(once())
        # A process outside ours shows in the time that this thread did not get.
        got = (time.thread_time() - worked) / (time.perf_counter() - begin)
    first, middle, third = statistics.quantiles(times, n=4)
    undisturbed = quiet and (device.type == "cuda" or got > 0.9)
    return Latency(middle, third - first, batch, undisturbed)


class PeakMemory:
    """Most memory in use since construction: CUDA's allocator, otherwise the process's resident set."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        elif sys.platform == "linux":
            with suppress(OSError):  # some containers forbid it: then it is the peak since the start
                Path("/proc/self/clear_refs").write_text("5")  # the kernel forgets the old peak

    def bytes(self) -> int:
        """The peak so far."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        if sys.platform == "linux":
            status = Path("/proc/self/status").read_text()
            return 1024 * int(status.partition("VmHWM:")[2].split()[0])
        import resource  # Unix only

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
