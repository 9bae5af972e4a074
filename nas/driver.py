"""A search: asks a strategy, hands out tasks, records what comes back, and confirms the winner.

A rule may stop tasks on the way (`nas.asha`). Where there are rungs without one, the best are trained again
for longer before the winner is confirmed.

The tables are the only state. A rerun on the same directory tells the strategy again what is in them, in
the recorded order, hands out what was journalled without a result, and goes on.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cells.genome import Genome
from cells.ops import Invalid
from nas.asha import learn
from nas.dispatch import Outcome, Task
from nas.options import Limits, UsageError
from nas.planning import Plan
from nas.recipe import Recipe
from nas.results import COSTS, by, describe, ranking
from nas.store import ASKS, TRIALS, Memory, Stream, write_atomically
from nas.strategies import Exhausted, Proposal, Settled, Wait
from search_spaces import Replay, ReplayError

TRAINED = ("ok", "pruned", "failed")
"""Statuses of trials that were dispatched."""

SCORED = ("ok", "pruned")
"""Of those, the ones that have a reward: of a pruned trial, what it showed last."""

Listener = Callable[[dict[str, Any]], None]


class Search:
    """One search on one run directory, or in memory; a `Source` of tasks.

    Attributes:
        rows: all rows of the run, those of earlier sessions included.
        ended: the sentence with which the strategy ended the search, if it did.
        resumed: rows found when the search was opened.
    """

    def __init__(
        self,
        plan: Plan,
        listener: Listener = lambda row: None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.plan = plan
        self.listener = listener
        self.clock = clock or time.monotonic
        self.trials: Stream | Memory = Memory(TRIALS)
        self.asks: Stream | Memory = Memory(ASKS)
        if plan.run is not None:
            self.trials = Stream(plan.run / "trials.arrows", TRIALS)
            self.asks = Stream(plan.run / "asks.arrows", ASKS)
        self.rows = self.trials.rows
        self.by_trial = {row["trial"]: row for row in self.rows if row["stage"] == "search"}
        self.asked_after = {ask["trial"]: int(ask["asked_after"]) for ask in self.asks.rows}
        self.statuses = Counter(row["status"] for row in self.by_trial.values())
        self.spans = [_seconds(row) for row in self.by_trial.values() if row["status"] in SCORED]
        self.resumed = len(self.rows)
        self.ended = ""
        self.problem = plan.problem()
        self.strategy = plan.searcher(self.problem)
        self.rule = plan.rungs.rule(plan.goals, plan.seed) if plan.rungs is not None else None
        self.rungs: Sequence[int] = () if self.rule is None else self.rule.rungs
        self.told = 0
        self.trial = 0
        self.running: dict[str, Task] = {}
        self.stopped: dict[str, str] = {}  # task -> why
        self.unwritten: list[dict[str, Any]] = []
        self.repeats: dict[int, list[Proposal]] = {}  # running trial -> its duplicates
        self.waiting: deque[Task] = deque()
        longer = () if plan.rungs is None or plan.rungs.stop else plan.rungs.epochs[1:]
        self.stages: deque[Callable[[], list[Task]]] = deque(partial(self._promotions, n) for n in longer)
        self.stages.append(self._confirmations)
        self.later: deque[Task] | None = None  # tasks of the stages that follow the search, once it is over
        self.began = self.clock()
        self.before = 0.0
        self._resume()

    # -- budget ------------------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Seconds of search, earlier sessions included."""
        return self.before + self.clock() - self.began

    @property
    def dispatched(self) -> int:
        """Search trials that were trained, however they ended."""
        return sum(self.statuses[status] for status in TRAINED)

    def _reserved(self) -> float:
        """Seconds kept for confirming: a fifth of the budget, or what it is seen to take, up to half."""
        timeout = self.plan.timeout
        if timeout is None or not self.plan.confirm:
            return 0.0
        done = [r for r in self.rows if r["stage"] == "search" and r["status"] == "ok"]
        if not done:
            return 0.2 * timeout
        jobs = len(self._finalists("reward")) * len(self.plan.confirm_seeds)
        # As long as a trial, for each image that one of them trains on.
        per_image = statistics.median(
            _seconds(r) / (r["images_per_second"] * r["train_seconds"]) for r in done
        )
        need = math.ceil(jobs / self.plan.workers.count) * self.plan.confirm_images * per_image
        return float(min(max(0.2 * timeout, need), 0.5 * timeout))

    def _over(self) -> bool:
        searching = sum(_stage(task) == "search" for task in self.running.values())
        if self.plan.trials is not None and self.dispatched + searching >= self.plan.trials:
            return True
        if self.plan.timeout is None:
            return False
        if self.plan.simulated:
            return self.elapsed >= self.plan.timeout
        half = 0.5 * statistics.median(self.spans) if self.spans else 0.0
        return self.elapsed + half >= self.plan.timeout - self._reserved()

    # -- source of tasks ---------------------------------------------------------------------------

    def next(self) -> Task | Wait | None:
        """See `Source`."""
        if self.waiting:
            return self.waiting.popleft()
        if self.later is None:
            task = None if self.ended or self._over() else self._ask()
            if task is not None:
                return task
            if self.running:
                return Wait()
            self.later = deque()
        while not self.later:
            if self.running:
                return Wait()
            if not self.stages:
                return None
            self.later.extend(self.stages.popleft()())
        return self.later.popleft()

    def _ask(self) -> Task | Wait | None:
        while True:
            try:
                proposal = self.strategy.ask(self.trial)
            except Exhausted as end:
                self.ended = str(end)
                self._flush()
                return None
            if isinstance(proposal, Wait):
                return proposal
            self.trial += 1
            self.asked_after[proposal.trial] = self.told
            settled = proposal.settled
            self.unwritten.append(
                {
                    "trial": proposal.trial,
                    "asked_after": self.told,
                    "choices": json.dumps(proposal.choices),
                    "parents": list(proposal.parents),
                    "note": json.dumps(proposal.note),
                    "settled": settled.status if settled else None,
                    "reason": settled.reason if settled else None,
                    "violation": settled.violation if settled else None,
                    "of": settled.of if settled else None,
                    "elapsed": self.elapsed,
                }
            )
            if settled is None:
                self._flush()
                return self._task(proposal)
            self._settle(proposal, settled, self.told)
            if self._over():
                self._flush()
                return None

    def _flush(self) -> None:
        self.asks.extend(self.unwritten)
        self.unwritten.clear()

    def _task(self, proposal: Proposal) -> Task:
        name = f"search-{proposal.trial}"
        return self._make(name, proposal, self.plan.recipe, self.plan.seed, self.plan.latency)

    def _make(
        self, name: str, proposal: Proposal, recipe: Recipe, seed: int, latency: Limits | None = None
    ) -> Task:
        epochs = None if self.plan.rungs is None else recipe.epochs
        task = Task(name, proposal, recipe, seed, latency, self.plan.trial_timeout, epochs)
        self.running[name] = task
        return task

    def _settle(self, proposal: Proposal, settled: Settled, asked_after: int) -> None:
        if settled.status == "rejected":
            self._tell(proposal, None)
            return
        if settled.status == "invalid":
            self._record(proposal, {"status": "invalid", "error": settled.reason}, asked_after)
            return
        assert settled.of is not None
        first = self.by_trial.get(settled.of)
        if first is None:
            self.repeats.setdefault(settled.of, []).append(proposal)
        else:
            self._repeat(proposal, first, asked_after)

    def _repeat(self, proposal: Proposal, first: Mapping[str, Any], asked_after: int) -> None:
        """Records a duplicate with what is known of the network."""
        columns = {"val_accuracy", "reward"}.union(*(goal.columns for goal in self.plan.goals))
        known = {name: first[name] for name in columns}
        row = {"status": "duplicate", "error": f"the same network as trial {first['trial']}", **known}
        self._record(proposal, row, asked_after)

    # -- results -----------------------------------------------------------------------------------

    def epoch(self, name: str, row: Mapping[str, Any]) -> bool:
        """See `Source`."""
        task = self.running[name]
        if self.rule is None or _stage(task) != "search" or len(row["curve"]) not in self.rule.rungs[:-1]:
            return True
        if any(column in COSTS for goal in self.plan.goals for column in goal.columns):
            assert task.proposal.genome is not None
            row = {**describe(task.proposal.genome, whole=False), **row}
        reason = self.rule.judge(task.proposal.trial, row)
        if reason is not None:
            self.stopped[name] = reason
        return reason is None

    def done(self, name: str, outcome: Outcome) -> None:
        """See `Source`: the row is on the disk before the strategy hears of it."""
        task = self.running.pop(name)
        proposal, stage = task.proposal, _stage(task)
        row = dict(outcome.row)
        if name in self.stopped:
            row |= {"status": "pruned", "error": self.stopped.pop(name)}
        if proposal.genome is not None:
            row = describe(proposal.genome, whole=self.plan.run is not None) | row
        row["reward"] = self.plan.goals[0].of(row) if row["status"] in SCORED else None
        if stage != "confirm" and row["status"] == "ok" and outcome.weights is not None:
            name = f"{proposal.trial}" + (f"-{task.recipe.epochs}" if stage == "rung" else "")
            row["weights"] = self._save(name, outcome.weights)
        after = self.asked_after.get(proposal.trial, self.told)
        self._record(proposal, row, after, task)
        if stage != "confirm":
            self._drop_weights()
        if stage == "search":
            if self.rule is not None and row["status"] == "ok":
                self.rule.end(row)
            first = self.by_trial[proposal.trial]
            for repeat in self.repeats.pop(proposal.trial, []):
                self._repeat(repeat, first, self.asked_after[repeat.trial])

    def _record(
        self,
        proposal: Proposal,
        values: Mapping[str, Any],
        asked_after: int,
        task: Task | None = None,
    ) -> None:
        self._flush()
        stage = "search" if task is None else _stage(task)
        recipe = self.plan.recipe if task is None else task.recipe
        row: dict[str, Any] = {
            "run": self.plan.name,
            "trial": proposal.trial,
            "asked_after": asked_after,
            "space": self.plan.space.name,
            "strategy": self.plan.strategy,
            "choices": json.dumps(proposal.choices),
            "note": json.dumps(proposal.note),
            "parents": list(proposal.parents),
            "recipe": recipe.dumps(),
            "seed": self.plan.seed if task is None else task.seed,
            "stage": stage,
            "finished": datetime.now(UTC),
            "elapsed": self.elapsed,
        }
        if proposal.genome is not None and "key" not in values:
            row |= describe(proposal.genome, whole=self.plan.run is not None)
        recorded = self.trials.append(row | dict(values))
        if stage == "search":
            self.by_trial[proposal.trial] = recorded
            self.statuses[recorded["status"]] += 1
            if recorded["status"] in SCORED:
                self.spans.append(_seconds(recorded))
            self._tell(proposal, recorded)
        self.listener(recorded)

    def _tell(self, proposal: Proposal, row: Mapping[str, Any] | None) -> None:
        self.strategy.tell(proposal, row)
        self.told += 1

    def _save(self, name: str, weights: bytes) -> str | None:
        """Writes the weights of a training into `weights/`."""
        if not self.plan.keep or self.plan.run is None:
            return None
        folder = self.plan.run / "weights"
        folder.mkdir(exist_ok=True)
        write_atomically(folder / f"{name}.safetensors", weights)
        return f"weights/{name}.safetensors"

    def _drop_weights(self) -> None:
        """Leaves the weights of the best `keep` trials and of those that may yet be confirmed as the best."""
        if not self.plan.keep or self.plan.run is None:
            return
        best = ranking(self.rows, self.plan.winner)[: self.plan.keep]
        kept = {row["weights"] for row in [*best, *self._finalists(self.plan.winner)]}
        for file in (self.plan.run / "weights").glob("[0-9]*.safetensors"):
            if f"weights/{file.name}" not in kept:
                file.unlink()

    # -- confirming --------------------------------------------------------------------------------

    def _finalists(self, winner: str) -> list[dict[str, Any]]:
        """The best `confirm` networks, the best random one and the best seed point, without repeats."""
        ranked = ranking(self.rows, winner)
        chosen = ranked[: self.plan.confirm]
        for who in ("random", "seed"):
            chosen += [r for r in ranked if by(r) == who][:1]
        return list({row["key"]: dict(row) for row in chosen}.values())

    def _confirmations(self) -> list[Task]:
        if not self.plan.confirm:
            return []
        done = {(r["key"], r["seed"]) for r in self.rows if r["stage"] == "confirm"}
        tasks: list[Task] = []
        for seed in self.plan.confirm_seeds:
            for row in self._finalists(self.plan.winner):
                if (row["key"], seed) in done:
                    continue
                name = f"confirm-{row['key']}-{seed}"
                proposal = _proposal(row, Genome.loads(row["genome"]))
                tasks.append(self._make(name, proposal, self.plan.confirm_recipe, seed))
        return tasks

    def _promotions(self, epochs: int) -> list[Task]:
        """The best of the rung before this one, which are trained anew for so many epochs."""
        rungs = self.plan.rungs
        assert rungs is not None
        shorter = rungs.epochs[rungs.epochs.index(epochs) - 1]
        now = replace(self.plan.recipe, epochs=epochs)
        lengths = [(json.loads(r["recipe"])["epochs"], r) for r in self.rows if r["stage"] != "confirm"]
        ranked = ranking(row for length, row in lengths if length == shorter)
        done = {row["trial"] for length, row in lengths if length == epochs}
        tasks = []
        for row in ranked[: max(1, len(ranked) // rungs.eta)]:
            if row["trial"] not in done:
                name, proposal = f"rung-{row['trial']}-{epochs}", _proposal(row, self._redraw(row))
                tasks.append(self._make(name, proposal, now, self.plan.seed, (0.0, math.inf)))
        return tasks

    # -- resuming ----------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Folds the tables into the strategy in the order in which it was told them."""
        rows = deque(r for r in self.rows if r["stage"] == "search")
        recorded = {row["trial"] for row in rows}
        asks = {ask["trial"]: ask for ask in self.asks.rows}
        rejected = {a["asked_after"]: a for a in asks.values() if a["settled"] == "rejected"}
        while rows or self.told in rejected:
            if self.told in rejected:
                ask = rejected.pop(self.told)
                settled = Settled("rejected", ask["reason"], ask["violation"])
                self._tell(replace(_proposal(ask, self._redraw(ask)), settled=settled), None)
            else:
                row = rows.popleft()
                kind = row["status"]
                settled_now = None
                if kind in ("invalid", "duplicate"):
                    ask = asks[row["trial"]]
                    settled_now = Settled(kind, ask["reason"], ask["violation"] or 0.0, ask["of"])
                proposal = _proposal(row, self._redraw(row))
                if self.rule is not None and kind in TRAINED:
                    learn(self.rule, row["trial"], row)
                self._tell(replace(proposal, settled=settled_now), row)
        self.trial = 1 + max([-1, *recorded, *asks])
        self.before = max([0.0, *(record["elapsed"] for record in [*asks.values(), *self.rows])])
        for ask in asks.values():
            if ask["trial"] in recorded or ask["settled"] == "rejected":
                continue
            proposal = _proposal(ask, self._redraw(ask))
            if ask["settled"] is None:
                self.strategy.adopt(proposal)
                self.waiting.append(self._task(proposal))
            else:
                settled = Settled(ask["settled"], ask["reason"], ask["violation"] or 0.0, ask["of"])
                self._settle(replace(proposal, settled=settled), settled, ask["asked_after"])

    def _redraw(self, record: Mapping[str, Any]) -> Genome | None:
        """The genome of recorded answers; None where they lead to no legal one."""
        chooser = Replay(json.loads(record["choices"]), domains=self.problem.domains)
        try:
            genome = self.plan.space.draw(chooser)
            chooser.finish()
        except Invalid:
            genome, reason = None, "its answers are no longer legal"
        except ReplayError as error:
            raise self._changed(record, str(error)) from error
        else:
            reason = "its answers draw another network"
        if record.get("key") and (genome is None or genome.key != record["key"]):
            raise self._changed(record, reason)
        return genome

    def _changed(self, record: Mapping[str, Any], reason: str) -> UsageError:
        return UsageError(
            f"--run {self.plan.run}: trial {record['trial']} cannot be replayed, {reason}: the space has "
            "changed since; name another --run"
        )

    def close(self) -> None:
        """Writes what is left to write."""
        self._flush()
        self.trials.close()
        self.asks.close()


def _stage(task: Task) -> str:
    """`search`, `rung` or `confirm`."""
    return task.name.partition("-")[0]


def _proposal(record: Mapping[str, Any], genome: Genome | None) -> Proposal:
    return Proposal(
        record["trial"],
        json.loads(record["choices"]),
        genome,
        tuple(record["parents"] or ()),
        json.loads(record["note"] or "{}"),
    )


def _seconds(row: Mapping[str, Any]) -> float:
    return float((row["finished"] - row["started"]).total_seconds())
