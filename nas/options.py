"""What the user asks of a search."""

from __future__ import annotations

from dataclasses import dataclass

from nas.objectives import ACCURACY, Goal, MnasNet, read_objectives
from nas.recipe import INITS, SCHEDULES, Init, Schedule
from nas.results import WINNERS

LIMITED = ("macs", "params", "activations")
"""Costs that may have a window."""

SCHEDULERS = ("none", "asha")
"""What stops trainings that fall behind."""

EXECUTORS = ("ray", "local")
TABLE = "table:"
"""Who trains; `table:FILE` looks results up instead (see `nas.tables`)."""

REWARDS = {"mnasnet": (-0.07, -0.07), "mnasnet-hard": (0.0, -1.0)}
"""Alpha and beta of MnasNet's reward as a soft and as a hard constraint (section 3)."""

Limits = tuple[float, float]


class UsageError(ValueError):
    """A wish that cannot be met; one line that names the flag."""


@dataclass(frozen=True)
class Options:
    """The options of `nas.search` and `nas.run`, as given; None means a default that fits the machine."""

    space: str = "regnet"
    preset: str | None = None
    strategy: str = "tpe"
    objective: str = "accuracy"
    reward: str | None = None
    target_latency: float | None = None
    winner: str = "reward"
    dedup: bool = True
    storage: str | None = None
    proxy: str | None = None
    pool: int | None = None
    scheduler: str = "none"
    rungs: tuple[int, ...] | None = None
    eta: int | None = None
    brackets: int | None = None
    trials: int | None = None
    timeout: float | None = None
    workers: int | None = None
    gpus_per_trial: float | None = None
    address: str | None = None
    executor: str = "ray"
    dataset: str = "auto"
    data_dir: str | None = None
    epochs: int | None = None
    train_images: int | None = None
    init: Init | None = None
    schedule: Schedule | None = None
    macs: Limits | None = None
    params: Limits | None = None
    activations: Limits | None = None
    latency: Limits | None = None
    seed_points: str = "auto"
    keep: int = 5
    confirm: int = 3
    run: str | None = None
    seed: int = 0
    trial_timeout: float = 600.0

    @property
    def table(self) -> str | None:
        """The file of the table that answers instead of training."""
        return self.executor.removeprefix(TABLE) if self.executor.startswith(TABLE) else None

    def goals(self) -> tuple[Goal, ...]:
        """What is to be maximised. Raises `UsageError` or `ObjectiveError`."""
        if self.reward is None:
            if self.target_latency is not None:
                raise UsageError("--target-latency: is for --reward mnasnet")
            return read_objectives(self.objective)
        if self.reward not in REWARDS:
            raise UsageError(f"--reward {self.reward}: there are {', '.join(REWARDS)}")
        if self.target_latency is None:
            raise UsageError(f"--reward {self.reward} needs --target-latency, such as 5ms")
        if read_objectives(self.objective) != (ACCURACY,):
            raise UsageError(f"--reward {self.reward} is made of accuracy and latency: leave --objective out")
        return (MnasNet(self.target_latency, *REWARDS[self.reward]),)


def check(options: Options) -> None:
    """Raises `UsageError` for values that a caller from Python may give and the command line refuses."""
    if not isinstance(options.space, str):
        raise UsageError("space must be a name or FILE.py:FUNCTION")
    for name in ("trials", "workers", "epochs", "train_images", "pool", "eta", "brackets"):
        value = getattr(options, name)
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(f"{name} must be a whole number above 0, not {value!r}")
    for name in ("keep", "confirm", "seed"):
        value = getattr(options, name)
        if type(value) is not int or not 0 <= value < 2**32:
            raise UsageError(f"{name} must be a whole number, not {value!r}")
    for name in ("timeout", "trial_timeout", "gpus_per_trial", "target_latency"):
        value = getattr(options, name)
        if value is not None and (type(value) not in (int, float) or value < 0):
            raise UsageError(f"{name} must be a number (seconds, for times), not {value!r}")
    for name in (*LIMITED, "latency"):
        value = getattr(options, name)
        if value is not None and not (isinstance(value, tuple) and len(value) == 2 and value[0] <= value[1]):
            raise UsageError(f"{name} must be a pair (lowest, highest), not {value!r}")
    if options.eta is not None and options.eta < 2:
        raise UsageError("eta must be at least 2")
    rungs = options.rungs
    if rungs is not None and (
        not isinstance(rungs, tuple | list)
        or any(type(r) is not int or r < 1 for r in rungs)
        or len(rungs) < 2
        or list(rungs) != sorted(set(rungs))
    ):
        raise UsageError(f"rungs must be two or more rising numbers of epochs, such as 1,3,9, not {rungs!r}")
    for name, known in (
        ("init", (None, *INITS)),
        ("schedule", (None, *SCHEDULES)),
        ("winner", WINNERS),
        ("scheduler", SCHEDULERS),
    ):
        if getattr(options, name) not in known:
            raise UsageError(f"{name} must be one of {', '.join(map(str, known))}")
    if options.executor not in EXECUTORS and not options.table:
        raise UsageError(f"executor must be one of {', '.join(EXECUTORS)}, table:FILE")
