"""Constraints that a table of trained networks speaks for, on groups of questions found by their names.

The paper's steps from AnyNet A to E (arXiv:2003.13678, section 3.2) are such constraints. There networks that
keep one are compared with those that do not; here every network counts by how nearly it keeps it, because of
AnyNet A's networks 0.5% share a group width and 0.4% have widths and depths in order.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import stats

from search_spaces.domain import Domain, Group, Integer, Pick, Real, Scalar

KINDS = ("tie", "increasing", "decreasing", "within")
"""Functions of `search_spaces.reduce`."""

Answers = Mapping[str, Scalar]


@dataclass(frozen=True)
class Constraint:
    """One constraint on questions of one domain.

    Attributes:
        kind: of `KINDS`.
        label: the group, such as `stage*.w`.
        names: its questions, in order.
        limits: of `within`.
    """

    kind: str
    label: str
    names: tuple[str, ...]
    domain: Domain
    limits: tuple[float, float] | None = None

    def __str__(self) -> str:
        if self.limits is None:
            return f"{self.label} {'tied' if self.kind == 'tie' else self.kind}"
        low, high = (f"{limit:.4g}" for limit in self.limits)
        return f"{self.label} = {low}" if low == high else f"{self.label} from {low} to {high}"

    @property
    def source(self) -> str:
        """The Python expression that puts it around `choose`."""
        more = "" if self.limits is None else f", {self.limits[0]!r}, {self.limits[1]!r}"
        return f"{self.kind}(choose, {json.dumps(self.names)}{more})"

    def agreement(self, answers: Answers) -> float:
        """How nearly answers keep it; higher is nearer.

        `tie`: the standard deviation of the answers, negative (of answers without an order: how many differ);
        `increasing`, `decreasing`: the share of neighbours in order; `within`: the mean of the answers,
        turned so that the half that is kept is up. Numbers are taken on their domain's scale.
        """
        values = [answers[name] for name in self.names]
        if self.kind == "tie" and not ordered(self.domain):
            return -float(len(set(values)))
        places = [_place(self.domain, value) for value in values]
        if self.kind == "tie":
            return -float(np.std(places))
        if self.kind == "within":
            assert self.limits is not None
            mean = float(np.mean(places))
            return mean if self.limits[1] == _ends(self.domain)[1] else -mean
        rising = self.kind == "increasing"
        return float(np.mean([a <= b if rising else a >= b for a, b in pairwise(places)]))

    def holds(self, answers: Answers) -> bool:
        """Whether answers keep it."""
        values = [answers[name] for name in self.names]
        if self.limits is not None:
            return all(self.limits[0] <= v <= self.limits[1] for v in values)  # type: ignore[operator]
        if self.kind == "tie":
            return len(set(values)) == 1
        return self.agreement(answers) == 1


@dataclass(frozen=True)
class Proposal:
    """A constraint, and what the table says of it.

    Attributes:
        rho: Spearman's, between how nearly networks keep it and their errors: below 0 speaks for it.
        p: of a rho so low, by permutation; of `within`, whose half is chosen by rho, twice that.
    """

    constraint: Constraint
    rho: float
    p: float


def ordered(domain: Domain) -> bool:
    """Whether the answers are numbers."""
    return not isinstance(domain, Pick) or all(isinstance(v, int | float) for v in domain.options)


def _place(domain: Domain, value: Scalar) -> float:
    """Where an answer stands on its domain's scale."""
    assert isinstance(value, int | float)
    if isinstance(domain, Pick):
        return float(_options(domain).index(value))
    return math.log(value) if domain.log else float(value)


def _options(domain: Pick) -> list[float]:
    return sorted(option for option in domain.options if isinstance(option, int | float))


def _ends(domain: Domain) -> tuple[float, float]:
    if isinstance(domain, Pick):
        options = _options(domain)
        return options[0], options[-1]
    if isinstance(domain, Integer):
        return domain.lo, domain.values()[-1]
    return domain.lo, domain.hi


def halves(domain: Domain) -> tuple[tuple[float, float], tuple[float, float]]:
    """The limits of the lower and the upper half of an ordered domain of two answers or more.

    Of an odd number of options the middle one is in both.
    """
    low, high = _ends(domain)
    if isinstance(domain, Pick):
        options = _options(domain)
        n = len(options)
        return (low, options[(n - 1) // 2]), (options[n // 2], high)
    middle = math.sqrt(low * high) if domain.log else (low + high) / 2
    if isinstance(domain, Real):
        return (low, middle), (middle, high)
    values = domain.values()
    return (low, max(v for v in values if v <= middle)), (min(v for v in values if v >= middle), high)


def groups(domains: Mapping[str, Domain]) -> dict[str, tuple[str, ...]]:
    """Groups of questions by label: names alike but for one number, and one domain; others by themselves.

    A name with several numbers may be in several groups.
    """
    found: dict[tuple[str, Domain], list[tuple[int, str]]] = {}
    for name, domain in domains.items():
        for number in re.finditer(r"\d+", name):
            label = f"{name[: number.start()]}*{name[number.end() :]}"
            found.setdefault((label, domain), []).append((int(number[0]), name))
    several = {key: sorted(members) for key, members in found.items() if len(members) > 1}
    labels = [label for label, _ in several]
    grouped: dict[str, tuple[str, ...]] = {}
    for (label, _), members in several.items():
        names = tuple(name for _, name in members)
        # One label may stand for two groups, which differ in their domains.
        grouped[label if labels.count(label) == 1 else ", ".join(names)] = names
    inside = {name for names in grouped.values() for name in names}
    return grouped | {name: (name,) for name in domains if name not in inside}


def constraints(
    records: Sequence[Answers], domains: Mapping[str, Domain], ruled: Sequence[Group] = ()
) -> list[Constraint]:
    """Every constraint that might be put on questions that all records answer; of `within` both halves.

    Args:
        ruled: groups of questions that the space has under a rule already, which no other can be added to.
    """
    always = {n: d for n, d in domains.items() if d.size != 1 and all(n in record for record in records)}
    found: list[Constraint] = []
    for label, names in groups(always).items():
        domain = always[names[0]]
        within = ordered(domain)
        if len(names) > 1 and not any(set(names) & set(rule.names) for rule in ruled):
            kinds = KINDS[:3] if within else KINDS[:1]
            found += [Constraint(kind, label, names, domain) for kind in kinds]
        if within and all(set(rule.names) <= set(names) for rule in ruled if set(rule.names) & set(names)):
            found += [Constraint("within", label, names, domain, half) for half in halves(domain)]
    return found


def propose(
    records: Sequence[Answers],
    errors: Sequence[float],
    domains: Mapping[str, Domain],
    ruled: Sequence[Group] = (),
    *,
    repeats: int = 5000,
    seed: int = 0,
) -> list[Proposal]:
    """Constraints with what a table says of them, those that it speaks for most first.

    Left out is what no network keeps more nearly than another, and the half of a `within` that the table
    speaks against.

    Args:
        records: the answers of each trained network; errors: of each.
        ruled: see `constraints`.
    """
    n = len(records)
    ranks = _standard(stats.rankdata(errors))
    deals = np.random.default_rng(seed).permuted(np.tile(ranks, (repeats, 1)), axis=1)
    found: list[Proposal] = []
    for constraint in constraints(records, domains, ruled):
        agreement = np.array([constraint.agreement(record) for record in records])
        if n < 3 or np.ptp(agreement) < 1e-12 or not ranks.any():
            continue
        x = _standard(stats.rankdata(agreement))
        rho = float(x @ ranks)
        p = (1 + int((deals @ x <= rho + 1e-12).sum())) / (1 + repeats)
        if constraint.kind != "within":
            found.append(Proposal(constraint, rho, p))
        elif rho < 0:
            found.append(Proposal(constraint, rho, min(1.0, 2 * p)))
    return sorted(found, key=lambda proposal: (proposal.p, proposal.rho))


def _standard(ranks: np.ndarray) -> np.ndarray:
    """Such that the product of two is their correlation."""
    centred: np.ndarray = ranks - ranks.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length else centred


EVIDENCE = 0.1
"""p of a proposal that is worth a test."""


def worth_testing(proposals: Sequence[Proposal], most: int) -> list[Proposal]:
    """The proposals to spend trainings on, at most so many.

    First those that the table speaks for (p at most `EVIDENCE`), then ties that it does not speak against: a
    tie that costs nothing leaves fewer questions, which is how the paper comes to AnyNet B and C.
    """
    spoken = [p for p in proposals if p.p <= EVIDENCE]
    ties = [p for p in proposals if p.constraint.kind == "tie" and EVIDENCE < p.p <= 1 - EVIDENCE]
    return (spoken + ties)[:most]


def write(file: Path, base: str, spaces: Mapping[str, tuple[str, Sequence[Constraint]]]) -> None:
    """Writes a Python file of spaces: by name a line that describes it, and its constraints."""
    from nas.store import write_atomically

    used = sorted({c.kind for _, constraints in spaces.values() for c in constraints})
    text = [
        f'"""Spaces that `python -m nas.reduce` made of {base}: `--space {file.name}:NAME`."""\n',
        f"from search_spaces.reduce import {', '.join(used)}",
        "from search_spaces.registry import constrained",
    ]
    for name, (line, members) in spaces.items():
        text += ["\n", f"@constrained({json.dumps(base)})", f"def {name}(choose):", f'    """{line}"""']
        text += [f"    choose = {member.source}" for member in members]
        text += ["    return choose"]
    write_atomically(file, ("\n".join(text) + "\n").encode())
