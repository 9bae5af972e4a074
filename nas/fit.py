"""The training loop: initialisation, optimiser, schedule, one pass over the data, evaluation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.genome import Genome
from cells.infer import residual_norms
from nas.data import Split, augment
from nas.recipe import Precision, Recipe

Step = Callable[[], AbstractContextManager[object]]
"""Entered around each training step, so that other processes can ask for quiet in between."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Epoch(NamedTuple):
    """What one epoch gave: mean training loss, validation accuracy (0-1), seconds of training steps."""

    epoch: int
    loss: float
    accuracy: float
    seconds: float


class TrainingFailedError(RuntimeError):
    """Training cannot go on; the message says why."""


def resolve_precision(device: torch.device) -> Precision:
    """The precision in which this device trains fastest without losing accuracy."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    # CPUs gain from bf16 only where they multiply in it.
    fast = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return "bf16" if any(getattr(torch.cpu, name, lambda: False)() for name in fast) else "fp32"


def initialise(module: nn.Module, genome: Genome, recipe: Recipe) -> None:
    """Fills the module's weights by the recipe; norms keep scale 1 and shift 0 but for `zero-gamma`."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.01)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)
    if recipe.init == "zero-gamma":
        for path in residual_norms(genome):
            nn.init.zeros_(module.get_submodule(path).weight)  # type: ignore[arg-type]


def optimiser(module: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with Nesterov momentum; weight decay on tensors of two or more dimensions only."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    return torch.optim.SGD(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.momentum > 0,
    )


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """The learning rate of a step (from 0) of so many, as a share of the recipe's peak."""
    rise = max(1.0, (recipe.warmup if recipe.schedule == "cosine" else 0.3) * steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1.0, steps - rise)))


def autocast(device: torch.device, recipe: Recipe) -> AbstractContextManager[object]:
    """The recipe's precision for a forward pass."""
    if recipe.precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[recipe.precision])


def prepare(pixels: Tensor, data: Split, recipe: Recipe) -> Tensor:
    """Normalised floats of a uint8 batch, in the recipe's memory format."""
    x = pixels.to(torch.float32).sub_(data.mean).div_(data.std)
    return x.contiguous(memory_format=torch.channels_last) if recipe.channels_last else x


@torch.inference_mode()
def evaluate(module: nn.Module, x: Tensor, y: Tensor, data: Split, recipe: Recipe, step: Step) -> float:
    """Accuracy (0-1) on uint8 images; batch norm by its running statistics."""
    module.eval()
    right = torch.zeros((), dtype=torch.int64, device=x.device)
    for begin in range(0, len(y), recipe.batch):
        pixels, labels = x[begin : begin + recipe.batch], y[begin : begin + recipe.batch]
        with step(), autocast(x.device, recipe):
            right += (module(prepare(pixels, data, recipe)).argmax(1) == labels).sum()
    return int(right) / len(y)


def fit(
    module: nn.Module,
    data: Split,
    recipe: Recipe,
    seed: int,
    *,
    step: Step = nullcontext,
    deadline: float = math.inf,
) -> Iterator[Epoch]:
    """Trains an initialised module, one epoch at a time.

    Args:
        seed: of order and augmentation.
        deadline: `time.monotonic()` past which training stops.

    Raises:
        TrainingFailedError: the loss is not finite, or the deadline has passed.
    """
    device = data.x.device
    if recipe.channels_last:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator = torch.Generator(device).manual_seed(seed)
    sgd = optimiser(module, recipe)
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
    images = len(data.y)
    batch = min(recipe.batch, images)
    per_epoch = max(1, images // batch)
    steps = recipe.epochs * per_epoch
    for epoch in range(recipe.epochs):
        module.train()
        order = torch.randperm(images, generator=generator, device=device)
        total = torch.zeros((), device=device)
        seconds = 0.0
        for number in range(per_epoch):
            with step():
                waited = time.perf_counter()
                chosen = order[number * batch : (number + 1) * batch]
                share = learning_rate(epoch * per_epoch + number, steps, recipe)
                for group in sgd.param_groups:
                    group["lr"] = recipe.lr * share
                pixels = augment(data.x[chosen], recipe.crop, recipe.flip, generator)
                with autocast(device, recipe):
                    outputs = module(prepare(pixels, data, recipe))
                    loss = _loss(outputs, data.y[chosen], recipe)
                sgd.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
                scaler.step(sgd)
                scaler.update()
                total += loss.detach()
            seconds += time.perf_counter() - waited
            if number % 50 == 49 or number + 1 == per_epoch:
                if not math.isfinite(float(total)):
                    raise TrainingFailedError(f"the loss became {float(total)} in epoch {epoch + 1}")
                if time.monotonic() > deadline:
                    raise TrainingFailedError("the trial took too long")
        accuracy = evaluate(module, data.val_x, data.val_y, data, recipe, step)
        yield Epoch(epoch + 1, float(total) / per_epoch, accuracy, seconds)


def _loss(outputs: Tensor | tuple[Tensor, ...], labels: Tensor, recipe: Recipe) -> Tensor:
    """Cross-entropy; auxiliary classifiers count 0.3 each (Szegedy et al. 2015, section 5)."""
    first, *aux = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = functional.cross_entropy(first.float(), labels, label_smoothing=recipe.label_smoothing)
    for output in aux:
        loss = loss + 0.3 * functional.cross_entropy(
            output.float(), labels, label_smoothing=recipe.label_smoothing
        )
    return loss
