"""Proxies are what their papers say, and leave networks as they are."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Activation, BatchNorm, Conv, Dropout, Flatten, GlobalPool, Linear
from cells.residual import bottleneck
from cells.sketch import Sketch
from nas.build import build
from nas.proxies import PROXIES, Batch, ProxyError, proxy, score, training_batch
from nas.recipe import Recipe
from nas.sources import Images
from search_spaces import SPACES, Fixed
from search_spaces.formats import read_nasbench201

BUILT = [name for name, entry in PROXIES.items() if not entry.of_costs]

RNG = np.random.default_rng(0)
IMAGES = Images(
    "noise",
    RNG.integers(0, 256, (60, 3, 8, 8)).astype(np.uint8),
    RNG.integers(0, 2, 60).astype(np.int64),
    ("a", "b"),
)
RECIPE = Recipe(val_images=20)


def network(kind: Any = "relu") -> Genome:
    s = Sketch((3, 8, 8), "Small")
    x = s.chain(s.input, conv=Conv(8, 3, bias=True), bn=BatchNorm(), act=Activation(kind))
    if kind == "relu":
        x = bottleneck(s, x, "blocks.0", 8, w_b=8, g=4)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), drop=Dropout(0.5), fc=Linear(2)))


@pytest.fixture(scope="module")
def batch() -> Batch:
    return training_batch(IMAGES, RECIPE, torch.device("cpu"), 16)


def test_the_batch_is_of_the_training_part(batch: Batch) -> None:
    order = np.random.default_rng(RECIPE.split).permutation(60)
    assert batch.labels.tolist() == IMAGES.labels[order[20:36]].tolist()
    part = IMAGES.pixels[order[20:]].astype(float)
    expected = (part[:16] - part.mean((0, 2, 3), keepdims=True)) / part.std((0, 2, 3), keepdims=True)
    assert np.allclose(batch.images.numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("name", sorted(PROXIES))
def test_a_seed_fixes_a_score(name: str, batch: Batch) -> None:
    before = torch.get_rng_state()
    first = score(name, network(), batch)
    assert first == score(name, network(), batch)
    assert torch.equal(torch.get_rng_state(), before)
    assert (score(name, network(), batch, seed=1) == first) == PROXIES[name].of_costs
    assert PROXIES[name].summary.endswith((".", ")"))


@pytest.mark.parametrize("name", BUILT)
def test_a_proxy_leaves_the_module_as_it_is(name: str, batch: Batch) -> None:
    module = build(network()).train()
    state = {n: t.clone() for n, t in module.state_dict().items()}
    PROXIES[name].function(module, *batch)
    assert all(torch.equal(t, state[n]) and t.dtype == state[n].dtype for n, t in module.state_dict().items())
    for part in module.modules():
        assert part.training
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
        assert "forward" not in vars(part)
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
    assert not batch.images.requires_grad


def test_baselines_are_the_costs(batch: Batch) -> None:
    costs = infer(network())
    assert (score("params", network(), batch), score("macs", network(), batch)) == (costs.params, costs.macs)


class Chain(nn.Module):
    """Three matrices with ReLUs and norms between."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Flatten(), nn.Linear(12, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU()),
            *(nn.Linear(5, 4, bias=False), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 3, bias=False)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


@pytest.fixture
def chain() -> tuple[Chain, Batch]:
    torch.manual_seed(0)
    return Chain(), Batch(torch.randn(4, 3, 2, 2), torch.tensor([0, 1, 2, 0]))


def test_synflow_is_the_product_of_absolute_matrices_once_for_each(chain: tuple[Chain, Batch]) -> None:
    module, batch = chain
    flow = torch.ones(12, dtype=torch.float64)
    for weight in (p for p in module.parameters() if p.ndim > 1):
        flow = weight.detach().double().abs() @ flow
    # What flows through is the same in each of the three layers (Tanaka et al., section 4).
    expected = math.log(3 * float(flow.sum()))
    assert PROXIES["synflow"].function(module, *batch) == pytest.approx(expected, rel=1e-12)


def test_naswot_counts_equal_signs(chain: tuple[Chain, Batch]) -> None:
    module, batch = chain
    seen: list[torch.Tensor] = []
    hooks = [
        part.register_forward_hook(lambda *given: seen.append(given[2] > 0))
        for part in module.modules()
        if isinstance(part, nn.ReLU)
    ]
    with torch.no_grad():
        module(batch.images)
    for hook in hooks:
        hook.remove()
    codes = torch.cat(seen, 1)
    kernel = (codes[:, None] == codes[None]).sum(2).double()
    assert kernel.diagonal().tolist() == [9.0] * 4
    expected = float(torch.logdet(kernel))
    assert PROXIES["naswot"].function(module, *batch) == pytest.approx(expected, rel=1e-9)


def test_gradients_are_those_of_the_loss(chain: tuple[Chain, Batch]) -> None:
    module, batch = chain
    nn.functional.cross_entropy(module(batch.images), batch.labels).backward()
    weights = [p for p in module.parameters() if p.ndim > 1]
    norms = sum(float(p.grad.norm()) for p in weights if p.grad is not None)
    products = sum(float((p * p.grad).abs().sum().detach()) for p in weights if p.grad is not None)
    assert PROXIES["grad_norm"].function(module, *batch) == pytest.approx(norms, rel=1e-5)
    assert PROXIES["snip"].function(module, *batch) == pytest.approx(products, rel=1e-5)


def test_jacob_cov_is_highest_where_images_do_not_correlate() -> None:
    """A linear map has the same gradient for every image; one by its own weights for each has others."""
    images = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(5, dtype=torch.int64)
    k = 1e-5

    class Own(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * torch.eye(5, 48).view(5, 3, 4, 4)).flatten(1)

    linear = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    same = PROXIES["jacob_cov"].function(linear, images, labels)
    assert same == pytest.approx(-(math.log(5 + k) + 1 / (5 + k) + 4 * (math.log(k) + 1 / k)), rel=1e-4)
    # Five unit vectors in 48 dimensions: centred, any two of them correlate by -1 / 47.
    low, high = 1 - 4 / 47, 1 + 1 / 47
    expected = -sum(math.log(s + k) + 1 / (s + k) for s in (low, *[high] * 4))
    assert PROXIES["jacob_cov"].function(Own(), images, labels) == pytest.approx(expected, rel=1e-6)


def test_naswot_is_undefined_without_relus(batch: Batch) -> None:
    with pytest.raises(ProxyError, match="it has no ReLUs"):
        score("naswot", network("gelu"), batch)


def test_a_network_that_ignores_its_images_has_no_score(batch: Batch) -> None:
    space = SPACES["nasbench201"].bind(input=(3, 8, 8), classes=2, n=1, f=8)
    empty = space.draw(Fixed(**read_nasbench201("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")))
    for name, said in (("naswot", "tell the images apart"), ("jacob_cov", "depend on every image")):
        with pytest.raises(ProxyError, match=said):
            score(name, empty, batch)
    dead = build(network())
    for parameter in dead.parameters():
        nn.init.zeros_(parameter)
    with pytest.raises(ProxyError, match="nothing flows"):
        PROXIES["synflow"].function(dead, *batch)


def test_synflow_beyond_float64_says_so(batch: Batch) -> None:
    deep = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(3)), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    deep.double()
    for parameter in deep.parameters():
        nn.init.constant_(parameter, 1e200)
    assert PROXIES["synflow"].function(deep, *batch) == math.inf  # which `score` refuses


def test_names_are_used_once() -> None:
    with pytest.raises(ValueError, match="'synflow' is registered twice"):
        proxy("synflow")(lambda module, images, labels: 0.0)
