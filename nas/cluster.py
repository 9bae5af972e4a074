"""Ray Tune's workers, kept between trials."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nas.dispatch import Outcome, Source, Workers
from nas.strategies import Wait

if TYPE_CHECKING:
    from nas.sources import Images


def run_ray(source: Source, images: Images, workers: Workers) -> None:
    """Runs tasks as Ray Tune trials on workers that are kept between them.

    Raises KeyboardInterrupt when the user stopped it; what was running then is journalled, not finished.
    """
    os.environ.update(_QUIET)
    import ray
    from ray import tune

    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # it misses the log files we switched off
    here: dict[str, Any] = {"num_cpus": workers.count * workers.threads, "include_dashboard": False}
    with _held_output():
        ray.init(
            address=workers.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if workers.address else here),
        )
    searcher = _searcher(source)
    scheduler = _scheduler(searcher)
    resources: dict[str, float] = {"cpu": workers.threads}
    if workers.gpus:
        resources["gpu"] = workers.gpus
    try:
        with tempfile.TemporaryDirectory(prefix="nas-tune-") as folder, _interrupts() as stopped:
            trainable = tune.with_parameters(_trainable(), images=images, workers=workers)
            tune.Tuner(
                tune.with_resources(trainable, resources),
                tune_config=tune.TuneConfig(
                    search_alg=searcher,
                    scheduler=scheduler,
                    num_samples=-1,
                    max_concurrent_trials=workers.count,
                    reuse_actors=True,
                    trial_dirname_creator=lambda trial: trial.trial_id,
                ),
                run_config=tune.RunConfig(
                    storage_path=folder,
                    verbose=0,
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                    failure_config=tune.FailureConfig(max_failures=0),
                ),
            ).fit()
            if stopped.is_set():
                raise KeyboardInterrupt
    finally:
        ray.shutdown()
    if searcher.error is not None:
        raise searcher.error


_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_INIT": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
}


@contextmanager
def _held_output() -> Iterator[None]:
    """Keeps back what a library writes to the standard streams, and shows it if the library fails."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 1)
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            for descriptor, old in enumerate(kept, start=1):
                os.dup2(old, descriptor)
                os.close(old)
            if failed:
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace"))


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Turns the first Ctrl-C into Tune's own clean stop (SIGUSR1), between two of its events.

    The event tells that it happened, because Tune returns as if it were done. A second Ctrl-C is not held.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGUSR1"):
        yield stopped
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)}

    def stop(number: int, frame: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.kill(os.getpid(), signal.SIGUSR1)

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _searcher(source: Source) -> Any:
    from ray.tune.search import Searcher

    class Tasks(Searcher):
        """Hands the source's tasks to Tune and Tune's results to the source."""

        def __init__(self, source: Source) -> None:
            super().__init__(metric="accuracy", mode="max")
            self.source = source
            self.names: dict[str, str] = {}
            self.stopped: set[str] = set()
            self.shown: dict[str, dict[str, Any]] = {}  # trial -> its row after its last epoch
            self.error: BaseException | None = None

        def suggest(self, trial_id: str) -> Any:
            if self.error is not None:
                return Searcher.FINISHED
            try:
                task = self.source.next()
            except Exception as error:  # noqa: BLE001 - raised again after Tune has ended
                self.error = error
                return Searcher.FINISHED
            if task is None:
                return Searcher.FINISHED
            if isinstance(task, Wait):
                return None
            self.names[trial_id] = task.name
            return {"job": task.job}

        def goes_on(self, trial_id: str, outcome: Outcome) -> bool:
            """Whether a trial that has finished an epoch goes on; none does after an error."""
            if self.error is not None or trial_id not in self.names:
                return False
            self.shown[trial_id] = outcome.row
            try:
                on = self.source.epoch(self.names[trial_id], outcome.row)
            except Exception as failure:  # noqa: BLE001 - raised again after Tune has ended
                self.error = failure
                return False
            if not on:
                self.stopped.add(trial_id)
            return on

        def on_trial_complete(
            self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
        ) -> None:
            outcome, shown = (result or {}).get("outcome"), self.shown.pop(trial_id, {})
            if outcome is None or error or not ("status" in outcome.row or trial_id in self.stopped):
                outcome = Outcome({**shown, "status": "failed", "error": "the worker died"})
            name = self.names.pop(trial_id, None)
            if name is None or self.error is not None:
                return
            try:
                self.source.done(name, outcome)
            except Exception as failure:  # noqa: BLE001 - raised again after Tune has ended
                self.error = failure
            outcome.weights = None  # Tune keeps the last result of every trial

        def __getstate__(self) -> dict[str, Any]:
            # Tune pickles what it is given, for a restart that is not its business here.
            return {**self.__dict__, "source": None}

        def save(self, checkpoint_path: str) -> None:
            """Nothing to save: the tables are the state."""

        def restore(self, checkpoint_path: str) -> None:
            """Nothing to restore."""

    return Tasks(source)


def _scheduler(tasks: Any) -> Any:
    """Tune's hook for stopping a trial, where the source's rule decides."""
    from ray.tune.schedulers import FIFOScheduler

    class Stopping(FIFOScheduler):
        """Asks the tasks' source after each epoch."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]

        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            return self.CONTINUE if tasks.goes_on(trial.trial_id, result["outcome"]) else self.STOP

        def __getstate__(self) -> dict[str, Any]:
            return {}

    return Stopping()


def _trainable() -> Any:
    from ray import tune

    from nas.trial import Worker

    class Trial(tune.Trainable):
        """A worker that runs one task after another; a step is an epoch."""

        def setup(self, config: dict[str, Any], images: Any = None, workers: Any = None) -> None:
            from search_spaces import SpaceError, find, load_plugins

            self.cannot: Outcome | None = None
            try:
                load_plugins()
                for name in workers.plugins:
                    find(name)
            except SpaceError as error:
                self.cannot = Outcome({"status": "failed", "error": str(error)})
            self.worker = Worker(images, workers.threads, workers.device())
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.reports = iter([self.cannot]) if self.cannot else self.worker.run(new_config["job"])
            return True

        def step(self) -> dict[str, Any]:
            outcome = next(self.reports)
            return {"done": "status" in outcome.row, "outcome": outcome, "accuracy": 0.0}

    return Trial
