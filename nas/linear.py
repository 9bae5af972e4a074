"""A linear classifier on frozen features, as the last layer of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from nas.data import Split
    from nas.recipe import Recipe

    Floats = NDArray[np.float64]

STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Values of scikit-learn's C that cross-validation chooses from, for features of unit variance."""


def features(module: nn.Module, layer: str, x: Tensor, data: Split, recipe: Recipe) -> Floats:
    """(N, D): what a layer reads, of images shown as they are, by a network as in evaluation.

    Args:
        layer: path of a module.
        x: uint8 images.
    """
    import torch

    from nas.fit import prepare

    found: list[Tensor] = []

    def read(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(inputs[0].flatten(1).to("cpu", torch.float64))

    hook = module.get_submodule(layer).register_forward_pre_hook(read)
    module.eval()
    try:
        with torch.inference_mode():
            for begin in range(0, len(x), recipe.batch):
                module(prepare(x[begin : begin + recipe.batch], data, recipe))
    finally:
        hook.remove()
    return torch.cat(found).numpy()


def classifier(x: Floats, y: NDArray[Any], *, seed: int = 0, most: int = 5000) -> tuple[Floats, Floats]:
    """(weight (K, D), bias (K,)) of a logistic regression; how it is regularised is cross-validated.

    Args:
        x, y: features (N, D) and labels from 0 to K - 1.
        most: so many rows are used to choose the regularisation.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x)
    scaled = scaler.transform(x)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    chosen = np.random.default_rng(seed).permutation(len(y))[:most]
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": STRENGTHS}, cv=folds)
    search.fit(scaled[chosen], y[chosen])
    fitted = LogisticRegression(C=search.best_params_["C"], max_iter=1000).fit(scaled, y)
    weight, bias = fitted.coef_, fitted.intercept_
    if len(weight) == 1:  # of two classes it tells the second one's side only
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    weight = weight / scaler.scale_
    return weight, bias - weight @ scaler.mean_


def fit_last(module: nn.Module, layer: str, data: Split, recipe: Recipe, seed: int) -> None:
    """Sets the last layer, a linear one, to the classifier of what it reads."""
    import torch

    weight, bias = classifier(features(module, layer, data.x, data, recipe), data.y.cpu().numpy(), seed=seed)
    last = module.get_submodule(layer)
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(weight))
        if last.bias is not None:
            last.bias.copy_(torch.from_numpy(bias))
