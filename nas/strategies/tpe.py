"""Tree-structured Parzen estimator (Bergstra et al. 2011; multivariate: Falkner et al. 2018), by Optuna."""

from __future__ import annotations

import warnings
from typing import Any

from nas.objectives import Row
from nas.strategies.base import Problem, Proposal, Strategy, strategy
from nas.strategies.random import RandomSearch
from search_spaces.choose import Domain, Group, Integer, Pick, Recorder, Scalar


@strategy("tpe", learns=True)
class Tpe(Strategy):
    """A study that we own, with Optuna's TPE sampler seeded anew for each ask.

    The first `startup` trials that are trained are random ones. A rejected or illegal proposal is told as
    a violated constraint, a duplicate with the value that is known.
    """

    startup = 12

    def __init__(self, problem: Problem) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.problem = problem
        self.random = RandomSearch(problem)
        self.study = optuna.create_study(direction="maximize")
        self.open: dict[int, Any] = {}
        self.trained = 0

    def ask(self, trial: int) -> Proposal:
        """See `Strategy`."""
        import optuna

        if self.trained + len(self.open) < self.startup:
            proposal = self.random.ask(trial)
            self.open[trial] = None
            return proposal
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of `group`
            self.study.sampler = optuna.samplers.TPESampler(
                seed=self.problem.generator(trial, "tpe").randrange(2**32),
                n_startup_trials=0,
                multivariate=True,
                group=True,
                constant_liar=True,
            )
        asked = self.study.ask()
        self.open[trial] = asked
        return self.problem.draw(trial, _Asked(asked, self.problem.domains), note={"by": "tpe"})

    def adopt(self, proposal: Proposal) -> None:
        """See `Strategy`."""
        self.open.setdefault(proposal.trial, None)

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """See `Strategy`."""
        import optuna

        asked = self.open.pop(proposal.trial, None)
        settled = proposal.settled
        reward = None if row is None else row["reward"]
        trained = settled is None or settled.status == "duplicate"
        value = 0.0 if reward is None else float(reward)
        violation = settled.violation if settled is not None else 0.0 if reward is not None else 1.0
        self.trained += trained
        if asked is not None:
            asked.set_constraint("violation", violation)
            self.study.tell(asked, value)
            return
        domains = {name: self.problem.domains[name] for name in proposal.choices}
        self.study.add_trial(
            optuna.trial.create_trial(
                value=value,
                params={name: _encode(domains[name], v) for name, v in proposal.choices.items()},
                distributions={name: _distribution(domain) for name, domain in domains.items()},
                constraints={"violation": violation},
            )
        )


def _scale(domain: Integer) -> int:
    """Optuna has no logarithmic integers in steps; multiples of the step can be counted in steps."""
    return domain.step if domain.log and domain.lo % domain.step == 0 else 1


def _distribution(domain: Domain) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Pick):
        return CategoricalDistribution(domain.options)
    if isinstance(domain, Integer):
        unit = _scale(domain)
        low, high = domain.lo // unit, (domain.lo + (domain.size - 1) * domain.step) // unit
        stepped = domain.step if unit == 1 else 1
        return IntDistribution(low, high, step=stepped, log=domain.log and stepped == 1)
    return FloatDistribution(domain.lo, domain.hi, log=domain.log)


def _encode(domain: Domain, value: Scalar) -> Any:
    return value // _scale(domain) if isinstance(domain, Integer) else value  # type: ignore[operator]


class _Asked(Recorder):
    """Has an Optuna trial answer."""

    def __init__(self, trial: Any, domains: dict[str, Domain]) -> None:
        super().__init__(domains)
        self.trial = trial

    def answer(self, name: str, domain: Domain) -> Scalar:
        value = self.trial._suggest(name, _distribution(domain))
        return value * _scale(domain) if isinstance(domain, Integer) else value  # type: ignore[no-any-return]

    def answer_group(self, group: Group, domain: Domain) -> list[Scalar]:
        """See `Recorder`: the study learns what the space was told, not what was made of it."""
        values = super().answer_group(group, domain)
        kind = _distribution(domain)
        for name, value in zip(group.names, values, strict=True):
            told = kind.to_internal_repr(_encode(domain, value))
            self.trial.storage.set_trial_param(self.trial._trial_id, name, told, kind)
        return values
