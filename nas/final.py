"""Full trainings: one for each seed, each of which leaves checkpoints, a row and its weights."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from safetensors.torch import save
from torch import nn

from nas import sources
from nas.build import WeightsError, build, initialise, load_weights, metadata_of
from nas.data import Split, resized, split
from nas.fit import Epoch, Training, evaluate
from nas.launch import alone, same_run
from nas.linear import fit_last
from nas.recipe import Recipe
from nas.results import describe
from nas.sources import Images
from nas.store import TRIALS, Stream, write_atomically
from nas.transfer import head
from nas.trial import device_name, versions

if TYPE_CHECKING:
    from nas.training import TrainPlan


class Listener(Protocol):
    """Who is told how it goes."""

    def loading(self, what: str, done: int, total: int) -> None:
        """Progress of reading data."""

    def line(self, text: str) -> None:
        """One line for people."""

    def begin(self, seed: int, training: Training) -> None:
        """A training starts, or goes on."""

    def epoch(self, epoch: Epoch) -> None:
        """It has finished an epoch."""

    def finished(self, row: Mapping[str, Any]) -> None:
        """Its row is written."""


def train(plan: TrainPlan, listener: Listener) -> list[dict[str, Any]]:
    """Trains the network with each seed that has no row yet; returns the rows of all of them.

    Raises:
        TrainingFailedError: the loss became infinite.
        WeightsError: the weights to start from do not fit, other than in the head.
        UsageError: the run directory belongs to something else.
    """
    plan.run.mkdir(parents=True, exist_ok=True)
    with alone(plan.run):
        same_run(plan.run, plan.config())
        table = Stream(plan.run / "trials.arrows", TRIALS)
        try:
            device = torch.device("cuda" if plan.gpu else "cpu")
            data = normalised_as(plan.init, split(plan.images, plan.recipe, device))
            test: Images | None = None
            for seed in plan.seeds:
                if _row_of(table.rows, seed) is not None:
                    continue
                module, found = _train(plan, seed, data, device, listener)
                if test is None:
                    test = resized(sources.load(plan.place, "test", listener.loading), plan.recipe.side)
                accuracy = final_accuracy(module, test, data, plan.recipe)
                listener.finished(
                    _finish(plan, seed, module, data, table, {**found, "test_accuracy": accuracy})
                )
            rows = [_row_of(table.rows, seed) for seed in plan.seeds]
        finally:
            table.close()
    return [row for row in rows if row is not None]


def normalised_as(file: Path | None, data: Split) -> Split:
    """The images normalised as weights that say so expect them."""
    metadata = {} if file is None else metadata_of(file)
    if "mean" not in metadata or "std" not in metadata:
        return data
    device, channels = data.x.device, data.x.shape[1]
    given = []
    for name in ("mean", "std"):
        values = torch.tensor(json.loads(metadata[name]), device=device)
        pixels = values.numel() == data.x[0].numel()
        if not pixels and values.numel() != channels:
            raise WeightsError(
                f"{file}: its {name} is neither of {channels} channels nor of the images' pixels"
            )
        given.append(values.view(1, *data.x.shape[1:]) if pixels else values.view(1, channels, 1, 1))
    return dataclasses.replace(data, mean=given[0], std=given[1])


def _row_of(rows: Sequence[dict[str, Any]], seed: int) -> dict[str, Any] | None:
    return next((r for r in rows if r["seed"] == seed and r["stage"] == "final"), None)


def _checkpoint(plan: TrainPlan, seed: int) -> Path:
    return plan.run / "checkpoints" / f"seed{seed}.pt"


def prepared(plan: TrainPlan, seed: int) -> tuple[nn.Module, list[str]]:
    """The network with the weights that the training starts from, and which of them are new.

    Those of the heads are new where they do not fit, where the file says that it tells other classes apart,
    and where that is wished for.

    Raises:
        WeightsError: weights that do not fit, other than in the head and in parts that were cut off.
    """
    torch.manual_seed(seed)
    module = build(plan.genome)
    initialise(module, plan.genome, plan.recipe)
    if plan.init is None:
        return module, []
    outputs = [plan.genome.nodes[index].path for index in plan.genome.aux]
    fresh = tuple(f"{path}." for path in (head(plan.genome), *outputs))
    untrained = {n: t.clone() for n, t in module.state_dict().items() if n.startswith(fresh)}
    left = load_weights(module, plan.init, strict=False)
    wrong = [reason for reason in left if not reason.startswith(fresh)]
    if plan.linear:
        wrong = [reason for reason in wrong if not reason.endswith("is not in the network")]
    if wrong:
        raise WeightsError(f"{plan.init}: {wrong[0]}")
    classes = metadata_of(plan.init).get("classes")
    others = classes is not None and json.loads(classes) != [*plan.images.classes]
    if plan.new_head or others:
        module.load_state_dict(untrained, strict=False)
        return module, list(untrained)
    return module, [reason.partition(" ")[0] for reason in left if reason.startswith(fresh)]


def _train(
    plan: TrainPlan, seed: int, data: Split, device: torch.device, listener: Listener
) -> tuple[nn.Module, dict[str, Any]]:
    """The trained module, and what the row says of its training."""
    started = datetime.now(UTC)
    module, fresh = prepared(plan, seed)
    if plan.init is not None and seed == plan.seeds[0]:
        new = f", all but {', '.join(fresh)}, which start anew" if fresh else ""
        listener.line(f"weights   {plan.init}{new}")
    module.to(device)
    found: dict[str, Any] = {"started": started}
    if plan.linear:
        fit_last(module, head(plan.genome), data, _exact(plan.recipe), seed)
        if len(data.val_y):
            found["val_accuracy"] = _accuracy(module, data.val_x, data.val_y, data, plan.recipe)
        return module, found
    training = Training(module, data, plan.recipe, seed, genome=plan.genome)
    file = _checkpoint(plan, seed)
    curve: list[Epoch] = []
    if file.exists():
        state = torch.load(file, map_location=device, weights_only=True)
        training.restore(state["training"])
        curve = [Epoch(*epoch) for epoch in state["curve"]]
        started = datetime.fromisoformat(state["started"])
        listener.line(f"resumed   seed {seed} after epoch {training.done} of {training.total}")
    listener.begin(seed, training)
    for epoch in training.epochs():
        curve.append(epoch)
        state = {
            "training": training.state(),
            "curve": [tuple(e) for e in curve],
            "started": started.isoformat(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, buffer.getvalue())
        listener.epoch(epoch)
    seconds = sum(epoch.seconds for epoch in curve)
    found |= {
        "started": started,
        "curve": [epoch._asdict() for epoch in curve],
        "val_accuracy": curve[-1].accuracy if len(data.val_y) else None,
        "train_seconds": seconds,
        "images_per_second": training.steps * training.batch / seconds,
    }
    return module, found


def _exact(recipe: Recipe) -> Recipe:
    """As an exported network is run: in fp32, on contiguous images."""
    return dataclasses.replace(recipe, precision="fp32", channels_last=False)


def _accuracy(module: nn.Module, x: torch.Tensor, y: torch.Tensor, data: Split, recipe: Recipe) -> float:
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return evaluate(module, x, y, data, _exact(recipe), nullcontext)


def final_accuracy(module: nn.Module, images: Images, data: Split, recipe: Recipe) -> float:
    """Accuracy (0-1) on images, such as the test part, normalised as in training, in fp32."""
    device = data.x.device
    x, y = torch.from_numpy(images.pixels).to(device), torch.from_numpy(images.labels).to(device)
    return _accuracy(module, x, y, data, recipe)


def _finish(
    plan: TrainPlan, seed: int, module: nn.Module, data: Split, table: Stream, found: Mapping[str, Any]
) -> dict[str, Any]:
    """Writes the weights and the row, and removes the checkpoint."""
    name = f"weights/seed{seed}.safetensors"
    (plan.run / "weights").mkdir(exist_ok=True)
    metadata = {
        "mean": json.dumps(data.mean.flatten().tolist()),
        "std": json.dumps(data.std.flatten().tolist()),
        "classes": json.dumps(plan.images.classes),
    }
    tensors = {n: t.detach().cpu().contiguous() for n, t in module.state_dict().items()}
    write_atomically(plan.run / name, save(tensors, metadata))
    row = table.append(
        {
            "run": plan.run.name,
            "trial": len(table.rows),
            "space": plan.space,
            "strategy": "train",
            "choices": "{}",
            "note": json.dumps({"by": "train", "init": None if plan.init is None else str(plan.init)}),
            "recipe": plan.recipe.dumps(),
            "seed": seed,
            "status": "ok",
            "stage": "final",
            "weights": name,
            "device": device_name(data.x.device),
            "versions": json.dumps(versions()),
            "worker": f"{socket.gethostname()}:{os.getpid()}",
            "finished": datetime.now(UTC),
            **describe(plan.genome),
            **found,
        }
    )
    _checkpoint(plan, seed).unlink(missing_ok=True)
    return row
