"""Runs exported files where nothing can be imported but what they may need: `python -I alone.py < WORK`.

WORK and the answer are JSON; see `Work`. The file is run by its path, in a process of its own, and so it
imports nothing of ours.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import runpy
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypedDict


class Batch(TypedDict):
    """Images, and what the network makes of them: files of raw fp32, and their shapes."""

    x: str
    y: str
    x_shape: list[int]
    y_shape: list[int]


class Job(TypedDict):
    """A file to run.

    Attributes:
        file: .py, .pt2 or .onnx.
        name: the class to take from a .py.
        weights: .pt or .safetensors that the module is to load; "": none.
    """

    file: str
    name: str
    weights: str
    batches: list[Batch]


class Work(TypedDict):
    """What is asked of the process.

    Attributes:
        only: the distributions that may be imported, with all they depend on.
        threads: for each operation.
    """

    only: list[str]
    threads: int
    jobs: list[Job]


class Found(TypedDict, total=False):
    """The answer to a job: the error that it ended with, or what it gave.

    Attributes:
        params: of a .py.
        difference: the largest between outputs, relative to the largest output.
    """

    params: int
    difference: float
    error: str


class Guard:
    """The only finder of modules: finds the standard library and the distributions named, nothing else."""

    find_distributions = staticmethod(importlib.metadata.MetadataPathFinder.find_distributions)

    def __init__(self, only: list[str]) -> None:
        self.allowed = {*sys.stdlib_module_names, *_modules(only)}
        self.finders = [*sys.meta_path]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the finders before this one find, or None as for what is not installed."""
        top = name.partition(".")[0]
        # The standard library's record of how Python was built has another name on every system.
        if top not in self.allowed and not top.startswith("_sysconfigdata"):
            return None
        specs = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in specs if spec is not None), None)


def _modules(distributions: Iterable[str]) -> Iterator[str]:
    """The top-level modules of the distributions and of all that they require."""
    waiting, seen = [*distributions], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # required on other systems only
        yield name.replace("-", "_")
        yield from {file.parts[0].partition(".")[0] for file in found.files or ()}
        for requirement in found.requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])


def _torch(job: Job) -> tuple[Any, int | None]:
    """The module of a .py or .pt2 in eval mode, and the parameters of a .py."""
    import torch

    params = None
    if job["file"].endswith(".pt2"):
        module: Any = torch.export.load(job["file"]).module()
    else:
        # Run as a program, so that its own check takes place.
        module = runpy.run_path(job["file"], run_name="__main__")[job["name"]]().eval()
        params = sum(p.numel() for p in module.parameters())
    if job["weights"].endswith(".safetensors"):
        from safetensors.torch import load_file

        module.load_state_dict(load_file(job["weights"]))
    elif job["weights"]:
        module.load_state_dict(torch.load(job["weights"], weights_only=True))
    return module, params


def _run_torch(job: Job) -> Found:
    import torch

    def read(file: str, shape: list[int]) -> torch.Tensor:
        with open(file, "rb") as raw:
            return torch.frombuffer(bytearray(raw.read()), dtype=torch.float32).reshape(shape).clone()

    module, params = _torch(job)
    worst = 0.0
    for batch in job["batches"]:
        expected = read(batch["y"], batch["y_shape"])
        with torch.no_grad():
            got = module(read(batch["x"], batch["x_shape"]))
        _same_shape(got, expected)
        largest = float(expected.abs().max()) or 1.0
        worst = max(worst, float((got - expected).abs().max()) / largest, key=_badness)
    return {"difference": worst} if params is None else {"params": params, "difference": worst}


def _run_onnx(job: Job, threads: int) -> Found:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(job["file"], options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in job["batches"]:
        x = np.fromfile(batch["x"], np.float32).reshape(batch["x_shape"])
        expected = np.fromfile(batch["y"], np.float32).reshape(batch["y_shape"])
        (got,) = session.run(None, {"input": x})
        _same_shape(got, expected)
        largest = float(np.abs(expected).max()) or 1.0
        worst = max(worst, float(np.abs(got - expected).max()) / largest, key=_badness)
    return {"difference": worst}


def _same_shape(got: Any, expected: Any) -> None:
    if tuple(got.shape) != tuple(expected.shape):
        raise ValueError(f"the output is {tuple(got.shape)} instead of {tuple(expected.shape)}")


def _badness(difference: float) -> float:
    """NaN is worse than any difference."""
    return difference if difference == difference else float("inf")


def main() -> None:
    """Reads the work from standard input, writes one JSON line for each job."""
    work: Work = json.load(sys.stdin)
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed is no answer
    sys.meta_path[:] = [Guard(work["only"])]
    if "torch" in work["only"]:
        import torch

        torch.set_num_threads(work["threads"])
    for job in work["jobs"]:
        try:
            onnx = job["file"].endswith(".onnx")
            found = _run_onnx(job, work["threads"]) if onnx else _run_torch(job)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the answer to this job
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
