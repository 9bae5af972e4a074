"""What Optuna's samplers read: the trials of one study, as a fold over what was told."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any

from nas.objectives import Row
from nas.strategies.base import Problem, Proposal
from search_spaces.choose import Domain
from search_spaces.domain import Integer, Pick


class Trials:
    """An Optuna storage of one study, which has only what studies that are asked and their samplers call.

    Finished trials stand in the order in which they were told, running ones after them; a trial's number is
    the search's own. In Optuna's own storages a trial stands where it was asked, so that a study which is
    told again comes out in another order when several workers were at work. Nothing is copied: the trials
    are read by one thread, and by samplers only.

    Attributes:
        number: of the next trial.
        finished: in the order of telling.
        running: by number.
        attributes: of the study, where samplers keep their own.
        even: no trial has a constraint before the first violation, and all have it from then on, which
            samplers need that model constraints (at the price of a second process) or rank by them.
    """

    def __init__(self) -> None:
        self.number = 0
        self.finished: list[Any] = []
        self.running: dict[int, Any] = {}
        self.attributes: dict[str, Any] = {}
        self.set_by: dict[str, int] = {}
        self.even = True
        self.constrained = False

    # -- what a search does -----------------------------------------------------------------------------

    def finish(self, number: int, values: Sequence[float], violation: float = 0.0) -> None:
        """Ends a running trial."""
        from optuna.trial import TrialState

        trial = self.running.pop(number)
        trial.state = TrialState.COMPLETE
        trial.values = list(values)
        trial.datetime_complete = datetime.now()
        self.finished.append(trial)
        if violation > 0:
            trial.constraints = {"violation": violation}
            if self.even and not self.constrained:
                self.constrained = True
                for other in self.finished:
                    other.constraints = other.constraints or {"violation": 0.0}
        elif self.constrained:
            trial.constraints = {"violation": 0.0}

    def put(self, number: int, name: str, value: Any, distribution: Any) -> None:
        """Puts the answer to a question into a running trial."""
        trial = self.running[number]
        trial.params[name] = value
        trial.distributions[name] = distribution

    def remember(self, number: int, attributes: Mapping[str, Any]) -> None:
        """Sets attributes of the study as the ask of that trial did; of two asks, the later one holds."""
        for key, value in attributes.items():
            if self.set_by.get(key, -1) <= number:
                self.attributes[key], self.set_by[key] = value, number

    # -- what Optuna calls ------------------------------------------------------------------------------

    def create_new_study(self, directions: Sequence[Any], study_name: str | None = None) -> int:
        self.directions = list(directions)
        self.name = study_name
        return 0

    def get_study_id_from_name(self, study_name: str) -> int:
        return 0

    def get_study_name_from_id(self, study_id: int) -> str | None:
        return self.name

    def get_study_directions(self, study_id: int) -> list[Any]:
        return self.directions

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self.attributes

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self.remember(self.number, {key: value})

    def create_new_trial(self, study_id: int, template_trial: Any = None) -> int:
        self.running[self.number] = _kind()(self.number)
        return self.number

    def set_trial_param(self, trial_id: int, param_name: str, internal: float, distribution: Any) -> None:
        self.put(trial_id, param_name, distribution.to_external_repr(internal), distribution)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.running[trial_id].system_attrs[key] = value

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        return self.get_trial(trial_id).system_attrs  # type: ignore[no-any-return]

    def get_trial(self, trial_id: int) -> Any:
        found = self.running.get(trial_id)
        return found or next(t for t in self.finished if t.number == trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[Any] | None = None
    ) -> list[Any]:
        trials = [*self.finished, *self.running.values()]
        if states is not None:
            trials = [t for t in trials if t.state in states]
        return copy.deepcopy(trials) if deepcopy else trials


@functools.cache
def _kind() -> Any:
    """The class of the trials."""
    from optuna.trial import FrozenTrial, TrialState

    class Told(FrozenTrial):
        """A trial that has at hand what the samplers read most: it is read by every later ask.

        Attributes:
            constraints: as Optuna's, which looks for them among all attributes each time.
        """

        constraints: Mapping[str, float] = {}  # type: ignore[assignment]

        def __init__(self, number: int) -> None:
            parts: dict[str, Any] = {
                name: {} for name in ("params", "distributions", "user_attrs", "system_attrs")
            }
            state, began = TrialState.RUNNING, datetime.now()
            super().__init__(
                number, state, None, began, None, **parts, intermediate_values={}, trial_id=number
            )

    return Told


class Answers:
    """The answers of finished trials as Optuna's internal numbers, which TPE reads in each ask.

    Attributes:
        table: a row for each trial, a column for each question; NaN where it was not asked.
        rows: by a trial's number; columns: by a question's name.
    """

    def __init__(self) -> None:
        import numpy as np

        self.table = np.full((64, 16), np.nan)
        self.rows: dict[int, int] = {}
        self.columns: dict[str, int] = {}

    def of(self, trials: Sequence[Any], space: Mapping[str, Any], study: Any) -> dict[str, Any]:
        """The answers to these questions, an array for each, of the trials that were asked them all."""
        import numpy as np

        for trial in trials:
            if trial.number not in self.rows:
                self._add(trial)
        rows = [self.rows[trial.number] for trial in trials]
        columns = [self.columns.setdefault(name, len(self.columns)) for name in space]
        self._grow()
        found = self.table[np.ix_(rows, columns)]
        found = found[~np.isnan(found).any(axis=1)]
        return dict(zip(space, found.T, strict=True))

    def _add(self, trial: Any) -> None:
        row = self.rows.setdefault(trial.number, len(self.rows))
        columns = [self.columns.setdefault(name, len(self.columns)) for name in trial.params]
        self._grow()
        self.table[row, columns] = [
            trial.distributions[name].to_internal_repr(value) for name, value in trial.params.items()
        ]

    def _grow(self) -> None:
        """Makes room for all rows and columns, twice as much as there was at least."""
        import numpy as np

        for axis, count in enumerate((len(self.rows), len(self.columns))):
            if count > self.table.shape[axis]:
                more = [(0, 0), (0, 0)]
                more[axis] = (0, max(count, self.table.shape[axis]))
                self.table = np.pad(self.table, more, constant_values=np.nan)


class Shown:
    """The study that others look at: one in a database, of the trials that were trained.

    It is written when the first result is told, from then on one trial at a time. One of the same name that
    an earlier session of the run wrote is replaced, so a resumed run stands there once.

    Raises:
        ValueError: the database cannot be opened, or has a study of that name that is not ours.
    """

    def __init__(self, problem: Problem) -> None:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        assert problem.storage is not None
        self.problem = problem
        self.study: Any = None
        try:
            self.storage = optuna.storages.RDBStorage(problem.storage)
            found = [s for s in self.storage.get_all_studies() if s.study_name == problem.name]
        except (SQLAlchemyError, ImportError, optuna.exceptions.StorageInternalError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"--storage: {reason}; a URL is, for example, sqlite:///study.db") from error
        if found and MADE_BY not in found[0].user_attrs:
            raise ValueError(
                f"--storage: it has a study {problem.name!r} of someone else's: name another --run"
            )

    def add(self, proposal: Proposal, row: Row | None, values: Sequence[float] | None) -> None:
        """Adds a trial that was trained, however it ended."""
        import optuna

        if self.study is None:
            self.study = self._begin()
        row = row or {}
        curve = {epoch["epoch"]: epoch["accuracy"] for epoch in row.get("curve") or ()}
        states = optuna.trial.TrialState
        state = states.FAIL if values is None else states.COMPLETE
        if row.get("status") == "pruned":
            state, values = states.PRUNED, None
        told = {name: row[name] for name in SHOWN if row.get(name) is not None}
        domains = {name: self.problem.domains[name] for name in proposal.choices}
        self.study.add_trial(
            optuna.trial.create_trial(
                state=state,
                values=values,
                params=dict(proposal.choices),
                distributions={name: _plain(domain) for name, domain in domains.items()},
                user_attrs={"trial": proposal.trial, "by": proposal.note.get("by"), **told},
                intermediate_values=curve,
            )
        )

    def _begin(self) -> Any:
        import optuna

        if any(s.study_name == self.problem.name for s in self.storage.get_all_studies()):
            optuna.delete_study(study_name=self.problem.name, storage=self.storage)
        study = optuna.create_study(
            study_name=self.problem.name,
            storage=self.storage,
            directions=["maximize"] * len(self.problem.goals),
        )
        study.set_user_attr(MADE_BY, self.problem.space.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([str(goal) for goal in self.problem.goals])
        return study


MADE_BY = "nas space"
"""The attribute that marks a study as ours."""

SHOWN = ("key", "status", "error", "params", "macs", "depth", "latency_ms", "val_accuracy")
"""Columns of a row that are shown beside its values."""


def _plain(domain: Domain) -> Any:
    """A question's distribution for people: the answers as the space has them."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Pick):
        return CategoricalDistribution(domain.options)
    if isinstance(domain, Integer):
        step = 1 if domain.log else domain.step
        return IntDistribution(domain.lo, domain.lo + (domain.size - 1) * domain.step, domain.log, step)
    return FloatDistribution(domain.lo, domain.hi, log=domain.log)
