"""Training does what the recipe says, and what goes wrong becomes a row."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import nn

from cells.genome import Genome
from cells.infer import infer
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Linear
from cells.residual import bottleneck
from cells.sketch import Sketch
from nas import fit, measure
from nas.build import build, initialise
from nas.data import split
from nas.recipe import Recipe, brief, confirming
from nas.schedule import learning_rate
from nas.sources import Images
from nas.trial import Job, Outcome, Worker

RECIPE = Recipe(val_images=40, epochs=2, batch=20, lr=0.1, crop=1)


def images(count: int = 200) -> Images:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, count)
    pixels = rng.integers(0, 100, (count, 3, 8, 8)) + 150 * labels[:, None, None, None]
    return Images("two", pixels.astype(np.uint8), labels.astype(np.int64), ("dark", "bright"))


def genome() -> Genome:
    s = Sketch((3, 8, 8), "Small")
    x = s.chain(s.input, conv=Conv(8, 3, bias=True), bn=BatchNorm(), relu=RELU)
    x = bottleneck(s, x, "blocks.0", 8, w_b=8, g=4)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(2)))


def run(job: Job, data: Images | None = None) -> tuple[list[Any], Outcome]:
    *epochs, outcome = Worker(data or images(), device=torch.device("cpu")).run(job)
    assert isinstance(outcome, Outcome)
    return epochs, outcome


def test_a_trial_is_a_row_and_its_weights() -> None:
    epochs, outcome = run(Job(genome().dumps(), RECIPE.to_json(), 0))
    row = outcome.row
    assert row["status"] == "ok"
    assert [len(e.row["curve"]) for e in epochs] == [1, 2]
    for so_far in epochs:  # what the row would be if it ended there
        assert "status" not in so_far.row
        assert so_far.row["val_accuracy"] == so_far.row["curve"][-1]["accuracy"]
    assert [e["epoch"] for e in row["curve"]] == [1, 2]
    assert row["val_accuracy"] == row["curve"][-1]["accuracy"] > 0.8
    assert row["latency_ms"] > 0
    assert row["latency_batch"] == 1
    assert row["peak_memory_bytes"] > 10**6
    assert row["images_per_second"] > 0
    assert outcome.weights is not None
    module = build(genome())
    module.load_state_dict(load(outcome.weights))
    data = split(images(), RECIPE, torch.device("cpu"))
    again = fit.evaluate(
        module, data.val_x, data.val_y, data, RECIPE, measure.DeviceLock(torch.device("cpu")).step
    )
    assert again == row["val_accuracy"]


def test_a_seed_repeats_a_trial() -> None:
    job = Job(genome().dumps(), RECIPE.to_json(), 3, latency=None)
    (_, one), (_, two), (_, other) = run(job), run(job), run(Job(job.genome, job.recipe, 4, latency=None))
    losses = [[e["loss"] for e in o.row["curve"]] for o in (one, two, other)]
    assert losses[0] == losses[1] != losses[2]
    assert one.weights == two.weights


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lr": 1e30}, "the loss became"),
        ({"val_images": 5000}, "too few"),
    ],
)
def test_failures_are_rows(change: dict[str, Any], reason: str) -> None:
    _, outcome = run(Job(genome().dumps(), {**RECIPE.to_json(), **change}, 0, latency=None))
    assert outcome.row["status"] == "failed"
    assert reason in outcome.row["error"]
    assert outcome.weights is None


def test_time_out_memory_and_latency_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    text, recipe = genome().dumps(), RECIPE.to_json()
    _, slow = run(Job(text, recipe, 0, latency=None, seconds=0.0))
    assert slow.row["error"] == "the trial took too long"
    _, late = run(Job(text, recipe, 0, latency=(0.0, 1e-6)))
    assert "is outside" in late.row["error"]
    assert late.row["latency_ms"] > 0
    _, broken = run(Job("{}", recipe, 0))
    assert broken.row["status"] == "failed"

    def hungry(*_: object) -> nn.Module:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("nas.trial.build.build", hungry)
    _, large = run(Job(text, recipe, 0))
    assert large.row["error"] == "out of memory"


def test_initialisation() -> None:
    module = build(genome())
    torch.manual_seed(0)
    initialise(module, genome(), RECIPE)
    gammas = {n: p for n, p in module.named_parameters() if n.endswith("weight") and p.ndim == 1}
    assert {n for n, p in gammas.items() if bool((p == 0).all())} == {"blocks.0.bn3.weight"}
    assert bool((module.get_parameter("conv.bias") == 0).all())
    deviation = float(module.get_parameter("conv.weight").detach().std())
    assert abs(deviation / math.sqrt(2 / (8 * 9)) - 1) < 0.2
    assert float(module.get_parameter("fc.weight").detach().std()) < 0.03
    initialise(other := build(genome()), genome(), Recipe(init="default"))
    assert bool((other.get_parameter("blocks.0.bn3.weight") == 1).all())


def test_weight_decay_spares_norms_and_biases() -> None:
    module = build(genome())
    decayed, spared = fit.optimiser(module, RECIPE).param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (RECIPE.weight_decay, 0.0)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert sum(p.numel() for g in (decayed, spared) for p in g["params"]) == infer(genome()).params
    assert decayed["nesterov"]


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
def test_schedules_rise_then_fall_to_nothing(schedule: Any) -> None:
    recipe = Recipe(schedule=schedule)
    rates = [learning_rate(i, 100, recipe) for i in range(100)]
    top = rates.index(max(rates))
    assert top == (10 if schedule == "cosine" else 30)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) == 1
    assert rates[-1] < 0.01


def test_recipes_fit_their_data() -> None:
    cpu, gpu = (brief("cifar10", 50_000, gpu=g, precision="fp32", channels_last=True) for g in (False, True))
    assert (cpu.train_images, cpu.val_images, cpu.epochs, cpu.batch, cpu.lr) == (15_000, 5_000, 1, 128, 0.4)
    assert (gpu.train_images, gpu.val_images, gpu.epochs, gpu.batch) == (None, 5_000, 3, 512)
    digits = brief("digits", 1438, gpu=False, precision="fp32", channels_last=True)
    assert (digits.train_images, digits.epochs, digits.flip) == (None, 8, False)
    for count in (10, 500, 3_000, 20_000, 1_000_000):
        recipe = brief("mine", count, gpu=False, precision="fp32", channels_last=True)
        assert 0 < recipe.val_images < count
        assert 1 <= recipe.epochs <= 8
        assert recipe.epochs * (recipe.train_images or count) <= 25_000
    for recipe in (cpu, gpu, digits):
        assert Recipe.from_json(recipe.to_json()) == recipe
        assert confirming(recipe, gpu=False).train_images is None
    assert confirming(gpu, gpu=True).epochs == 9


def test_latency_waits_for_steps_and_steps_for_latency() -> None:
    import threading
    import time

    device = torch.device("meta")  # a lock of its own
    training, measuring = measure.DeviceLock(device), measure.DeviceLock(device)
    order: list[str] = []

    def train() -> None:
        for _ in range(20):
            with training.step():
                order.append("step")
                time.sleep(0.01)
                order.append("end")

    thread = threading.Thread(target=train)
    thread.start()
    time.sleep(0.03)
    with measuring.quiet() as quiet:
        assert quiet
        order.append("quiet")
        time.sleep(0.05)
        order.append("over")
    thread.join()
    begin, end = order.index("quiet"), order.index("over")
    assert end == begin + 1
    assert order[begin - 1] == "end"
    assert begin < len(order) - 10


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_trial_on_a_gpu() -> None:
    device = torch.device("cuda")
    precision = fit.resolve_precision(device)
    recipe = dataclasses.replace(RECIPE, precision=precision, channels_last=True)
    *_, outcome = Worker(images(), device=device).run(Job(genome().dumps(), recipe.to_json(), 0))
    assert isinstance(outcome, Outcome)
    assert outcome.row["status"] == "ok", outcome.row["error"]
    assert outcome.row["val_accuracy"] > 0.8
    assert outcome.row["latency_batch"] == 64
