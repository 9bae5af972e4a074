"""Who runs the tasks of a search: this process, a table that knows the results, or others (`nas.cluster`)."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from nas.recipe import Recipe
from nas.strategies import Proposal, Wait

if TYPE_CHECKING:
    import torch

    from nas.sources import Images
    from nas.tables import Benchmark


@dataclass(frozen=True)
class Job:
    """What a worker needs to run a trial; plain data.

    Attributes:
        genome: its JSON text.
        recipe: its JSON.
        seed: of initialisation, order and augmentation.
        latency: whether to measure it, and then within which bounds in milliseconds the trial goes on.
        seconds: how long the trial may take.
    """

    genome: str
    recipe: dict[str, Any]
    seed: int
    latency: tuple[float, float] | None = (0.0, math.inf)
    seconds: float = math.inf


@dataclass
class Outcome:
    """What a worker sends back: the row's columns that it knows, and the trained weights (safetensors)."""

    row: dict[str, Any]
    weights: bytes | None = None


@dataclass(frozen=True)
class Task:
    """One training, under a name that is unique within the run; the other fields are a `Job`'s."""

    name: str
    proposal: Proposal
    recipe: Recipe
    seed: int
    latency: tuple[float, float] | None
    seconds: float

    @property
    def job(self) -> Job:
        """For a worker."""
        assert self.proposal.genome is not None
        text = self.proposal.genome.dumps()
        return Job(text, self.recipe.to_json(), self.seed, self.latency, self.seconds)


class Source(Protocol):
    """Where tasks come from and results go to: a search.

    Attributes:
        clock: by which it counts seconds.
    """

    clock: Callable[[], float]

    def next(self) -> Task | Wait | None:
        """The next task; None when there will be no more."""

    def epoch(self, name: str, number: int, accuracy: float) -> None:
        """A task has finished an epoch."""

    def done(self, name: str, outcome: Outcome) -> None:
        """A task has ended, however it did."""


@dataclass(frozen=True)
class Workers:
    """How many, and what each gets.

    Attributes:
        threads: of each worker, so that all together have the cores.
        gpus: share of a GPU for each worker.
        address: of a Ray cluster; None starts one here.
        plugins: space files (`FILE.py:FUNCTION`) that workers import before they read a genome.
    """

    count: int = 1
    threads: int = 1
    gpus: float = 0.0
    address: str | None = None
    plugins: tuple[str, ...] = ()

    def device(self) -> torch.device:
        """What each trains on: a GPU only where it has a share of one."""
        import torch

        return torch.device("cuda" if self.gpus else "cpu")


def run_local(source: Source, images: Images, workers: Workers) -> None:
    """Runs one task after another in this process."""
    import torch

    from nas.trial import Worker

    threads = torch.get_num_threads()
    worker = Worker(images, workers.threads, workers.device())
    try:
        while (task := source.next()) is not None:
            if isinstance(task, Wait):
                raise RuntimeError("the strategy waits although nothing is running")
            for report in worker.run(task.job):
                if isinstance(report, Outcome):
                    source.done(task.name, report)
                else:
                    source.epoch(task.name, report.epoch, report.accuracy)
    finally:
        torch.set_num_threads(threads)


class Clock:
    """Simulated time, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run_table(source: Source, table: Benchmark, count: int) -> None:
    """Has a table answer, on so many simulated workers whose trainings take the time that it says.

    The source's clock must be a `Clock`. Raises LookupError for a task that is not in the table.
    """
    clock = source.clock
    assert isinstance(clock, Clock)
    began = datetime.now(UTC)
    running: list[tuple[float, int, Task, Outcome]] = []
    number = 0
    ended = False
    while running or not ended:
        while not ended and len(running) < count:
            task = source.next()
            if task is None:
                ended = True
            elif isinstance(task, Wait):
                if not running:
                    raise RuntimeError("the strategy waits although nothing is running")
                break
            else:
                found = table.find(task.proposal.choices)
                if found is None:
                    raise LookupError(f"{table.name} has no row of {task.proposal.choices}")
                end = clock.now + table.seconds(found)
                times = {"started": clock.now, "finished": end}
                stamps = {name: began + timedelta(seconds=at) for name, at in times.items()}
                outcome = Outcome({"device": f"table {table.name}", **table.row(found), **stamps})
                heapq.heappush(running, (end, number, task, outcome))
                number += 1
        if running:
            clock.now, _, task, outcome = heapq.heappop(running)
            source.done(task.name, outcome)
