"""Zero-cost proxies: scores of networks that nobody has trained, from one batch of images or from none.

Each is registered by `@proxy(name)`; the higher its score, the better it thinks of the network. `synflow`,
`grad_norm` and `snip` are sums over a network's weights, as by Abdelfattah et al. 2021 (arXiv:2101.08134,
section 3.2). The numbers of parameters and of multiply-adds are the baselines that the others have to beat;
`python -m experiments.proxies` says which do.

Weights are torch's default initialisation, as in the papers: a recipe's `zero-gamma` would switch off what is
to be scored. Dropout is off, and batch norms go by the statistics of the batch.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from cells.genome import Genome
from cells.infer import Costs, infer
from nas.build import build
from nas.data import split
from nas.fit import prepare
from nas.recipe import Recipe
from nas.sources import Images

BATCH = 64
"""Images that a network is scored on."""

RELUS = (nn.ReLU, nn.ReLU6)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
NORMS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.LocalResponseNorm)


class ProxyError(ValueError):
    """A network of which a proxy says nothing; the message says why."""


class Batch(NamedTuple):
    """Normalised images (N, C, H, W) and their classes (N,), on one device."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Proxy:
    """A registered proxy.

    Attributes:
        function: (costs) -> score where it is `of_costs`, else (module, images, labels) -> score.
        of_costs: nothing needs to be built.
        summary: one line.
    """

    function: Callable[..., float]
    of_costs: bool
    summary: str


PROXIES: dict[str, Proxy] = {}
"""Every proxy by name."""

F = TypeVar("F", bound=Callable[..., float])


def proxy(name: str, *, of_costs: bool = False) -> Callable[[F], F]:
    """Decorator: registers a proxy (see `Proxy`), which must leave the module as it is.

    Raises ValueError for a name used twice.
    """

    def enter(function: F) -> F:
        if name in PROXIES:
            raise ValueError(f"proxy {name!r} is registered twice")
        PROXIES[name] = Proxy(function, of_costs, (inspect.getdoc(function) or "").partition("\n")[0])
        return function

    return enter


def score(name: str, genome: Genome, batch: Batch, seed: int = 0) -> float:
    """A network's score; finite.

    Args:
        seed: of the weights.

    Raises:
        ProxyError: the proxy says nothing of this network.
    """
    found = PROXIES[name]
    if found.of_costs:
        return found.function(infer(genome))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build(genome)
    value = found.function(module.to(batch.images.device), *batch)
    if not math.isfinite(value):
        raise ProxyError(f"its {name} is {value}")
    return value


def training_batch(images: Images, recipe: Recipe, device: torch.device, size: int = BATCH) -> Batch:
    """The first images of the recipe's training part, not augmented."""
    recipe = replace(recipe, train_images=size, channels_last=False)
    data = split(images, recipe, device)
    return Batch(prepare(data.x, data, recipe), data.y)


@proxy("params", of_costs=True)
def params(costs: Costs) -> float:
    """Trainable parameters: a baseline."""
    return costs.params


@proxy("macs", of_costs=True)
def macs(costs: Costs) -> float:
    """Multiply-adds: a baseline."""
    return costs.macs


@proxy("synflow")
def synflow(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Synaptic flow: what flows through a network of absolute weights, without data; its logarithm.

    Tanaka et al. 2020 (arXiv:2006.05467), section 6: the sum of theta * dR/dtheta, where R is the sum of
    the outputs for an image of ones. Norms are bypassed. Of the images only the shape is used. In float64,
    which very deep and wide networks still exceed.
    """
    made = _copy(module).double()
    for part in made.modules():
        if isinstance(part, NORMS):
            part.forward = _pass  # type: ignore[method-assign]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.abs_()
    ones = torch.ones(1, *images.shape[1:], dtype=torch.float64, device=images.device)
    flow = sum(float((w * g).abs().sum()) for w, g in _gradients(made, made(ones).sum()))
    if flow == 0:
        raise ProxyError("nothing flows from its input to its output")
    return math.log(flow)


@proxy("naswot")
def naswot(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """NASWOT: how well the signs of its ReLUs' inputs tell images apart.

    Mellor et al. 2021 (arXiv:2006.04647v3), section 3: log |K_H|, where K_H[i, j] is the number of ReLUs
    whose inputs have the same sign for the images i and j.
    """
    made = _copy(module)
    relus = [part for part in made.modules() if isinstance(part, RELUS)]
    if not relus:
        raise ProxyError("it has no ReLUs")
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64, device=images.device)

    def agree(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        code = (inputs[0] > 0).flatten(1).float()
        ones = code.sum(1).double()
        both = (code @ code.T).double()
        # Where both are on, and where both are off: (1 - c) (1 - c)^T, multiplied out.
        kernel.add_(2 * both - ones[:, None] - ones + code.shape[1])

    for part in relus:
        part.register_forward_pre_hook(agree)
    with torch.no_grad():
        made(images)
    sign, value = torch.linalg.slogdet(kernel.cpu())
    if sign <= 0:
        raise ProxyError("its ReLUs do not tell the images apart")
    return float(value)


@proxy("jacob_cov")
def jacob_cov(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """How little the gradients of the outputs with respect to different images correlate.

    Mellor et al. 2020 (arXiv:2006.04647v1), section 3: -sum(log(s + k) + 1 / (s + k)) over the eigenvalues s
    of the correlation matrix of the images' Jacobians; k = 1e-5.
    """
    made = _copy(module)
    x = images.clone().requires_grad_()
    (jacobian,) = _derivatives(made(x).sum(), [x])
    correlation = torch.corrcoef(jacobian.flatten(1).double()).cpu()
    if not correlation.isfinite().all():
        raise ProxyError("its output does not depend on every image")
    shifted = torch.linalg.eigvalsh(correlation) + 1e-5
    return -float((shifted.log() + 1 / shifted).sum())


@proxy("grad_norm")
def grad_norm(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum of the Euclidean norms of all weights' gradients (Abdelfattah et al. 2021, section 3.2)."""
    return sum(float(gradient.norm()) for _, gradient in _loss_gradients(module, images, labels))


@proxy("snip")
def snip(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """SNIP: the sum of |theta * dL/dtheta|, what the loss would lose with each weight.

    Lee et al. 2019 (arXiv:1810.02340), section 4.1, without their normalisation, which sums to one.
    """
    return sum(float((w * g).abs().sum()) for w, g in _loss_gradients(module, images, labels))


def _copy(module: nn.Module) -> nn.Module:
    """A copy that may be spoiled."""
    made = copy.deepcopy(module).eval().requires_grad_(True)
    for part in made.modules():
        if isinstance(part, BATCH_NORMS):
            part.train()
    return made


def _pass(input: Tensor) -> Tensor:
    return input


def _gradients(module: nn.Module, value: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Each weight (of two or more dimensions: no bias and no norm) and the gradient of the value."""
    weights = [p for p in module.parameters() if p.ndim > 1]
    return [(w.detach(), g) for w, g in zip(weights, _derivatives(value, weights), strict=True)]


def _derivatives(value: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Of the value with respect to each tensor; zeroes where it does not depend on it."""
    return torch.autograd.grad(value, tensors, allow_unused=True, materialize_grads=True)


def _loss_gradients(module: nn.Module, images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Each weight and its gradient of the cross-entropy."""
    made = _copy(module)
    return _gradients(made, functional.cross_entropy(made(images), labels))
