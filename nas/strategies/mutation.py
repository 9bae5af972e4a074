"""Typed changes of an answer vector: the moves of evolution and local search, whatever the space.

A move changes answers and has the space draw again: answers that still apply are kept, questions that are
new are answered at random. So every move leads to answers that the space understands.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Any

from nas.strategies.base import Problem, Proposal
from search_spaces.choose import Random, Replay
from search_spaces.domain import Domain, Integer, Pick, Scalar

Answers = Mapping[str, Scalar]

SITES = ("questions", "paths")
"""How the question that a mutation asks again is drawn: uniformly over all of them, or uniformly at each
level of the dotted names, as NATS-Bench does (Dong et al. 2021, arXiv:2009.00437: a node, then one of the
edges that lead to it)."""

TRIES = 50
"""Mutations of one parent after which its surroundings are given up."""

SPREAD = 0.1
"""Standard deviation of a small change of a real number, as a share of its range."""


class Moves:
    """Makes proposals out of earlier answers, and knows the networks that were told or are running.

    Attributes:
        novel: only networks that are not known are proposed.
        known: their keys.
        refused: why the last proposal that was looked at may not be made.
    """

    def __init__(self, problem: Problem, *, novel: bool = True) -> None:
        self.problem = problem
        self.novel = novel
        self.known: set[str] = set()
        self.refused = ""
        self.dead: set[str] = set()  # answers that are known to lead to nothing that may be proposed

    def meet(self, proposal: Proposal) -> None:
        """A proposal was asked for, adopted or told."""
        if proposal.genome is not None:
            self.known.add(proposal.genome.key)

    def open(self, proposal: Proposal) -> bool:
        """Whether it may be proposed: it is legal, inside the window and, if need be, new."""
        if proposal.genome is None:
            assert proposal.settled is not None
            self.refused = proposal.settled.reason
            return False
        off = self.problem.violation(proposal)
        if off is not None:
            self.refused = off[0]
            return False
        if self.novel and proposal.genome.key in self.known:
            self.refused = "a known network"
            return False
        return True

    def make(self, trial: int, answers: Answers, rng: random.Random, **fields: Any) -> Proposal | None:
        """What these answers lead to, further questions answered at random; None if it may not be proposed.

        Answers that fail without chance having a part in it will always do so, and are remembered.
        """
        name = _name(answers)
        if name in self.dead:
            return None
        domains = self.problem.domains
        chooser = Replay(answers, Random(rng, domains), domains)
        proposal = self.problem.draw(trial, chooser, self.problem.window.highest, **fields)
        if self.open(proposal):
            return proposal
        if chooser.record.keys() <= answers.keys():
            self.dead.add(name)
        return None

    def mutate(
        self,
        trial: int,
        answers: Answers,
        rng: random.Random,
        *,
        sites: str = "questions",
        note: Mapping[str, Any],
        **fields: Any,
    ) -> Proposal | None:
        """One question is asked again until its answer differs; None if that led to nothing in many tries.

        Args:
            sites: see `SITES`.
            note: the proposal's, to which `question` is added.
        """
        domains = self.problem.domains
        names = [name for name in answers if asks(domains[name])]
        for _ in range(TRIES if names else 0):
            name = rng.choice(names) if sites == "questions" else by_path(names, rng)
            changed = {**answers, name: another(domains[name], answers[name], rng)}
            proposal = self.make(trial, changed, rng, note={**note, "question": name}, **fields)
            if proposal is not None and proposal.choices != answers:
                return proposal
        return None


def asks(domain: Domain) -> bool:
    """Whether a question has more than one answer."""
    return domain.lo < domain.hi if domain.size is None else domain.size > 1


def another(domain: Domain, value: Scalar, rng: random.Random) -> Scalar:
    """A random answer that differs, to a question that has one."""
    while True:
        drawn = domain.draw(rng)
        if drawn != value or type(drawn) is not type(value):
            return drawn


def by_path(names: Sequence[str], rng: random.Random) -> str:
    """One of the questions, uniform at each level of the dotted names."""
    left = {name: name.split(".") for name in names}
    level = 0
    while len(left) > 1:
        parts = {name: path[level] if level < len(path) else "" for name, path in left.items()}
        part = rng.choice(list(dict.fromkeys(parts.values())))
        left = {name: path for name, path in left.items() if parts[name] == part}
        level += 1
    return next(iter(left))


def cross(first: Answers, second: Answers, rng: random.Random) -> dict[str, Scalar]:
    """Uniform crossover: each question is answered as one of the two does, those of only one as it does."""
    both = {**second, **first}
    return {
        name: second[name] if name in first and name in second and rng.random() < 0.5 else value
        for name, value in both.items()
    }


def neighbours(
    answers: Answers, domains: Mapping[str, Domain], rng: random.Random
) -> Iterator[tuple[str, dict[str, Scalar]]]:
    """(question, answers) of all small changes of one answer, in random order: a change of every question,
    then another of each, so that those with many answers do not crowd out the others.
    """
    changes: list[list[tuple[str, Scalar]]] = []
    for name, value in answers.items():
        values = steps(domains[name], value, rng)
        changes.append([(name, other) for other in rng.sample(values, len(values))])
    rng.shuffle(changes)
    for turn in zip_longest(*changes):
        for change in turn:
            if change is not None:
                yield change[0], {**answers, change[0]: change[1]}


def pool(
    best: Sequence[Answers],
    told: Sequence[Answers],
    size: int,
    domains: Mapping[str, Domain],
    rng: random.Random,
) -> list[Answers]:
    """Answers that were not told, without repeats, for a model to pick from: about `size`.

    Half are neighbours of the best, a quarter differs from them in two places, and a quarter answers at
    random the questions that a told trial answered.
    """
    share = -(-size // len(best))
    given = {_name(answers) for answers in told}
    found: dict[str, Answers] = {}

    def enter(answers: Answers) -> None:
        name = _name(answers)
        if name not in given:
            found.setdefault(name, answers)

    for answers in best:
        near = [changed for _, changed in islice(neighbours(answers, domains, rng), share // 2)]
        for changed in near:
            enter(changed)
        for changed in rng.choices(near, k=share // 4 if near else 0):
            for _, further in islice(neighbours(changed, domains, rng), 1):
                enter(further)
        for _ in range(share // 4):
            enter({name: domains[name].draw(rng) for name in rng.choice(told)})
    return list(found.values())


def _name(answers: Answers) -> str:
    return json.dumps(answers, sort_keys=True)


def steps(domain: Domain, value: Any, rng: random.Random) -> list[Scalar]:
    """The answers next to one: every other option; a step and, on a logarithmic scale, a quarter up or down;
    a normally distributed change of a real number up and one down, on its scale.
    """
    if isinstance(domain, Pick):
        return [o for o in domain.options if o != value or type(o) is not type(value)]
    if isinstance(domain, Integer):
        wide = [round((value * f - domain.lo) / domain.step) for f in (0.8, 1.25)] if domain.log else []
        index = (value - domain.lo) // domain.step
        found = sorted({domain.lo + domain.step * i for i in (index - 1, index + 1, *wide)} - {value})
        return [other for other in found if other in domain]
    if not asks(domain):
        return []
    near: list[Scalar] = []
    for sign in (-1, 1):
        change = sign * abs(rng.gauss(0, SPREAD))
        moved = (
            value * (domain.hi / domain.lo) ** change
            if domain.log
            else value + change * (domain.hi - domain.lo)
        )
        near.append(min(max(moved, domain.lo), domain.hi))
    return [other for other in near if other != value]
