"""What a search maximises: columns of a trial's row, each with a direction, or a reward made of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Row = Mapping[str, Any]
"""A row of the trials table."""

UP = ("val_accuracy", "receptive_field", "images_per_second")
DOWN = ("latency_ms", "macs", "flops", "params", "activations", "depth", "peak_memory_bytes", "train_seconds")
SHORT = {"accuracy": "val_accuracy", "latency": "latency_ms", "memory": "peak_memory_bytes"}
"""Columns that may be an objective; where more is better, where less is, and what they may be called."""


class ObjectiveError(ValueError):
    """An objective that cannot be read; one line that names the flag."""


class Goal(Protocol):
    """Something to be maximised."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row that it needs."""

    def of(self, row: Row) -> float | None:
        """Its value for a row, the more the better; None where a column has none."""


@dataclass(frozen=True)
class Column:
    """A column as it is, or negated where less is better."""

    name: str
    maximise: bool = True

    def __str__(self) -> str:
        return f"{self.name}:{'max' if self.maximise else 'min'}"

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Goal`."""
        return (self.name,)

    def of(self, row: Row) -> float | None:
        """See `Goal`."""
        value = row.get(self.name)
        return None if value is None else float(value) if self.maximise else -float(value)


@dataclass(frozen=True)
class MnasNet:
    """ACC(m) · (LAT(m)/T)^w, with w = alpha where LAT <= T and beta elsewhere.

    Source: MnasNet (Tan et al. 2019, arXiv:1807.11626), section 3, equations 2 and 3: alpha = beta = -0.07
    is the soft constraint, alpha = 0 and beta = -1 the hard one.

    Attributes:
        target: T in milliseconds.
    """

    target: float
    alpha: float = -0.07
    beta: float = -0.07

    def __str__(self) -> str:
        return f"mnasnet(T={self.target:g}ms, alpha={self.alpha:g}, beta={self.beta:g})"

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Goal`."""
        return "val_accuracy", "latency_ms"

    def of(self, row: Row) -> float | None:
        """See `Goal`."""
        accuracy, latency = row.get("val_accuracy"), row.get("latency_ms")
        if accuracy is None or not latency:
            return None
        w = self.alpha if latency <= self.target else self.beta
        return float(accuracy * (latency / self.target) ** w)


ACCURACY = Column("val_accuracy")


def read_objectives(text: str) -> tuple[Column, ...]:
    """Goals from `accuracy,latency` or `accuracy:max,depth:min`.

    Without a direction, costs go down, everything else goes up.

    Raises:
        ObjectiveError: a column that is none, or stands there twice.
    """
    goals: list[Column] = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(":")
        column = SHORT.get(name, name)
        if column not in UP + DOWN or direction not in ("", "max", "min"):
            known = [*SHORT, *UP, *DOWN]
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted({*known}))}"
            wrong = f"{part.strip()!r} ends in neither :max nor :min" if column in UP + DOWN else ""
            raise ObjectiveError(f"--objective: {wrong or f'no objective is called {name!r}: {hint}'}")
        if any(goal.name == column for goal in goals):
            raise ObjectiveError(f"--objective: {column} stands there twice")
        goals.append(Column(column, direction == "max" if direction else column in UP))
    return tuple(goals)


def values(goals: Sequence[Goal], row: Row | None) -> tuple[float, ...] | None:
    """The value of each goal for a row with a reward; None where one has none."""
    if row is None or row.get("reward") is None:
        return None
    if len(goals) == 1:
        return (float(row["reward"]),)
    found = [goal.of(row) for goal in goals]
    return None if None in found else tuple(v for v in found if v is not None)
