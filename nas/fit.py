"""The training loop: optimiser, passes over the data, evaluation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cells.genome import Genome
from cells.infer import droppable_paths
from nas.data import Mixed, Split, augmented, mixed, normalised
from nas.recipe import Precision, Recipe
from nas.schedule import Plateau, learning_rate
from nas.transfer import TransferError, factors, head

Step = Callable[[], AbstractContextManager[object]]
"""Entered around each training step, so that other processes can ask for quiet in between."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Epoch(NamedTuple):
    """What one epoch gave: mean training loss, validation accuracy (0-1), seconds of training steps.

    The accuracy is nan where no images are held out.
    """

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


def optimiser(
    module: nn.Module, recipe: Recipe, rates: Mapping[str, float] | None = None
) -> torch.optim.Optimizer:
    """The recipe's optimiser, with groups of parameters for each factor of the learning rate.

    Args:
        rates: factors by node path (see `nas.transfer.factors`); None: 1 throughout.
    """
    by_factor: dict[float, list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            by_factor.setdefault(_rate(name, rates or {}), []).append(parameter)
    groups: list[dict[str, Any]] = []
    for factor, parameters in by_factor.items():
        spared = recipe.weight_decay if recipe.decay == "all" else 0.0
        groups += [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": spared},
        ]
        for group in groups[-2:]:
            group["factor"] = factor
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr)
    if recipe.optimiser == "rmsprop":
        return torch.optim.RMSprop(groups, lr=recipe.lr, momentum=recipe.momentum, alpha=0.9, eps=1e-3)
    nesterov = recipe.nesterov and recipe.momentum > 0
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=nesterov)


def _rate(parameter: str, rates: Mapping[str, float]) -> float:
    """The factor of the node that a parameter belongs to, whose path its name begins with."""
    node = parameter
    while node and node not in rates:
        node = node.rpartition(".")[0]
    return rates.get(node, 1.0)


def autocast(device: torch.device, recipe: Recipe) -> AbstractContextManager[object]:
    """The recipe's precision for a forward pass."""
    if recipe.precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[recipe.precision])


def _laid_out(x: Tensor, recipe: Recipe) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if recipe.channels_last else x


def prepare(pixels: Tensor, data: Split, recipe: Recipe) -> Tensor:
    """Normalised floats of a uint8 batch, in the recipe's memory format."""
    return _laid_out(normalised(pixels, data), recipe)


@torch.inference_mode()
def evaluate(module: nn.Module, x: Tensor, y: Tensor, data: Split, recipe: Recipe, step: Step) -> float:
    """Accuracy (0-1) on uint8 images, nan of none; batch norm by its running statistics."""
    module.eval()
    right = torch.zeros((), dtype=torch.int64, device=x.device)
    for begin in range(0, len(y), recipe.batch):
        pixels, labels = x[begin : begin + recipe.batch], y[begin : begin + recipe.batch]
        with step(), autocast(x.device, recipe):
            right += (module(prepare(pixels, data, recipe)).argmax(1) == labels).sum()
    return int(right) / len(y) if len(y) else math.nan


def fit(
    module: nn.Module,
    data: Split,
    recipe: Recipe,
    seed: int,
    *,
    genome: Genome | None = None,
    step: Step = nullcontext,
    deadline: float = math.inf,
) -> Iterator[Epoch]:
    """Trains an initialised module, one epoch at a time; see `Training`."""
    yield from Training(module, data, recipe, seed, genome=genome, step=step, deadline=deadline).epochs()


class Training:
    """A training under way, which can be saved between two epochs and continued as if it never stopped.

    Args:
        seed: of order and augmentation.
        genome: the module's; needed where the recipe speaks of parts of the network (learning rate factors,
            dropout, drop-path).
        deadline: `time.monotonic()` past which training stops.

    Attributes:
        done: epochs so far, of `total`; at: steps so far, of `steps`.
        rate: learning rate of the last step.

    Raises:
        TransferError: a selector of the recipe's factors selects nothing, or everything is frozen.
    """

    def __init__(
        self,
        module: nn.Module,
        data: Split,
        recipe: Recipe,
        seed: int,
        *,
        genome: Genome | None = None,
        step: Step = nullcontext,
        deadline: float = math.inf,
    ) -> None:
        if recipe.channels_last:
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.module, self.data, self.recipe = module, data, recipe
        self.step, self.deadline = step, deadline
        self.device = data.x.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        images = len(data.y)
        self.batch = min(recipe.batch, images)
        self.per_epoch = max(1, images // self.batch)
        self.steps = recipe.steps or recipe.epochs * self.per_epoch
        self.total = math.ceil(self.steps / self.per_epoch)
        self.done = self.at = 0
        self.rate = 0.0
        self._plateau = Plateau()
        self._frozen: list[nn.Module] = []
        self._drop = 0.0
        rates: dict[str, float] | None = None
        if recipe.lr_factors:
            rates = factors(_needed(genome), recipe.lr_factors)
            self._freeze({path for path, factor in rates.items() if not factor})
        self.optimiser = optimiser(module, recipe, rates)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "fp16")
        self.average: AveragedModel | None = None
        if recipe.ema:
            self.average = AveragedModel(module, multi_avg_fn=self._averaged, use_buffers=True)
        if recipe.dropout or recipe.drop_path:  # after the average, which copies the module
            self._hook(_needed(genome))

    def _freeze(self, paths: set[str]) -> None:
        """Fixes the weights of nodes, and keeps them as in evaluation: batch norms their statistics."""
        for path, part in self.module.named_modules():
            if path in paths:
                self._frozen.append(part)
                part.requires_grad_(False)
        if not any(p.requires_grad for p in self.module.parameters()):
            raise TransferError("every part of the network is frozen: nothing is left to train")

    def _hook(self, genome: Genome) -> None:
        """Lets dropout and drop-path act inside the module, while it trains."""
        recipe = self.recipe
        if recipe.dropout:
            layer = self.module.get_submodule(head(genome))

            def thinned(part: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                return tuple(functional.dropout(x, recipe.dropout, part.training) for x in inputs)

            layer.register_forward_pre_hook(thinned)
        if recipe.drop_path:
            for path in droppable_paths(genome):
                self.module.get_submodule(path).register_forward_hook(self._dropped)

    def _dropped(self, part: nn.Module, inputs: object, output: Tensor) -> Tensor:
        """The output without the images whose path is dropped, the others scaled up."""
        if not part.training or not self._drop:
            return output
        kept = torch.rand(len(output), *[1] * (output.ndim - 1), device=output.device) >= self._drop
        return output * kept / (1 - self._drop)

    def _averaged(self, average: Sequence[Tensor], current: Sequence[Tensor], _: Tensor | int) -> None:
        """One step of the moving average, which forgets faster at the beginning (as TensorFlow's does)."""
        decay = min(self.recipe.ema, (1 + self.at) / (10 + self.at))
        get_ema_multi_avg_fn(decay)(average, current, _)  # type: ignore[no-untyped-call]

    def epochs(self) -> Iterator[Epoch]:
        """Trains to the end, after which the module holds the weights to keep: the average, if there is one.

        Raises:
            TrainingFailedError: the loss is not finite, or the deadline has passed.
        """
        while self.done < self.total:
            yield self._epoch()
        if self.average is not None:
            self.module.load_state_dict(self.average.module.state_dict())

    def _epoch(self) -> Epoch:
        module, data, recipe, batch = self.module, self.data, self.recipe, self.batch
        first = self.done * self.per_epoch
        count = min(self.per_epoch, self.steps - first)
        self._drop = recipe.drop_path * self.done / self.total
        module.train()
        for part in self._frozen:
            part.eval()
        order = torch.randperm(len(data.y), generator=self.generator, device=self.device)
        total = torch.zeros((), device=self.device)
        seconds = 0.0
        for number in range(count):
            with self.step():
                waited = time.perf_counter()
                chosen = order[number * batch : (number + 1) * batch]
                share = learning_rate(first + number, self.steps, recipe)
                self.rate = recipe.lr * share * self._plateau.scale
                for group in self.optimiser.param_groups:
                    group["lr"] = self.rate * group["factor"]
                total += self._step(data.x[chosen], data.y[chosen])
                self.at = first + number + 1
            seconds += time.perf_counter() - waited
            if number % 50 == 49 or number + 1 == count:
                if not math.isfinite(float(total)):
                    raise TrainingFailedError(f"the loss became {float(total)} in epoch {self.done + 1}")
                if time.monotonic() > self.deadline:
                    raise TrainingFailedError("the trial took too long")
        kept = module if self.average is None else self.average.module
        accuracy = evaluate(kept, data.val_x, data.val_y, data, recipe, self.step)
        self.done += 1
        if recipe.schedule == "plateau":
            self._plateau.judge(accuracy, recipe)
        return Epoch(self.done, float(total) / count, accuracy, seconds)

    def _step(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """One step of the optimiser; returns the loss."""
        recipe = self.recipe
        x = augmented(pixels, self.data, recipe, self.generator)
        mixture: Mixed | None = None
        if recipe.mixup or recipe.cutmix:
            mixture = mixed(x, recipe, self.generator)
            x = mixture.x
        with autocast(self.device, recipe):
            outputs = self.module(_laid_out(x, recipe))
            loss = _loss(outputs, labels, recipe)
            if mixture is not None:
                other = _loss(outputs, labels[mixture.partner], recipe)
                loss = mixture.share * loss + (1 - mixture.share) * other
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if recipe.clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.module.parameters(), recipe.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.module)
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on, as plain data (`torch.load(weights_only=True)` reads it)."""
        cuda = self.device.type == "cuda"
        return {
            "done": self.done,
            "module": self.module.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "plateau": vars(self._plateau),
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if cuda else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to where `state` was taken."""
        self.done = state["done"]
        self.at = min(self.steps, self.done * self.per_epoch)
        self.module.load_state_dict(state["module"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self._plateau = Plateau(**state["plateau"])
        self.generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["random"].cpu())
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"].cpu(), self.device)


def _needed(genome: Genome | None) -> Genome:
    if genome is None:
        raise ValueError("a recipe that speaks of parts of the network needs its genome")
    return genome


def _loss(outputs: Tensor | tuple[Tensor, ...], labels: Tensor, recipe: Recipe) -> Tensor:
    """Cross-entropy, auxiliary classifiers by the recipe's weight (Szegedy et al. 2015, section 5: 0.3)."""
    first, *aux = outputs if isinstance(outputs, tuple) else (outputs,)
    entropy = partial(functional.cross_entropy, target=labels, label_smoothing=recipe.label_smoothing)
    loss = entropy(first.float())
    for output in aux:
        loss = loss + recipe.aux * entropy(output.float())
    return loss
