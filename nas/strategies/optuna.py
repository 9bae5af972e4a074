"""Optuna's samplers by name, and what is to be minded with each."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nas.strategies.base import Exhausted, Problem, Proposal, given, strategy
from nas.strategies.optuna_study import Asked, Question, Study, probe
from nas.strategies.optuna_trials import Answers
from search_spaces.choose import Domain, Group, Pick, Real, Recorder, Scalar


class Tpe(Study):
    """Questions that are always asked together are answered together, whatever the space's conditions.

    This is what Optuna's `group` does; ours looks once at each set of questions that comes up, where Optuna
    goes through all trials in every ask.
    """

    def find_space(self) -> dict[str, Any]:
        """See `Study`."""
        self.trials.even = False
        self.answers = Answers()
        self.groups: list[list[str]] = []
        self.met: set[frozenset[str]] = set()
        return {}

    def make_sampler(self, seed: int) -> Any:
        """See `Study`."""
        options = {"n_startup_trials": 0, "multivariate": True} | self.options
        sampler = self.kind(seed=seed, **options)
        together = sampler.sample_relative

        def by_group(study: Any, trial: Any, space: dict[str, Any]) -> dict[str, Any]:
            plans = [together(study, trial, {name: space[name] for name in group}) for group in self.groups]
            return {name: value for plan in plans for name, value in plan.items()}

        sampler.sample_relative = by_group
        assert hasattr(sampler, "_get_internal_repr")
        sampler._get_internal_repr = self.answers.of
        return sampler

    def readable(self, answers: Mapping[str, Any]) -> bool:
        """See `Study`: always, and what it was asked splits the groups."""
        names = sorted(self.distributions(answers))
        if frozenset(names) in self.met:
            return True
        self.met.add(frozenset(names))
        parts = [
            [n for n in group if (n in names) is inside] for group in self.groups for inside in (True, False)
        ]
        new = [n for n in names if n not in self.space]
        self.groups = [part for part in (*parts, new) if part]
        self.space = self.distributions(n for group in self.groups for n in group)
        return True


class CmaEs(Study):
    """CMA-ES of the questions with whole, real or ordered numeric answers; independent TPE of the others.

    It knows no constraints, and only ranks: a violation stands below every value.
    """

    def find_space(self) -> dict[str, Any]:
        """See `Study`."""
        import optuna

        if len(self.problem.goals) > 1:
            raise ValueError("CMA-ES maximises one number: take --strategy tpe, gp, nsga3 or optuna-nsga2")
        found = {
            name: kind
            for name, kind in super().find_space().items()
            if not isinstance(kind, optuna.distributions.CategoricalDistribution)
        }
        if not found:
            raise ValueError(
                f"CMA-ES needs questions that are always asked and answered with numbers, and space "
                f"{self.problem.space.name} has none: take --strategy tpe"
            )
        return found

    def make_question(self, domain: Domain) -> Question:
        """See `Study`."""
        numbers = domain.options if isinstance(domain, Pick) else ()
        return Question(domain, ordered=len(numbers) > 1 and _ascending(numbers))

    def make_sampler(self, seed: int) -> Any:
        """See `Study`."""
        from optuna.samplers import TPESampler

        others = TPESampler(seed=seed, n_startup_trials=self.startup)
        return self.kind(
            seed=seed, independent_sampler=others, warn_independent_sampling=False, **self.options
        )

    def values_of_violation(self, violation: float) -> list[float]:
        """See `Study`."""
        return [-1e30 * (1 + violation)]


def _ascending(options: tuple[Scalar, ...]) -> bool:
    return all(type(o) in (int, float) for o in options) and list(options) == sorted(options)  # type: ignore


class Generations(Study):
    """NSGA-II and III: the first generation is random search's."""

    random_belongs = True


class GaussianProcess(Study):
    """Optuna's, with a say in how long it looks for the next proposal."""

    def make_sampler(self, seed: int) -> Any:
        """See `Study`."""
        sampler = self.kind(seed=seed, n_startup_trials=1, warn_independent_sampling=False)
        for name, value in self.options.items():
            assert hasattr(sampler, name)
            setattr(sampler, name, value)
        return sampler


class Sobol(Study):
    """Low-discrepancy answers to all questions that random draws met; the position is in the study.

    Points that lead to no network in the window are passed over.
    """

    tries = 500
    """Points that one ask may pass over; then random search answers."""

    def find_space(self) -> dict[str, Any]:
        """See `Study`."""
        return self.distributions(dict.fromkeys(name for draw in probe(self.problem) for name in draw))

    def make_sampler(self, seed: int) -> Any:
        """See `Study`: one scrambled sequence for the run."""
        from optuna.samplers import RandomSampler

        options = {"scramble": True, "warn_independent_sampling": False} | self.options
        whole_run = self.problem.generator(-1, self.name).randrange(2**31)
        return self.kind(seed=whole_run, independent_sampler=RandomSampler(seed=seed), **options)

    def draw(self, trial: int, asked: Any) -> Proposal:
        """See `Study`."""
        window = self.problem.window
        for _ in range(self.tries):
            note = {"by": self.name}
            proposal = self.problem.draw(trial, Asked(self, asked), window.highest, note=note)
            if proposal.settled is None and self.problem.violation(proposal) is None:
                return proposal
            asked = self.start(trial)
        proposal = self.random.ask(trial)
        self.fill(proposal)
        return proposal

    def readable(self, answers: Mapping[str, Any]) -> bool:
        """See `Study`: it learns nothing."""
        return False


class BruteForce(Study):
    """Each answer to the space once, in random order.

    Optuna counts answers in a tree of questions. An answer is told as its place among those that are legal
    after the earlier answers of its group, so that a rule for a group costs no repeats.
    """

    patience = math.inf

    def find_space(self) -> dict[str, Any]:
        """See `Study`."""
        self.paths: set[tuple[Scalar, ...]] = set()
        self.steps: int = self.options.pop("steps", 8)
        return {}

    def draw(self, trial: int, asked: Any) -> Proposal:
        """See `Study`. Raises `Exhausted` when the tree has no other answer."""
        chooser = Placed(self, trial, asked)
        proposal = self.problem.draw(trial, chooser, note={"by": self.name})
        if chooser.amended:
            proposal = replace(proposal, note={**proposal.note, "amended": chooser.amended})
        path = tuple(given(proposal).values())
        if path in self.paths:
            del self.trials.running[trial]
            raise Exhausted(f"every answer to the space's questions was proposed: {len(self.paths):,}")
        self.paths.add(path)
        return proposal

    def fill(self, proposal: Proposal) -> None:
        """See `Study`: draws the network again, for the places of its answers."""
        answers = given(proposal)
        self.problem.draw(proposal.trial, Placed(self, proposal.trial, None, answers))
        self.paths.add(tuple(answers.values()))


class Placed(Recorder):
    """Answers by their place among the legal ones: those of an Optuna trial, or given ones.

    Of real numbers there are as many as the study has `steps`, from the lowest to the highest.
    """

    def __init__(
        self, study: BruteForce, trial: int, asked: Any, given: Mapping[str, Scalar] | None = None
    ) -> None:
        super().__init__(study.problem.domains)
        self.study = study
        self.trial = trial
        self.asked = asked
        self.given = given

    def among(self, name: str, values: Sequence[Scalar]) -> Scalar:
        """One of the values."""
        from optuna.distributions import IntDistribution

        places = IntDistribution(0, len(values) - 1)
        if self.given is None:
            place: int = self.asked._suggest(name, places)
            return values[place]
        given = self.given[name]
        # A seed point's real number need not be a step; Optuna leaves out what is not in its tree.
        self.study.trials.put(self.trial, name, values.index(given) if given in values else -1, places)
        return given

    def values(self, domain: Domain) -> Sequence[Scalar]:
        """All answers that are gone through."""
        if not isinstance(domain, Real):
            return domain.values()
        lo, hi = (math.log(domain.lo), math.log(domain.hi)) if domain.log else (domain.lo, domain.hi)
        steps = [lo + (hi - lo) * i / (self.study.steps - 1) for i in range(self.study.steps)]
        inside = [min(max(math.exp(x) if domain.log else x, domain.lo), domain.hi) for x in steps]
        return list(dict.fromkeys(inside))

    def answer(self, name: str, domain: Domain) -> Scalar:
        """See `Recorder`."""
        return self.among(name, self.values(domain))

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """See `Recorder`."""
        found: list[Scalar] = []
        for name in group.names:
            found.append(self.among(name, [v for v in self.values(domain) if group.holds([*found, v])]))
        return found


KINDS: dict[str, type[Study]] = {
    "GPSampler": GaussianProcess,
    "TPESampler": Tpe,
    "CmaEsSampler": CmaEs,
    "NSGAIISampler": Generations,
    "NSGAIIISampler": Generations,
    "QMCSampler": Sobol,
    "BruteForceSampler": BruteForce,
}
"""Samplers for which there is something to mind."""


def _population(problem: Problem, population: int | None) -> int:
    """A fifth of the trials, from 8 to 50 (Optuna's default), unless it is given."""
    if population is None:
        return min(50, max(8, (problem.trials or 80) // 5))
    if population < 2:
        raise ValueError("population must be at least 2")
    return population


@strategy("tpe", learns=True, several=True)
def tpe(problem: Problem, startup: int = 12, candidates: int = 24) -> Study:
    """Tree-structured Parzen estimator, multivariate and by groups of questions; Optuna's.

    Bergstra et al. 2011 (NeurIPS 24), section 4; multivariate: Falkner et al. 2018 (arXiv:1807.01774),
    section 3.2; several goals: Ozaki et al. 2022 (JAIR 73). Running trials count as bad ones (constant liar).

    Args:
        startup: random trials that are trained first.
        candidates: draws from l(x) of which the one with the largest l(x)/g(x) is proposed.
    """
    if candidates < 1:
        raise ValueError("candidates must be at least 1")
    return Tpe(problem, "tpe", "TPESampler", startup, n_ei_candidates=candidates)


@strategy("gp", learns=True, several=True)
def gp(problem: Problem, startup: int = 10, candidates: int = 2048, starts: int = 10) -> Study:
    """Gaussian process, Matern 5/2, with expected improvement (hypervolume for several goals); Optuna's.

    Jones et al. 1998 (Journal of Global Optimization 13), section 4; logarithmic: Ament et al. 2023
    (arXiv:2310.20708). Violated constraints are modelled by a second process. Questions that only some draws
    ask are answered at random. An ask takes tenths of a second; where most answers are illegal, as RegNet's
    are, most asks give nothing to train, and `tpe` is the better choice.

    Args:
        startup: random trials that are trained first.
        candidates: random answers among which the best expected improvement is looked for.
        starts: the best of them from which it is improved further.
    """
    if candidates < starts or starts < 2:
        raise ValueError("starts must be at least 2, and candidates at least starts")
    options = {"_n_preliminary_samples": candidates, "_n_local_search": starts}
    return GaussianProcess(problem, "gp", "GPSampler", startup, **options)


@strategy("cmaes", learns=True)
def cmaes(problem: Problem, startup: int = 1, population: int | None = None) -> Study:
    """CMA-ES, for spaces whose questions are mostly numbers; Optuna's.

    Hansen 2016 (arXiv:1604.00772). Numbers are whole, real, or options in ascending order; other questions,
    and those that only some draws ask, are answered by an independent TPE.

    Args:
        startup: random trials that are trained first.
        population: lambda, the trials of a generation; 4 + floor(3 ln n) for n numbers if none is given.
    """
    if population is not None and population < 2:
        raise ValueError("population must be at least 2")
    return CmaEs(problem, "cmaes", "CmaEsSampler", startup, n_startup_trials=startup, popsize=population)


@strategy("qmc", several=True)
def qmc(problem: Problem) -> Study:
    """Scrambled Sobol sequence over the answers to all questions; Optuna's. Learns nothing.

    Bergstra & Bengio 2012 (JMLR 13), section 3.
    """
    return Sobol(problem, "qmc", "QMCSampler")


@strategy("brute-force", several=True)
def brute_force(problem: Problem, steps: int = 8) -> Study:
    """Every answer to the space once, in random order, until there is none left; Optuna's.

    An ask goes through all earlier trials for each question: for spaces of up to a few thousand answers.

    Args:
        steps: answers to a question for a real number, evenly spaced (in its logarithm where it has one).
    """
    if steps < 2:
        raise ValueError("steps must be at least 2")
    return BruteForce(problem, "brute-force", "BruteForceSampler", steps=steps)


@strategy("nsga3", learns=True, several=True)
def nsga3(problem: Problem, population: int | None = None) -> Study:
    """NSGA-III with uniform crossover of answers, for three goals and more; Optuna's.

    Deb & Jain 2014 (IEEE Transactions on Evolutionary Computation 18).

    Args:
        population: trials of a generation; a fifth of all trials, from 8 to 50, if none is given.
    """
    size = _population(problem, population)
    return Generations(problem, "nsga3", "NSGAIIISampler", size, population_size=size)


@strategy("optuna-nsga2", learns=True, several=True)
def optuna_nsga2(problem: Problem, population: int | None = None) -> Study:
    """NSGA-II with uniform crossover of answers; Optuna's.

    Deb et al. 2002 (IEEE Transactions on Evolutionary Computation 6).

    Args:
        population: trials of a generation; a fifth of all trials, from 8 to 50, if none is given.
    """
    size = _population(problem, population)
    return Generations(problem, "optuna-nsga2", "NSGAIISampler", size, population_size=size)


@strategy("optuna", several=True)
def any_sampler(problem: Problem, sampler: str = "TPESampler", startup: int = 10) -> Study:
    """Any sampler of Optuna's by the name of its class, with Optuna's defaults: optuna:sampler=GPSampler.

    Args:
        sampler: one that needs no more than a seed.
        startup: random trials that are trained first.
    """
    import optuna

    known = [
        name
        for name in optuna.samplers.__all__
        if name.endswith("Sampler")
        and not inspect.isabstract(kind := getattr(optuna.samplers, name))
        and all(p.default is not p.empty for p in inspect.signature(kind).parameters.values())
    ]
    if sampler not in known:
        close = difflib.get_close_matches(sampler, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise ValueError(f"Optuna has no sampler {sampler!r} that needs only a seed: {hint}")
    return KINDS.get(sampler, Study)(problem, "optuna", sampler, startup)
