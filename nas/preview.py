"""`--dry-run`: what a search would propose, what that costs, and about how long it would take."""

from __future__ import annotations

import json

from cells.infer import infer
from nas.planning import Plan
from nas.progress import Reporter, clock, columns, short
from nas.strategies import Exhausted, Proposal, Wait
from nas.tables import Benchmark


def preview(plan: Plan, count: int, reporter: Reporter) -> int:
    """Prints the first proposals, none of which is told anything. Returns the exit code."""
    problem = plan.problem()
    strategy = plan.searcher(problem)
    proposals: list[Proposal] = []
    trial = 0
    try:
        while len(proposals) < count:
            proposal = strategy.ask(trial)
            trial += 1
            if isinstance(proposal, Wait):
                break
            if proposal.settled is None:
                proposals.append(proposal)
            else:
                strategy.tell(proposal, None if proposal.settled.status == "rejected" else {"reward": None})
    except Exhausted as end:
        reporter.line(f"The search would end here: {end}")
    speed = _speed(plan, proposals[0]) if proposals and plan.table is None else 1.0
    titles = ("trial", "key", "by", "params", "MACs", "activations", "depth", "about")
    table = columns(*titles, left=("key", "by"))
    total = 0.0
    for proposal in proposals:
        assert proposal.genome is not None
        costs = problem.costs(proposal)
        seconds = _taken(plan, plan.table, proposal) if plan.table is not None else costs.macs / speed
        total += seconds
        who = str(proposal.note.get("seed_point") or proposal.note.get("by"))
        shown = {
            "trial": proposal.trial,
            "key": proposal.genome.key,
            "by": who,
            "choices": proposal.choices,
            "params": costs.params,
            "macs": costs.macs,
            "activations": costs.activations,
            "depth": costs.depth,
            "seconds": seconds,
        }
        if reporter.json is not None:
            reporter.json.write(json.dumps(shown) + "\n")
        costs_shown = [short(costs.params), short(costs.macs), short(costs.activations), str(costs.depth)]
        table.add_row(str(proposal.trial), proposal.genome.key[:8], who, *costs_shown, f"{seconds:.0f} s")
    if reporter.json is not None:
        reporter.json.flush()
        return 0
    reporter.console.print(table)
    wall = total / plan.workers.count
    by = "the table's times" if plan.simulated else "one step of the first timed here, scaled by MACs"
    reporter.console.print(
        f"{len(proposals)} proposals, nothing trained: about {clock(wall)} minutes on "
        f"{plan.workers.count} workers ({by}).",
        markup=False,
    )
    if plan.rungs is not None:
        stop = "as if none were stopped" if plan.rungs.stop else "the first rung only"
        reporter.line(f"These are times of trainings of {plan.recipe.epochs} epochs: {stop}.")
    return 0


def _taken(plan: Plan, table: Benchmark, proposal: Proposal) -> float:
    """Seconds that the table says the training took, as many epochs as the plan has."""
    number = table.find(proposal.choices)
    if number is None:
        return 0.0
    if plan.rungs is None:
        return table.seconds(number)
    return float(table.row(number, plan.recipe.epochs).get("train_seconds", 0.0))


def _speed(plan: Plan, proposal: Proposal) -> float:
    """MACs of a network that one worker trains through in a second, by timing forward and backward passes."""
    import time

    import torch

    from nas.build import build
    from nas.fit import autocast

    assert proposal.genome is not None
    recipe = plan.recipe
    device = plan.workers.device()
    before = torch.get_num_threads()
    torch.set_num_threads(plan.workers.threads)
    module = build(proposal.genome).to(device)
    x = torch.randn(recipe.batch, *plan.shape, device=device)
    if recipe.channels_last:
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = x.contiguous(memory_format=torch.channels_last)
    spans = []
    for _ in range(4):
        begin = time.perf_counter()
        with autocast(device, recipe):
            outputs = module(x)
            (outputs[0] if isinstance(outputs, tuple) else outputs).sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        spans.append(time.perf_counter() - begin)
    torch.set_num_threads(before)
    per_image = min(spans) / recipe.batch
    images = plan.confirm_images / plan.confirm_recipe.epochs
    trained = (
        recipe.epochs * min(recipe.train_images or images, images) + recipe.epochs * recipe.val_images / 3
    )
    return infer(proposal.genome).macs / (per_image * trained)
