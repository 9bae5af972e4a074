"""What commands may be pointed at: a network's name, a genome file, or a result in a run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cells.genome import Genome
from cells.ops import Invalid, Shape
from search_spaces import Fixed, Space, find
from search_spaces.around import around_genome
from search_spaces.pycls import read

if TYPE_CHECKING:
    from nas.store import Run


class TargetError(LookupError):
    """Nothing is found there; one line that says what was looked for."""


@dataclass(frozen=True)
class Target:
    """An architecture, where it comes from, and what is known of it if it was trained.

    Attributes:
        row: of the trial that trained it.
        weights: file of the weights that the run kept.
        confirmed: (mean, standard deviation, seeds) of its accuracies in trainings after the search.
        members: of an ensemble, the networks that vote.
    """

    name: str
    genome: Genome
    origin: str
    row: Mapping[str, Any] | None = None
    weights: Path | None = None
    confirmed: tuple[float, float, int] | None = None
    members: tuple[Target, ...] = ()


def resolve(text: str, input: Shape | None = None, classes: int | None = None) -> Target:
    """The target of NAME, FILE.json, FILE.yaml (of pycls), RUN, RUN:KEY or RUN:best.

    Args:
        input: (C, H, W) that a named or configured network is to take; None: its own.
        classes: that a named network is to tell apart.

    Raises:
        TargetError, UnknownSpaceError: there is nothing of that name.
        Invalid: a file that is no genome.
        StoreError: a run without finished trials.
    """
    folder, _, key = text.partition(":")
    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        _only_for_names(None, classes, text)
        return _from_file(path, partial(read, input=input or (3, 224, 224)))
    if path.suffix == ".json" or path.is_file():
        _only_for_names(input, classes, text)
        return _from_file(path, Genome.loads)
    if Path(folder).is_dir() and not text.endswith(".py"):
        from nas.store import Run

        _only_for_names(input, classes, text)
        run = Run(folder)
        return of_row(run, run.best("" if key == "best" else key))
    space = find(text)
    if not space.classic:
        raise TargetError(
            f"{space.name} is a search space, not one network: `python -m nas.spaces {space.name}` describes "
            f"it, `python -m nas.search --space {space.name}` searches it"
        )
    given = {"input": input, "classes": classes}
    drawn = space.bind(**{k: v for k, v in given.items() if v is not None}).draw(Fixed())
    return Target(space.name, drawn, space.summary)


def of_row(run: Run, row: Mapping[str, Any]) -> Target:
    """The target of a run's row."""
    from nas.results import confirmed

    file = run.path / row["weights"] if row["weights"] else None
    return Target(
        f"{run.path}:{row['key']}",
        Genome.loads(row["genome"]),
        f"run {run.path}",
        row,
        file if file is not None and file.is_file() else None,
        confirmed(run.rows(row["key"])).get(row["key"]),
    )


def best_together(text: str, count: int) -> Target:
    """The soft vote of the `count` networks of RUN that its search ranked first.

    Raises:
        TargetError: that is no run, or it has too few networks.
        Invalid: the networks cannot vote together.
    """
    from cells.ensemble import ensemble
    from nas.results import WINNERS, ranking
    from nas.store import Run

    if count < 2:
        raise TargetError(f"--ensemble {count}: a vote needs at least 2 networks")
    if not Path(text).is_dir():
        raise TargetError(f"--ensemble {count}: {text} is no run directory")
    run = Run(text)
    first: dict[str, Mapping[str, Any]] = {}
    for row in ranking(run.rows(), run.config.get("winner", WINNERS[0])):
        first.setdefault(row["key"], row)
    if len(first) < count:
        raise TargetError(f"--ensemble {count}: {text} has {len(first)} trained networks")
    members = tuple(of_row(run, row) for row in [*first.values()][:count])
    genome = ensemble([member.genome for member in members])
    return Target(f"{run.path} --ensemble {count}", genome, f"run {run.path}", members=members)


def anywhere(name: str) -> str:
    """What a space is found by from any folder: `FILE.py:FUNCTION` by its whole path, others as they are."""
    if ".py:" not in name:
        return name
    file, _, function = name.rpartition(":")
    return f"{Path(file).resolve().as_posix()}:{function}"


def find_space(text: str) -> Space:
    """The space of NAME, FILE.py:FUNCTION or around:START, where START may be anything `resolve` takes.

    Raises:
        TargetError, UnknownSpaceError, SpaceError, StoreError: there is nothing of that name.
    """
    start = text.removeprefix("around:")
    if start != text and Path(start.partition(":")[0]).is_dir():
        target = resolve(start)
        return around_genome(target.name, target.genome)
    return find(text)


def _only_for_names(input: Shape | None, classes: int | None, text: str) -> None:
    if input is not None or classes is not None:
        flag = "--input" if input is not None else "--classes"
        raise TargetError(f"{flag}: {text} has its own; only named networks are drawn for another")


def _from_file(path: Path, load: Callable[[str], Genome]) -> Target:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        genome = load(text)
        _ = genome.key  # shapes fit
    except Invalid as error:
        raise Invalid(f"{path}: {error}") from error
    return Target(path.stem, genome, str(path))
