"""Who runs the tasks of a search: this process, a table that knows the results, or others (`nas.cluster`)."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from nas.recipe import Recipe
from nas.results import until
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
    """What a worker sends back: the row's columns that it knows, and the trained weights (safetensors).

    A trial that goes on has no status yet; one without a status that ends is stopped.
    """

    row: dict[str, Any]
    weights: bytes | None = None


def one_line(error: Exception) -> str:
    """What a row says of whatever an architecture did, at most 500 characters."""
    kind, text = type(error).__name__, str(error)
    if kind in ("MemoryError", "OutOfMemoryError") or ("alloc" in text and "memory" in text):
        return "out of memory"
    return f"{kind}: {text}".partition("\n")[0][:500]


@dataclass(frozen=True)
class Task:
    """One training, under a name that is unique within the run.

    Attributes:
        epochs: of a table's learning curve; None: all. The other fields are a `Job`'s.
    """

    name: str
    proposal: Proposal
    recipe: Recipe
    seed: int
    latency: tuple[float, float] | None
    seconds: float
    epochs: int | None = None

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
        rungs: epochs after which it may want a task to stop.
    """

    clock: Callable[[], float]
    rungs: Sequence[int]

    def next(self) -> Task | Wait | None:
        """The next task; None when there will be no more."""

    def epoch(self, name: str, row: Mapping[str, Any]) -> bool:
        """Whether a task goes on that has finished an epoch and whose row would be this if it ended."""

    def done(self, name: str, outcome: Outcome) -> None:
        """A task has ended, however it did: with this row, if it does not go on."""


@dataclass(frozen=True)
class Workers:
    """How many, and what each gets.

    Attributes:
        threads: of each worker, so that all together have the cores.
        gpus: share of a GPU for each worker.
        address: of a Ray cluster; None starts one here.
        plugins: space files (`/FOLDER/FILE.py:FUNCTION`) that workers, who are elsewhere, import before they
            read a genome.
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
            for outcome in worker.run(task.job):
                if "status" in outcome.row or not source.epoch(task.name, outcome.row):
                    source.done(task.name, outcome)
                    break
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
    running: list[tuple[float, int, Looked]] = []
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
                looked = Looked(task, clock.now, _look_up(table, task, source.rungs))
                heapq.heappush(running, (looked.next, number, looked))
                number += 1
        if running:
            clock.now, which, looked = heapq.heappop(running)
            _, row = looked.parts.popleft()
            times = {"started": looked.started, "finished": clock.now}
            row |= {name: began + timedelta(seconds=at) for name, at in times.items()}
            if looked.parts and source.epoch(looked.task.name, row):
                heapq.heappush(running, (looked.next, which, looked))
            else:
                source.done(looked.task.name, Outcome(row))


@dataclass
class Looked:
    """A training that a table knows.

    Attributes:
        started: simulated seconds.
        parts: each rung that is still ahead and the end: seconds since the start, and the row by then.
    """

    task: Task
    started: float
    parts: deque[tuple[float, dict[str, Any]]]

    @property
    def next(self) -> float:
        """Simulated seconds at which the next part is done."""
        return self.started + self.parts[0][0]


def _look_up(table: Benchmark, task: Task, rungs: Sequence[int]) -> deque[tuple[float, dict[str, Any]]]:
    """The parts of a training. Raises LookupError."""
    found = table.find(task.proposal.choices)
    if found is None:
        raise LookupError(f"{table.name} has no row of {task.proposal.choices}")
    whole = {"device": f"table {table.name}", **table.row(found, task.epochs)}
    seconds = table.seconds(found) if task.epochs is None else whole["train_seconds"]
    ahead = [rung for rung in rungs if rung < len(whole.get("curve") or ())]
    going = {name: value for name, value in whole.items() if name != "status"}
    parts = [until(going, rung) for rung in ahead]
    return deque([*((part["train_seconds"], part) for part in parts), (seconds, whole)])
