"""A space made smaller by what sampling it shows: constraints are proposed from one sample, and each is
tested on a new one (the method of "Designing Network Design Spaces", arXiv:2003.13678, section 3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cells.genome import Genome
from cells.ops import Invalid
from nas import sources
from nas.edf import Edf, edf, equal, holm, lower, models_to_equate, models_to_tell, sample_size
from nas.launch import launch
from nas.objectives import Row
from nas.options import Options, UsageError
from nas.planning import Plan, plan
from nas.progress import Reporter, columns, header
from nas.proposals import EVIDENCE, Answers, Constraint, Proposal, propose, worth_testing, write
from nas.store import write_atomically
from nas.tables import UNKNOWN
from nas.targets import anywhere
from search_spaces.census import sample
from search_spaces.choose import Chooser, Recorder

LEVEL = 0.05

LEAST = 8
"""Networks below which a sample says nothing."""

BETTER, EQUAL, NOT_SHOWN = "better", "equal", "not shown"
"""Verdicts."""

Rows = Sequence[Row]


@dataclass(frozen=True)
class Wish:
    """How a space is reduced.

    Attributes:
        models: networks of each sample; None: as many as the time allows.
        budget: seconds of all sampling, half for the space and half for the tests; None: no limit.
        margin: points of error by which means may differ and still count as equal.
        tests: proposals tested at most.
    """

    models: int | None
    budget: float | None
    margin: float = 1.5
    tests: int = 8


@dataclass(frozen=True)
class Tested:
    """A proposal and the sample that tests it.

    Attributes:
        difference: of mean errors, in points; below 0 where the constraint is better.
        better: p of the mean being lower under the constraint; `same`: of its being equal within the margin;
            both corrected for the number of proposals tested (Holm).
        taken: the constraint is part of the reduced space.
    """

    proposal: Proposal
    errors: Edf
    difference: float
    better: float
    same: float
    taken: bool = False

    @property
    def verdict(self) -> str:
        """In a word or two."""
        return BETTER if self.better <= LEVEL else EQUAL if self.same <= LEVEL else NOT_SHOWN

    @property
    def said(self) -> str:
        """The verdict and what follows from it."""
        if self.verdict == NOT_SHOWN:
            return self.verdict
        return f"{self.verdict}, {'taken' if self.taken else 'for the next round'}"


@dataclass(frozen=True)
class Reduction:
    """What came of it.

    Attributes:
        space: what the space is found by; errors: of its sample, in points.
        file: with the reduced space, as `FILE.py:reduced`; None where nothing was shown.
    """

    space: str
    errors: Edf
    margin: float
    proposals: list[Proposal]
    tests: Sequence[Tested] = ()
    file: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """All figures, and constraints as source."""
        return {
            "space": self.space,
            "networks": len(self.errors),
            "mean_error": self.errors.mean,
            "sd": self.errors.sd,
            "margin": self.margin,
            "proposals": [
                {"constraint": str(p.constraint), "source": p.constraint.source, "rho": p.rho, "p": p.p}
                for p in self.proposals
            ],
            "tests": [
                {
                    "constraint": str(test.proposal.constraint),
                    "networks": len(test.errors),
                    "mean_error": test.errors.mean,
                    "p_better": test.better,
                    "p_equal": test.same,
                    "verdict": test.verdict,
                    "taken": test.taken,
                }
                for test in self.tests
            ],
        }


def reduce(options: Options, wish: Wish, folder: Path, reporter: Reporter) -> Reduction:
    """Samples the space, proposes constraints, tests them, and writes the space under those that are taken.

    Everything lies in the folder: the run `base`, one run for each test, `proposals.py` with their spaces,
    `reduced.py`, and `reduction.json`. The same call goes on where it was interrupted.

    Raises:
        UsageError: too few networks were trained to say anything, or an option that cannot be met.
    """
    options = replace(options, strategy="random", seed_points="none", confirm=0, keep=0, trials=wish.models)
    half = None if wish.budget is None else wish.budget / 2
    whole = plan(replace(options, timeout=half, run=str(folder / "base")), reporter.loading)
    if whole.space.name == UNKNOWN:
        raise UsageError(f"--executor {options.executor}: the table does not name the space of its networks")
    for line in header(whole):
        reporter.line(line)
    reporter.line(
        f"sizes     means one standard deviation apart are told (80% power, one-sided, level {LEVEL}) by "
        f"{models_to_tell(1, 1)} networks of each space, half of one by {models_to_tell(2, 1)}"
    )
    if not whole.simulated and whole.images is None:
        whole = replace(whole, images=sources.load(whole.place, "train", reporter.loading))
    folder.mkdir(parents=True, exist_ok=True)
    rows = train(whole, reporter)
    if len(rows) < LEAST:
        raise UsageError(
            f"--{'budget' if wish.models is None else 'models'}: {len(rows)} networks were trained, and "
            f"fewer than {LEAST} say nothing"
        )
    errors = _errors(rows)
    records = [json.loads(row["choices"]) for row in rows]
    census = sample(whole.space, 20)
    found = propose(records, [_error(row) for row in rows], census.asked, census.groups, seed=options.seed)
    chosen = worth_testing(found, wish.tests)
    base = anywhere(whole.space.name if whole.simulated else options.space)
    done = Reduction(base, errors, wish.margin, found)
    reporter.line(f"sampled   {len(errors)} networks, error: {errors}; {len(found)} proposals")
    if not chosen:
        return _leave(done, folder)
    models = wish.models or max(LEAST, len(errors) // len(chosen))
    reporter.line("sizes     " + sample_size(models, errors.sd, wish.margin))
    names = [
        "proposal{}_{}".format(number, re.sub(r"\W+", "_", str(proposal.constraint)))
        for number, proposal in enumerate(chosen, 1)
    ]
    write(
        folder / "proposals.py",
        base,
        {name: (f"{base}, {p.constraint}.", [p.constraint]) for name, p in zip(names, chosen, strict=True)},
    )
    samples = []
    for number, (name, proposal) in enumerate(zip(names, chosen, strict=True), 1):
        smaller = replace(
            options,
            space=f"{folder / 'proposals.py'}:{name}",
            seed=(options.seed + number) % 2**32,
            timeout=None if half is None else half / len(chosen),
            run=str(folder / name),
        )
        new = train(_test(smaller, whole, proposal.constraint, records), reporter)
        few = "" if len(new) >= LEAST else ", too few to say anything"
        reporter.line(f"test      {number} of {len(chosen)}, {proposal.constraint}: {len(new)} networks{few}")
        if len(new) >= LEAST:
            samples.append((proposal, _errors(new)))
    return _leave(replace(done, tests=judge(errors, samples, wish.margin, options.seed)), folder)


def train(plan: Plan, reporter: Reporter) -> Rows:
    """Runs a plan, or what is left of it; its finished trials in the order of their numbers."""
    rows = [r for r in launch(plan, reporter).rows if r["stage"] == "search" and r["status"] == "ok"]
    return sorted(rows, key=lambda row: int(row["trial"]))


def _error(row: Row) -> float:
    return 100 * (1 - float(row["val_accuracy"]))


def _errors(rows: Rows) -> Edf:
    return edf([_error(row) for row in rows])


def _test(options: Options, whole: Plan, constraint: Constraint, records: Sequence[Answers]) -> Plan:
    """The plan of a sample under a constraint.

    A table has rows of its own space only: those are kept that keep the constraint and were not drawn before.
    """
    if not whole.simulated:
        return replace(plan(options), images=whole.images)
    seen = {tuple(sorted(record.items())) for record in records}

    def draw(choose: Chooser, **arguments: Any) -> Genome:
        assert isinstance(choose, Recorder)
        genome = whole.space.function(choose, **arguments)
        if not constraint.holds(choose.record) or tuple(sorted(choose.record.items())) in seen:
            raise Invalid(f"not {constraint}, or drawn before", violation=1)
        return genome

    assert options.run is not None
    return replace(
        whole,
        space=replace(whole.space, name=options.space, function=draw, all_live=False),
        run=Path(options.run),
        seed=options.seed,
        timeout=options.timeout,
    )


def judge(errors: Edf, samples: Sequence[tuple[Proposal, Edf]], margin: float, seed: int = 0) -> list[Tested]:
    """What new samples under constraints show beside one of the space.

    p-values are corrected for the number of constraints (Holm), those of being better and those of being
    equal each among themselves. Taken are constraints that are better, by p, and then those that are equal,
    ties first because they leave the fewest answers; of those that share questions only the first, because
    they were not tested together.
    """
    outcomes = [(lower(new, errors, seed=seed), equal(new, errors, margin)) for _, new in samples]
    better, same = holm([one.p for one, _ in outcomes]), holm([other.p for _, other in outcomes])
    tests = [
        Tested(proposal, new, one.value, p, q)
        for (proposal, new), (one, _), p, q in zip(samples, outcomes, better, same, strict=True)
    ]
    taken: set[str] = set()
    found: dict[int, Tested] = {}
    for i in sorted(range(len(tests)), key=lambda i: _rank(tests[i])):
        names = set(tests[i].proposal.constraint.names)
        take = tests[i].verdict != NOT_SHOWN and not names & taken
        taken |= names if take else set()
        found[i] = replace(tests[i], taken=take)
    return [found[i] for i in range(len(tests))]


def _rank(test: Tested) -> tuple[bool, bool, float]:
    if test.verdict == BETTER:
        return False, False, test.better
    return True, test.proposal.constraint.kind != "tie", test.same


def _leave(done: Reduction, folder: Path) -> Reduction:
    """Writes what came of it."""
    taken = [test.proposal.constraint for test in done.tests if test.taken]
    file = folder / "reduced.py"
    if taken:
        write(file, done.space, {"reduced": (f"{done.space}: {'; '.join(map(str, taken))}.", taken)})
        done = replace(done, file=file)
    else:
        file.unlink(missing_ok=True)  # of an earlier call, with another margin
    write_atomically(folder / "reduction.json", (json.dumps(done.to_json(), indent=2) + "\n").encode())
    return done


def show(done: Reduction, reporter: Reporter) -> None:
    """Prints the proposals with what became of them, and what it means."""
    tests = {test.proposal.constraint: test for test in done.tests}
    titles = ("constraint", "rho", "p", "networks", "error", "difference", "p better", "p equal", "verdict")
    table = columns(*titles, left=("constraint", "verdict"))
    for proposal in done.proposals:
        test = tests.get(proposal.constraint)
        known = [str(proposal.constraint), f"{proposal.rho:+.2f}", f"{proposal.p:.4f}"]
        if test is None:
            table.add_row(*known, "", "", "", "", "", "not tested")
            continue
        known += [str(len(test.errors)), f"{test.errors.mean:.1f}", f"{test.difference:+.1f}"]
        table.add_row(*known, f"{test.better:.3f}", f"{test.same:.3f}", test.said)
    reporter.console.print(table)
    for sentence in _conclusion(done):
        reporter.console.print(sentence, markup=False)


def _conclusion(done: Reduction) -> list[str]:
    if done.file is not None:
        return [
            f"{done.file} is {done.space} under what is taken; each was tested by itself, not all together.",
            f"  python -m nas.spaces {done.file}:reduced",
            f"  python -m nas.reduce --space {done.file}:reduced ...  (the next round; with these flags)",
        ]
    if not done.proposals:
        return [f"{done.space} has no questions that a constraint could be put on."]
    if not done.tests:
        return [
            f"{len(done.errors)} networks of {done.space} speak for no constraint (p at most {EVIDENCE}), or "
            f"fewer than {LEAST} new ones keep it."
        ]
    spread = done.errors.sd
    first = min(done.tests, key=lambda test: test.difference)
    said = [f"No constraint is shown to be better, or equal within ±{done.margin:g} points."]
    if first.difference < 0 < spread:
        said.append(
            f"{first.proposal.constraint} has {-first.difference:.1f} points less error than {done.space}, "
            f"which, if it is true, {models_to_tell(spread, -first.difference)} networks of each would show."
        )
    if spread > 0:
        said.append(f"Equal within ±{done.margin:g} takes {models_to_equate(spread, done.margin)} of each.")
    return said
