"""Who answers a space's questions. A new strategy is one file and one import line here."""

from nas.strategies import (
    bananas,
    bayes,
    evolution,
    grid,
    largest,
    local_search,
    nsga2,
    optuna,
    ppo,
    random,
    reinforce,
)
from nas.strategies.base import (
    STRATEGIES,
    Exhausted,
    Problem,
    Proposal,
    Settled,
    Strategy,
    StrategyError,
    Wait,
    Window,
    make,
    strategy,
)
from nas.strategies.wrappers import Constrain, Dedup, Seeded

__all__ = [
    "STRATEGIES",
    "Constrain",
    "Dedup",
    "Exhausted",
    "Problem",
    "Proposal",
    "Seeded",
    "Settled",
    "Strategy",
    "StrategyError",
    "Wait",
    "Window",
    "make",
    "strategy",
]
