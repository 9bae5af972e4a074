"""The fixed split of a training set, and its augmentation in batches on the training device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.recipe import Recipe
from nas.sources import DataError, Images


@dataclass(frozen=True)
class Split:
    """The tensors of one recipe on one device: uint8 (N, 3, H, W); mean and std (1, 3, 1, 1) in 0-255."""

    x: Tensor
    y: Tensor
    val_x: Tensor
    val_y: Tensor
    mean: Tensor
    std: Tensor
    classes: int


def split(images: Images, recipe: Recipe, device: torch.device) -> Split:
    """The recipe's fixed split of the training set. Raises `DataError` when there are too few images."""
    count = len(images.labels)
    order = np.random.default_rng(recipe.split).permutation(count)
    val, train = order[: recipe.val_images], order[recipe.val_images :]
    if len(train) < 1 or len(val) < recipe.val_images:
        raise DataError(
            f"{images.name} has {count} training images, too few to validate on {recipe.val_images}"
        )
    if recipe.train_images is not None:
        train = train[: recipe.train_images]

    def on_device(indices: NDArray[Any]) -> tuple[Tensor, Tensor]:
        return (
            torch.from_numpy(images.pixels[indices]).to(device),
            torch.from_numpy(images.labels[indices]).to(device),
        )

    x, y = on_device(train)
    val_x, val_y = on_device(val)
    # Statistics of the whole training part, so that they do not depend on how much of it is used.
    part = images.pixels[order[recipe.val_images :]]
    counts = np.stack([np.bincount(part[:, c].ravel(), minlength=256) for c in range(part.shape[1])])
    shares, values = counts / counts.sum(1, keepdims=True), np.arange(256)
    means = shares @ values
    mean = torch.tensor(means, dtype=torch.float32, device=device).view(1, -1, 1, 1)
    spread = np.sqrt(shares @ values**2 - means**2) + 1e-3
    std = torch.tensor(spread, dtype=torch.float32, device=device).view(1, -1, 1, 1)
    return Split(x, y, val_x, val_y, mean, std, len(images.classes))


def augment(pixels: Tensor, crop: int, flip: bool, generator: torch.Generator) -> Tensor:
    """A batch with random crops (reflected at the border by `crop` pixels) and flips, one draw per image."""
    n, _, height, width = pixels.shape
    device = pixels.device
    rows = torch.arange(height, device=device).expand(n, height)
    columns = torch.arange(width, device=device).expand(n, width)
    if flip:
        mirrored = torch.rand(n, 1, generator=generator, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    if crop:
        shift = torch.randint(-crop, crop + 1, (2, n, 1), generator=generator, device=device)
        rows, columns = _reflect(rows + shift[0], height), _reflect(columns + shift[1], width)
    images = torch.arange(n, device=device).view(n, 1, 1, 1)
    channels = torch.arange(pixels.shape[1], device=device).view(1, -1, 1, 1)
    return pixels[images, channels, rows[:, None, :, None], columns[:, None, None, :]]


def _reflect(index: Tensor, size: int) -> Tensor:
    index = index.abs()
    return torch.where(index >= size, 2 * size - 2 - index, index)
