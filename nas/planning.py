"""What a search comes to on this machine with these data."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cells.genome import Genome
from cells.ops import Shape
from nas.cli import cores
from nas.dispatch import Workers
from nas.objectives import Goal
from nas.options import LIMITED, Limits, Options, UsageError, check
from nas.pool import Point, Ranking, Wish, wished
from nas.ready import bind, choose_preset, seed_points, try_out
from nas.recipe import Recipe, brief, confirming
from nas.rungs import Rungs, lengthened, longest, uncut
from nas.rungs import wished as wished_rungs
from nas.strategies import Constrain, Dedup, Problem, Seeded, Window, make
from nas.strategies.optuna_study import Study
from nas.tables import Benchmark, benchmark
from nas.targets import anywhere, find_space
from search_spaces import Preset, Space, load_plugins
from search_spaces.choose import Scalar

if TYPE_CHECKING:
    from nas.sources import Images, Progress


@dataclass(frozen=True)
class Plan:
    """Everything a search needs, settled.

    Attributes:
        place: name and place of the data; fallback: digits stand in for CIFAR-10, which is not at hand.
        points: seed points that lie in the space and its window.
        left_out: other published points: name, MACs or None, and why they are no seed points.
        confirm_seeds: seeds by which each finalist is trained again.
        run: its directory; None: in memory.
        recipe: of the search's trials; of the first rung, where the best are trained again for longer.
        rungs: lengths of training that networks have to earn.
        pool: of random networks that a proxy ranks; `ranking`: what came of it (see `nas.pool.ranked`).
        table: what answers instead of training, in simulated time.
    """

    run: Path | None
    space: Space
    preset: str
    strategy: str
    seed: int
    window: Window
    latency: Limits | None
    points: Mapping[str, Mapping[str, Scalar]]
    left_out: list[tuple[str, Genome | None, str]]
    recipe: Recipe
    confirm_recipe: Recipe
    confirm: int
    confirm_seeds: tuple[int, ...]
    confirm_images: int
    trials: int | None
    timeout: float | None
    trial_timeout: float
    keep: int
    workers: Workers
    executor: str
    place: tuple[str, Path | None]
    shape: Shape
    classes: int
    fallback: bool
    goals: tuple[Goal, ...]
    winner: str
    dedup: bool
    storage: str | None
    pool: Wish | None
    rungs: Rungs | None
    ranking: Ranking | None = field(repr=False, default=None)
    table: Benchmark | None = field(repr=False, default=None)
    images: Images | None = field(repr=False, default=None)

    @property
    def name(self) -> str:
        """Of the run."""
        return self.run.name if self.run is not None else "memory"

    @property
    def simulated(self) -> bool:
        """Time is the table's, not the clock's."""
        return self.table is not None

    def problem(self) -> Problem:
        """What the strategy is asked to solve."""
        measured = None if self.table is None else self.table.costs
        return Problem(
            self.space, self.seed, self.window, self.trials, self.goals, self.name, self.storage, measured
        )

    def searcher(self, problem: Problem) -> Dedup:
        """The strategy on that problem, inside the window, without repeats.

        In front of it are the seed points and the best of the pool.
        """
        points: list[Point] = [
            (choices, {"by": "seed", "seed_point": name}) for name, choices in self.points.items()
        ]
        if self.pool is not None:
            assert self.ranking is not None, "rank the pool first"
            points += self.ranking.points(self.pool)
        seeded = Seeded(make(self.strategy, problem), problem, points)
        return Dedup(Constrain(seeded, problem), repeats=not self.dedup)

    def config(self) -> dict[str, Any]:
        """What makes a run this run and no other, as JSON."""
        return {
            "space": self.space.name,
            "arguments": _plain(self.space.arguments),
            "preset": self.preset,
            "strategy": self.strategy,
            "goals": [str(goal) for goal in self.goals],
            "winner": self.winner,
            "dedup": self.dedup,
            "executor": f"table:{self.table.name}" if self.table is not None else "training",
            "seed": self.seed,
            "window": _plain(self.window.limits),
            "latency": _plain(self.latency),
            "points": _plain(self.points),
            "pool": None if self.pool is None else dataclasses.asdict(self.pool),
            "rungs": None if self.rungs is None else _plain(dataclasses.asdict(self.rungs)),
            "recipe": self.recipe.to_json(),
            "confirm_recipe": self.confirm_recipe.to_json(),
        }


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value).replace("Infinity", '"inf"'))


def plan(options: Options, progress: Progress | None = None) -> Plan:
    """Settles the options. Raises `UsageError`, `DataError` or `SpaceError`, which name the cause."""
    load_plugins()
    check(options)
    if options.table:
        return _table_plan(options)
    import torch

    from nas import sources

    space = find_space(options.space)
    if space.classic:
        raise UsageError(
            f"--space {options.space} is one network, not a search space: try nas.show {space.name}"
        )
    goals = options.goals()
    _check_strategy(options, Problem(space, goals=goals, storage=options.storage))
    pool = wished(options)
    gpus = 0 if options.gpus_per_trial == 0 else torch.cuda.device_count()
    if options.gpus_per_trial and options.gpus_per_trial > gpus and options.address is None:
        raise UsageError(f"--gpus-per-trial {options.gpus_per_trial:g}: this machine has {gpus} CUDA devices")
    report = progress or sources.silent
    place = sources.locate(options.dataset, options.data_dir, report)
    images = None
    shape, classes = (3, 32, 32), 10
    built_in = options.dataset in ("auto", "cifar10", "digits")
    if not built_in:
        images = sources.load(place, "train", report)
        shape, classes = images.shape, len(images.classes)
    preset_name, preset = choose_preset(space, options.preset, gpus > 0)
    space = bind(space, preset, shape, classes)
    try_out(space, options.space, shape, classes)
    count = len(images.labels) if images else sources.count(place)
    recipe, whole, rungs = _recipes(options, goals, place[0], count, gpus > 0)
    window = Window(
        {
            name: limits
            for name in LIMITED
            if (limits := getattr(options, name) or (preset.macs if name == "macs" else None))
            and limits != (0, math.inf)
        }
    )
    points, left_out = seed_points(space, preset, options.seed_points, window)
    confirm_recipe = confirming(whole, gpu=gpus > 0)
    trials, timeout = _first_rung(options, pool, rungs, len(points)), options.timeout
    if timeout is None and trials is None:
        timeout = 60.0 if place[1] is None else 600.0 if gpus else 240.0
    run = Path(options.run) if options.run else _fresh(options)
    return Plan(
        run=run,
        space=space,
        preset=preset_name,
        strategy=options.strategy,
        seed=options.seed,
        window=window,
        latency=options.latency or (0.0, math.inf),
        points=points,
        left_out=left_out,
        recipe=recipe,
        confirm_recipe=confirm_recipe,
        confirm=options.confirm,
        confirm_seeds=tuple(options.seed + 1 + i for i in range(3 if gpus else 2)),
        confirm_images=confirm_recipe.epochs * (count - recipe.val_images),
        trials=trials,
        timeout=timeout,
        trial_timeout=options.trial_timeout,
        keep=options.keep,
        workers=_workers(options, gpus),
        executor=options.executor,
        place=place,
        shape=shape,
        classes=classes,
        fallback=options.dataset == "auto" and place[0] == "digits",
        goals=goals,
        winner=options.winner,
        dedup=options.dedup,
        storage=options.storage,
        pool=pool,
        rungs=rungs,
        images=images,
    )


TRAINING = ("gpus_per_trial", "address", "latency", "data_dir", "epochs", "train_images", "init", "schedule")
"""Options that only a training reads."""


def _check_strategy(options: Options, problem: Problem) -> None:
    """Raises `UsageError`, `StrategyError` or `UnknownStrategyError` for one that cannot be made."""
    made = make(options.strategy, problem)
    if options.storage is not None and not isinstance(made, Study):
        raise UsageError(f"--storage: {options.strategy} keeps no study; Optuna's strategies, as tpe, do")


def _table_plan(options: Options) -> Plan:
    """A search of a table: nothing is trained, and no data are needed."""
    assert options.table is not None
    table = benchmark(options.table)
    for flag in TRAINING:
        if getattr(options, flag) is not None:
            raise UsageError(f"--{flag.replace('_', '-')}: nothing is trained when a table answers")
    if options.preset not in (None, "none"):
        raise UsageError(f"--preset: the table says what its space is, {table.space.name}")
    for flag in ("space", "dataset"):
        if getattr(options, flag) != getattr(Options, flag):
            raise UsageError(f"--{flag}: the table says what was trained: {table.name}")
    for flag in ("keep", "confirm"):
        if getattr(options, flag) not in (0, getattr(Options, flag)):
            raise UsageError(f"--{flag}: nothing is trained when a table answers")
    goals = options.goals()
    for name in dict.fromkeys(name for goal in goals for name in goal.columns):
        if name not in table.gives:
            raise UsageError(f"--{'reward' if options.reward else 'objective'}: {table.name} has no {name}")
    _check_strategy(options, Problem(table.space, goals=goals, storage=options.storage))
    pool = wished(options)
    if pool is not None and pool.proxy not in table.gives:
        raise UsageError(f"--proxy: {table.name} has no {pool.proxy}")
    limits = {name: getattr(options, name) for name in LIMITED if getattr(options, name)}
    if limits and not table.known:
        raise UsageError(f"--{next(iter(limits))}: {table.name} does not say what networks its rows are")
    window = Window(limits)
    wish = "none" if options.seed_points == "auto" else options.seed_points
    points, left_out = seed_points(table.space, Preset(), wish, window)
    rungs = _table_rungs(options, table, goals)
    trials = _first_rung(options, pool, rungs, len(points))
    if trials is None and options.timeout is None:
        trials = 200
    recipe = Recipe(name="table", dataset=table.name, epochs=1 if rungs is None else rungs.first)
    return Plan(
        run=Path(options.run) if options.run else _fresh(options),
        space=table.space,
        preset="none",
        strategy=options.strategy,
        seed=options.seed,
        window=window,
        latency=None,
        points=points,
        left_out=left_out,
        recipe=recipe,
        confirm_recipe=recipe,
        confirm=0,
        confirm_seeds=(),
        confirm_images=0,
        trials=trials,
        timeout=options.timeout,
        trial_timeout=math.inf,
        keep=0,
        workers=Workers(options.workers or 1),
        executor=options.executor,
        place=(table.name, Path(options.table)),
        shape=(3, 32, 32),
        classes=10,
        fallback=False,
        goals=goals,
        winner=options.winner,
        dedup=options.dedup,
        storage=options.storage,
        pool=pool,
        rungs=rungs,
        table=table,
    )


def _fresh(options: Options) -> Path:
    what = Path(options.table).stem if options.table else options.space.replace(".py:", "-")
    label, strategy = (
        re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") for name in (Path(what).name, options.strategy)
    )
    stem = f"{label}-{strategy}-{datetime.now():%Y%m%d-%H%M%S}"
    names = (
        Path("runs") / (stem + tail) for tail in itertools.chain([""], (f"-{i}" for i in itertools.count(2)))
    )
    return next(path for path in names if not path.exists())


def _workers(options: Options, gpus: int) -> Workers:
    plugins = (anywhere(options.space),) if ".py:" in options.space else ()
    if options.executor == "local":
        return Workers(1, cores(), 1.0 if gpus else 0.0, plugins=plugins)
    share = options.gpus_per_trial if options.gpus_per_trial is not None else (0.25 if gpus else 0.0)
    count = options.workers or (max(1, int(gpus / share)) if share else cores())
    return Workers(count, max(1, cores() // count), share, options.address, plugins)


def _recipes(
    options: Options, goals: Sequence[Goal], dataset: str, images: int, gpu: bool
) -> tuple[Recipe, Recipe, Rungs | None]:
    """(recipe of the search's trials, recipe of one that nothing cuts, rungs)."""
    import torch

    from nas.fit import resolve_precision

    precision = resolve_precision(torch.device("cuda" if gpu else "cpu"))
    base = brief(dataset, images, gpu=gpu, precision=precision, channels_last=True)
    rungs = wished_rungs(options, longest(options, base), goals)
    fields = ("init", "schedule", *(("epochs", "train_images") if rungs is None else ()))
    given = {name: getattr(options, name) for name in fields if getattr(options, name) is not None}
    whole = dataclasses.replace(base, **given)
    if rungs is None:
        return whole, whole, None
    cut = lengthened(options, whole, rungs, images)
    return cut, uncut(whole, cut, rungs, images), rungs


def _first_rung(options: Options, pool: Wish | None, rungs: Rungs | None, points: int) -> int | None:
    """How many networks are trained: as asked for, or, where rungs thin out a proxy's pool, its best.

    Args:
        points: seed points, which are trained beside these.
    """
    if options.trials is None and rungs is not None and not rungs.stop and pool is not None:
        return pool.first + points
    return options.trials


def _table_rungs(options: Options, table: Benchmark, goals: Sequence[Goal]) -> Rungs | None:
    """Rungs of trainings that a table knows. Raises `UsageError`."""
    rungs = wished_rungs(options, table.epochs or longest(options, Recipe()), goals)
    if rungs is not None and not table.epochs:
        flag = "--scheduler asha" if rungs.stop else "--rungs"
        raise UsageError(f"{flag}: {table.name} has no learning curves")
    if rungs is not None and rungs.epochs[-1] > table.epochs:
        raise UsageError(f"--rungs: the trainings of {table.name} have {table.epochs} epochs")
    return rungs
