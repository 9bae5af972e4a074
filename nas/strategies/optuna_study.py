"""A study that we own and tell, with one of Optuna's samplers.

A sampler is made anew, with a seed of its own, for each ask, and reads trials that are a fold over what was
told (`Trials`). What it puts down while it is asked (a trial's generation, the position in a sequence)
travels in the proposal's note.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cells.ops import Invalid
from nas.objectives import Row
from nas.strategies.base import Problem, Proposal, Strategy
from nas.strategies.optuna_trials import Shown, Trials
from nas.strategies.random import RandomSearch
from search_spaces.choose import Domain, Group, Integer, Pick, Random, Recorder, Scalar

PROBES = 30
"""Legal random draws that show which questions there are."""


class Study(Strategy):
    """A study with an Optuna sampler.

    The first `startup` trials that are trained are random ones. A rejected, illegal or failed proposal is
    told as a violated constraint, with the worst value known; a duplicate with the value that is known; a
    pruned one as a finished one with what it showed last, which Optuna's samplers all understand. (TPE alone
    can be told that it was pruned: on NAS-Bench-301 that led to the same proposals.)

    Attributes:
        questions: all that were met, as Optuna sees them.
        space: distributions of the questions that are answered together: those that every draw asks. A trial
            that lacks one (an illegal network, given up before it was asked) has the answer that was planned.
    """

    random_belongs = False
    """Whether what random search answers is part of a generation."""

    patience: float = 20
    """Settled proposals in a row after which random search answers until one is trained."""

    def __init__(self, problem: Problem, name: str, sampler: str, startup: int = 0, **options: Any) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if startup < 0:
            raise ValueError("startup cannot be negative")
        self.problem = problem
        self.name = name
        self.kind = getattr(optuna.samplers, sampler)
        self.takes = inspect.signature(self.kind).parameters
        self.startup = startup
        self.options = options
        self.random = RandomSearch(problem)
        self.trials = Trials()
        directions = ["maximize"] * len(problem.goals)
        self.study: Any = optuna.create_study(directions=directions, storage=self.trials)  # type: ignore
        self.shown = Shown(problem) if problem.storage else None
        self.questions: dict[str, Question] = {}
        self.space = self.find_space()
        self.worst: list[float] | None = None
        self.trained = 0
        self.settled_in_a_row = 0
        self.use_sampler(0)  # raises for options that it does not take

    # -- what kinds of samplers differ in ------------------------------------------------------------------

    def find_space(self) -> dict[str, Any]:
        """See `space`."""
        draws = probe(self.problem)
        shared = [name for name in draws[0] if all(name in draw for draw in draws)] if draws else []
        return self.distributions(shared)

    def make_question(self, domain: Domain) -> Question:
        """A question as the sampler is asked it."""
        return Question(domain)

    def make_sampler(self, seed: int) -> Any:
        """The sampler for one ask."""
        known = {"seed": seed, "warn_independent_sampling": False}
        return self.kind(**{k: v for k, v in known.items() if k in self.takes}, **self.options)

    def values_of_violation(self, violation: float) -> list[float]:
        """The values of a trial that has none."""
        return self.worst or [0.0] * len(self.problem.goals)

    def readable(self, answers: Mapping[str, Any]) -> bool:
        """Whether the sampler is to know of a trial that ended with these answers."""
        return self.space.keys() <= answers.keys()

    # -- protocol ------------------------------------------------------------------------------------------

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`."""
        at_random = self.trained + len(self.trials.running) < self.startup
        if at_random or self.settled_in_a_row >= self.patience:
            proposal = self.random.ask(trial)
            if not self.random_belongs:
                self.adopt(proposal)
                return proposal
            before = dict(self.trials.attributes)
            self.start(trial)
            self.fill(proposal)
        else:
            before = dict(self.trials.attributes)
            proposal = self.draw(trial, self.start(trial))
        running = self.trials.running[trial]
        after = self.trials.attributes
        extra = {
            "attributes": {k: v for k, v in running.system_attrs.items() if not _made_again(k)},
            "study": {k: v for k, v in after.items() if before.get(k) != v},
            "planned": {k: v for k, v in running.params.items() if k not in proposal.choices},
            "again": any(":optimizer" in k for k in running.system_attrs),
        }
        return replace(proposal, note=proposal.note | {k: v for k, v in extra.items() if v})

    def draw(self, trial: int, asked: Any) -> Proposal:
        """Has the sampler answer, and keeps what it planned for questions that were not asked."""
        chooser = Asked(self, asked)
        proposal = self.problem.draw(trial, chooser, note={"by": self.name})
        for name in asked.relative_params:
            if name not in proposal.choices:
                asked._suggest(name, self.space[name])
        return proposal

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        trial, note = proposal.trial, proposal.note
        if trial in self.trials.running:
            return
        if note.get("again"):
            self.start(trial)
        else:
            self.trials.number = trial
            self.trials.create_new_trial(0)
        self.trials.running[trial].system_attrs.update(note.get("attributes", {}))
        self.trials.remember(trial, note.get("study", {}))
        for name, value in note.get("planned", {}).items():
            self.trials.put(trial, name, value, self.space[name])
        self.fill(proposal)

    def fill(self, proposal: Proposal) -> None:
        """Puts a proposal's answers into its trial."""
        for name, value in proposal.choices.items():
            question = self.question(name)
            self.trials.put(proposal.trial, name, question.encode(value), question.distribution)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        self.adopt(proposal)
        settled = proposal.settled
        values = self.problem.values(row)
        if values is not None and not all(map(math.isfinite, values)):
            values = None
        if settled is None or settled.status == "duplicate":
            self.trained += 1
        self.settled_in_a_row = 0 if settled is None else self.settled_in_a_row + 1
        if settled is None and self.shown is not None:
            self.shown.add(proposal, row, values)
        if not self.readable(self.trials.running[proposal.trial].params):
            del self.trials.running[proposal.trial]
        elif values is not None:
            self.worst = [min(pair) for pair in zip(values, self.worst or values, strict=True)]
            self.trials.finish(proposal.trial, values)
        else:
            violation = settled.violation if settled is not None and settled.violation else 1.0
            self.trials.finish(proposal.trial, self.values_of_violation(violation), violation)

    # -- details -------------------------------------------------------------------------------------------

    def question(self, name: str) -> Question:
        """The question of that name, which was met before."""
        if name not in self.questions:
            self.questions[name] = self.make_question(self.problem.domains[name])
        return self.questions[name]

    def distributions(self, names: Iterable[str]) -> dict[str, Any]:
        """Distributions of the questions that have more than one answer."""
        found = {name: self.question(name).distribution for name in names}
        return {name: kind for name, kind in found.items() if not kind.single()}

    def use_sampler(self, trial: int) -> None:
        """Gives the study a sampler for that ask."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a class or an option is experimental
            sampler = self.make_sampler(self.problem.generator(trial, self.name).randrange(2**31))
        sampler.infer_relative_search_space = lambda study, trial: self.space
        self.study.sampler = sampler

    def start(self, trial: int) -> Any:
        """A running trial for which the sampler has made its plan."""
        self.use_sampler(trial)
        self.trials.number = trial
        asked = self.study.ask()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert asked.relative_params is not None  # they are planned when they are read
        return asked


def _made_again(attribute: str) -> bool:
    """Whether a trial's attribute need not be noted: answers (they are), and a pickle (asked for again)."""
    return ":relative_params" in attribute or ":optimizer" in attribute


def probe(problem: Problem) -> list[dict[str, Scalar]]:
    """Answers of random draws that lead to legal networks."""
    generator = problem.generator(-1, "probe")
    found: list[dict[str, Scalar]] = []
    for _ in range(100 * PROBES):
        chooser = Random(generator, problem.domains)
        try:
            problem.space.draw(chooser)
        except Invalid:
            continue
        found.append(chooser.record)
        if len(found) == PROBES:
            break
    return found


class Question:
    """How Optuna is asked a question, and told its answer."""

    def __init__(self, domain: Domain, *, ordered: bool = False) -> None:
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        self.unit = 1
        self.options: tuple[Scalar, ...] | None = None
        self.distribution: Any
        if isinstance(domain, Pick) and ordered:
            self.options = domain.options
            self.distribution = IntDistribution(0, domain.size - 1)
        elif isinstance(domain, Pick):
            self.distribution = CategoricalDistribution(domain.options)
        elif isinstance(domain, Integer):
            # Optuna has no logarithmic integers in steps; multiples of the step can be counted in steps.
            if domain.log and domain.lo % domain.step == 0:
                self.unit = domain.step
            low, high = domain.lo // self.unit, (domain.lo + (domain.size - 1) * domain.step) // self.unit
            step = domain.step if self.unit == 1 else 1
            self.distribution = IntDistribution(low, high, step=step, log=domain.log and step == 1)
        else:
            self.distribution = FloatDistribution(domain.lo, domain.hi, log=domain.log)

    def encode(self, answer: Scalar) -> Any:
        """Optuna's value of an answer."""
        if self.options is not None:
            return self.options.index(answer)
        return answer if self.unit == 1 else answer // self.unit  # type: ignore[operator]

    def decode(self, value: Any) -> Scalar:
        """The answer of Optuna's value."""
        if self.options is not None:
            place: int = value
            return self.options[place]
        found: Scalar = value if self.unit == 1 else value * self.unit
        return found


class Asked(Recorder):
    """Has an Optuna trial answer."""

    def __init__(self, study: Study, asked: Any) -> None:
        super().__init__(study.problem.domains)
        self.study = study
        self.asked = asked

    def answer(self, name: str, domain: Domain) -> Scalar:
        """See `Recorder`."""
        question = self.study.question(name)
        value: Any = self.asked._suggest(name, question.distribution)
        return question.decode(value)

    def amend(self, name: str, value: Scalar) -> None:
        """See `Recorder`: the study learns what the answer was taken for, as it does after a restart."""
        super().amend(name, value)
        question = self.study.question(name)
        self.study.trials.put(self.asked.number, name, question.encode(value), question.distribution)

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """See `Recorder`: the study learns what the space was told, not what was made of it."""
        values = super().answer_group(group, domain)
        for name, value in zip(group.names, values, strict=True):
            question = self.study.question(name)
            trials = self.study.trials
            trials.put(self.asked.number, name, question.encode(value), question.distribution)
        return values
