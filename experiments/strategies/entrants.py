"""Who takes part, in which settings and with how many seeds, and on which tables with which budgets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent.parent / "tables"

TUNED = 100
"""Seeds 0-99 are for settling hyper-parameters, on CIFAR-10 alone; results are reported from here on."""


@dataclass(frozen=True)
class Contest:
    """A table and a budget, in its seconds.

    Attributes:
        benchmark, dataset: as they are called in the results.
        file: its description, or a run's table.
        budget: in seconds; where a table has no times, one is an evaluation.
    """

    benchmark: str
    dataset: str
    file: Path
    budget: float


CONTESTS = (
    Contest("nasbench201", "cifar10", HERE / "nasbench201_cifar10.toml", 20_000),
    Contest("nasbench201", "cifar100", HERE / "nasbench201_cifar100.toml", 40_000),
    Contest("nasbench201", "imagenet16", HERE / "nasbench201_imagenet16.toml", 120_000),
    Contest("nasbench101", "cifar10", HERE / "nasbench101.toml", 300),
)
"""NATS-Bench's budgets (Dong et al. 2021, section 5), and 300 evaluations of NAS-Bench-101."""


@dataclass(frozen=True)
class Entrant:
    """A strategy with its options.

    Attributes:
        published: the algorithm in published results that these settings repeat: networks are trained again
            when they are proposed again, and the seeds begin at 0.
        seeds: how many; fewer where a run takes long.
        only: the benchmark it is for; None: all.
    """

    name: str
    strategy: str
    published: str | None = None
    seeds: int = 200
    only: str | None = None

    @property
    def first(self) -> int:
        """Its first seed."""
        return 0 if self.published else TUNED


ENTRANTS = (
    Entrant("random (published)", "random", "RANDOM", 500, "nasbench201"),
    Entrant(
        "evolution (published)",
        "evolution:population=10,sample=3,sites=paths,novel=false",
        "REA(pop10,S3)",
        500,
        "nasbench201",
    ),
    Entrant(
        "reinforce (published)",
        "reinforce:policy=logits,lr=0.01,power=1,baseline=0.9,batch=1,entropy=0,novel=false",
        "REINFORCE(lr0.01)",
        500,
        "nasbench201",
    ),
    Entrant("random", "random"),
    Entrant("grid", "grid", seeds=1),
    Entrant("largest", "largest", seeds=1),
    Entrant("local-search", "local-search"),
    Entrant("evolution", "evolution"),
    Entrant("nsga2", "nsga2"),
    Entrant("reinforce", "reinforce"),
    Entrant("ppo", "ppo"),
    Entrant("tpe", "tpe"),
    Entrant("qmc", "qmc"),
    Entrant("optuna-nsga2", "optuna-nsga2"),
    Entrant("nsga3", "nsga3"),
    Entrant("bayes", "bayes"),
    Entrant("bananas", "bananas"),
)
