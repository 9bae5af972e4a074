"""The protocol of strategies: who answers a space's questions, and learns from what came of it.

A strategy's state is a fold over what it was told, in the recorded order; each ask draws only from a
generator seeded by (run seed, trial number), from that state and the running proposals. So a run is
resumed by telling the strategy again what is in the tables, and no strategy is ever saved.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeVar

from cells.genome import Genome
from cells.infer import Costs, infer
from cells.ops import Invalid
from nas.objectives import ACCURACY, Goal, Row, values
from search_spaces.choose import Domain, Recorder, Scalar
from search_spaces.registry import Space


class Exhausted(Exception):  # noqa: N818 - the name says it; it is no error
    """There is nothing left to propose; the message is a sentence for the user."""


class UnknownStrategyError(LookupError):
    """No strategy of that name; the message suggests the nearest."""


class StrategyError(ValueError):
    """A strategy that cannot work so: an option it has not, a space or goals it cannot take; one line."""


class Wait:
    """Returned by `ask` when nothing can be proposed before a running trial ends."""


@dataclass(frozen=True)
class Settled:
    """Why a proposal is not trained.

    Attributes:
        violation: how far an invalid or rejected proposal is from an acceptable one; positive.
        of: the earlier trial that a duplicate repeats.
    """

    status: Literal["invalid", "rejected", "duplicate"]
    reason: str
    violation: float = 0.0
    of: int | None = None


@dataclass(frozen=True)
class Proposal:
    """One answer vector and what it leads to.

    Attributes:
        genome: None when the answers lead to no legal network.
        parents: trials it was made from.
        note: the strategy's own JSON. `by` says who answered: a strategy, `random`, or `seed`.
        settled: set when it is not to be trained.
    """

    trial: int
    choices: dict[str, Scalar]
    genome: Genome | None
    parents: tuple[int, ...] = ()
    note: dict[str, Any] = field(default_factory=dict)
    settled: Settled | None = None


@dataclass(frozen=True)
class Window:
    """What a network may cost: (lowest, highest) for each constrained column of `Costs`."""

    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def highest(self) -> dict[str, float]:
        """The upper limits."""
        return {name: high for name, (_, high) in self.limits.items()}

    def violation(self, costs: Costs) -> tuple[str, float] | None:
        """(reason, relative distance) of the worst violation; None when the network is inside."""
        worst: tuple[str, float] | None = None
        for name, (low, high) in self.limits.items():
            value = getattr(costs, name)
            off = (low - value) / max(low, 1) if value < low else (value - high) / max(high, 1)
            if off > 0 and (worst is None or off > worst[1]):
                worst = (f"{name} {value:,} outside {low:,.0f} to {high:,.0f}", off)
        return worst


@dataclass(frozen=True)
class Problem:
    """What a strategy is asked to solve.

    Attributes:
        space: with its arguments bound.
        seed: of the run.
        trials: about how many trials there will be, where known.
        goals: what is to be maximised. The first one's value is the row's reward.
        name: of the run.
        storage: where a strategy that keeps a study of its own may put it for others to look at (a URL).
        measured: the costs that a table has of a network, by its answers; they outrank those of its genome.
        domains: domains of the questions met so far; shared by all choosers of the run.
    """

    space: Space
    seed: int = 0
    window: Window = field(default_factory=Window)
    trials: int | None = None
    goals: tuple[Goal, ...] = (ACCURACY,)
    name: str = "search"
    storage: str | None = None
    measured: Callable[[Mapping[str, Scalar]], Mapping[str, Any]] | None = None
    domains: dict[str, Domain] = field(default_factory=dict)

    def generator(self, trial: int, purpose: str = "") -> random.Random:
        """The only source of chance for one ask."""
        return random.Random(f"{self.seed}/{trial}/{purpose}")

    def values(self, row: Row | None) -> tuple[float, ...] | None:
        """What a trial gave for each goal, the more the better; None when it has nothing to show.

        A pruned one gave what it showed at its last rung. It would as a rule have reached more, so this is a
        bound from below, which puts it behind those that were worth training on: all strategies take it so.
        """
        return values(self.goals, row)

    def costs(self, proposal: Proposal) -> Costs:
        """Costs of a proposal that has a genome."""
        assert proposal.genome is not None
        found = infer(proposal.genome)
        return found if self.measured is None else replace(found, **self.measured(proposal.choices))

    def violation(self, proposal: Proposal) -> tuple[str, float] | None:
        """Why and how far a proposal with a genome is outside the window; None when it is inside."""
        return self.window.violation(self.costs(proposal)) if self.window.limits else None

    def draw(
        self, trial: int, chooser: Recorder, limits: Mapping[str, float] | None = None, **fields: Any
    ) -> Proposal:
        """The proposal that a chooser's answers make, settled when they lead to no legal network.

        Args:
            limits: costs above which a draw may be given up (see `Space.draw`).
        """
        try:
            genome = self.space.draw(chooser, limits)
        except Invalid as error:
            settled = Settled("invalid", str(error), max(error.violation, 1e-3))
            return Proposal(trial, dict(chooser.record), None, settled=settled, **fields)
        return Proposal(trial, dict(chooser.record), genome, **fields)


class Strategy(Protocol):
    """Proposes trials and is told what came of them."""

    def ask(self, trial: int) -> Proposal | Wait:
        """The proposal of that number. Raises `Exhausted` when there is none."""

    def tell(self, proposal: Proposal, row: Row | None) -> None:
        """What became of a proposal: its row, None for one rejected for its costs."""
        return

    def adopt(self, proposal: Proposal) -> None:
        """A proposal is running that was asked for before a restart: it will be told."""
        return


Factory = Callable[..., Strategy]


@dataclass(frozen=True)
class Entry:
    """A registered strategy.

    Attributes:
        factory: makes one of a problem and its options, which are keyword arguments with defaults.
        learns: it claims to do better than random search by what it is told.
        several: it takes more than one goal; others maximise the reward only.
        summary: one line.
    """

    factory: Factory
    learns: bool
    several: bool
    summary: str

    @property
    def options(self) -> dict[str, Any]:
        """Its options and their defaults."""
        given = list(inspect.signature(self.factory).parameters.values())[1:]
        return {p.name: p.default for p in given}


STRATEGIES: dict[str, Entry] = {}
"""Every strategy by name."""

F = TypeVar("F", bound=Callable[..., Any])


def strategy(name: str, *, learns: bool = False, several: bool = False) -> Callable[[F], F]:
    """Decorator: registers what makes a strategy of a problem (see `Entry`).

    Raises ValueError for a name used twice.
    """

    def enter(factory: F) -> F:
        if name in STRATEGIES:
            raise ValueError(f"strategy {name!r} is registered twice")
        summary = (inspect.getdoc(factory) or "").partition("\n")[0]
        STRATEGIES[name] = Entry(factory, learns, several, summary)
        return factory

    return enter


def make(text: str, problem: Problem) -> Strategy:
    """The strategy of a name, with options: `evolution` or `evolution:population=10,sample=3`.

    Raises:
        UnknownStrategyError: there is none of that name.
        StrategyError: it has no such option, or cannot take the problem.
    """
    name, _, rest = text.partition(":")
    if name not in STRATEGIES:
        close = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(STRATEGIES))}"
        raise UnknownStrategyError(f"--strategy: no strategy is called {name!r}: {hint}")
    entry = STRATEGIES[name]
    if len(problem.goals) > 1 and not entry.several:
        able = ", ".join(sorted(n for n, e in STRATEGIES.items() if e.several))
        raise StrategyError(
            f"--strategy {name} maximises one number, not {len(problem.goals)}: take {able}, or a --reward"
        )
    options: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        option, equals, value = part.partition("=")
        if not equals or option not in entry.options:
            known = ", ".join(f"{k}={v}" for k, v in entry.options.items()) or "none"
            raise StrategyError(f"--strategy {name}: {part!r} is no option; its options: {known}")
        found, default = _value(value), entry.options[option]
        if default is not None and type(found) not in (type(default), *((int,) * isinstance(default, float))):
            raise StrategyError(f"--strategy {name}: {option} is a {type(default).__name__}, not {value!r}")
        options[option] = found
    try:
        made: Strategy = entry.factory(problem, **options)
    except ValueError as error:
        raise StrategyError(f"--strategy {text}: {error}") from error
    return made


def _value(text: str) -> Any:
    """A number, true, false or none; everything else is a word."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def settle(proposal: Proposal, settled: Settled) -> Proposal:
    """The proposal, not to be trained."""
    return replace(proposal, settled=settled)


def given(proposal: Proposal) -> dict[str, Scalar]:
    """A proposal's answers before the space took some for others, which its note tells as `amended`."""
    return {**proposal.choices, **proposal.note.get("amended", {})}
