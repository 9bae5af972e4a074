"""The fixed split of a training set, and its augmentation in batches on the training device."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nas.recipe import Recipe
from nas.sources import DataError, Images


@dataclass(frozen=True)
class Split:
    """The tensors of one recipe on one device.

    Attributes:
        x, val_x: uint8 (N, 3, H, W).
        mean, std: (1, 3, 1, 1), or (1, 3, H, W) where each pixel has its own; in units of 0-255.
        colours: (3, 3), columns: principal components of the colours of pixels, as long as the standard
            deviation along them; in units of 0-255.
    """

    x: Tensor
    y: Tensor
    val_x: Tensor
    val_y: Tensor
    mean: Tensor
    std: Tensor
    colours: Tensor
    classes: int


def split(images: Images, recipe: Recipe, device: torch.device) -> Split:
    """The recipe's fixed split of the training set. Raises `DataError` when there are too few images."""
    images = resized(images, recipe.side)
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
    if recipe.normalise == "pixel":
        mean, std = part.mean(0, dtype=np.float64), np.ones((part.shape[1], 1, 1))
    else:
        counts = np.stack([np.bincount(part[:, c].ravel(), minlength=256) for c in range(part.shape[1])])
        shares, values = counts / counts.sum(1, keepdims=True), np.arange(256)
        means = shares @ values
        mean, std = means.reshape(-1, 1, 1), np.sqrt(shares @ values**2 - means**2).reshape(-1, 1, 1) + 1e-3

    def statistic(values: NDArray[Any]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    colours = statistic(_colours(part) if recipe.pca else np.zeros((part.shape[1],) * 2))
    return Split(
        x, y, val_x, val_y, statistic(mean[None]), statistic(std[None]), colours, len(images.classes)
    )


def resized(images: Images, side: int, at_once: int = 5000) -> Images:
    """The images at `side` pixels a side, by bilinear sampling without aliasing; 0: as they are."""
    if side in (0, *images.shape[1:]):
        return images
    parts = [
        functional.interpolate(
            torch.from_numpy(images.pixels[i : i + at_once]).float(),
            (side, side),
            mode="bilinear",
            antialias=True,
        )
        for i in range(0, len(images.pixels), at_once)
    ]
    pixels = torch.cat([part.round().clamp(0, 255).to(torch.uint8) for part in parts]).numpy()
    return replace(images, pixels=pixels)


def _colours(pixels: NDArray[np.uint8], most: int = 20_000) -> NDArray[np.float64]:
    """Principal components as in `Split`, from the first images."""
    values = pixels[:most].transpose(1, 0, 2, 3).reshape(pixels.shape[1], -1)
    variances, directions = np.linalg.eigh(np.cov(values))
    return np.asarray(directions * np.sqrt(variances.clip(0)))


def normalised(pixels: Tensor, data: Split) -> Tensor:
    """Floats of a uint8 batch less the mean, by the deviation."""
    return pixels.to(torch.float32).sub_(data.mean).div_(data.std)


def augmented(pixels: Tensor, data: Split, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """A uint8 batch as the recipe shows it to the network in training: distorted, then normalised.

    What lies outside an image is its reflection, or 0, which is the mean.
    """
    if recipe.pad == "reflect" and recipe.normalise == "channel":
        x = normalised(augment(pixels, recipe.crop, recipe.flip, generator), data)
    else:
        x = augment(normalised(pixels, data), recipe.crop, recipe.flip, generator, recipe.pad)
    if recipe.area < 1 or recipe.rotate or recipe.shear or recipe.translate:
        x = _warped(x, recipe, generator)
    if recipe.pca:
        strength = recipe.pca * torch.randn(len(x), x.shape[1], generator=generator, device=x.device)
        x = x + (strength @ data.colours.T)[:, :, None, None] / data.std
    if recipe.cutout:
        x = x.masked_fill(_squares(x, recipe.cutout, generator), 0.0)
    return x


def augment(
    pixels: Tensor, crop: int, flip: bool, generator: torch.Generator, pad: str = "reflect"
) -> Tensor:
    """A batch with random crops (padded by `crop` pixels) and flips, one draw per image."""
    n, _, height, width = pixels.shape
    device = pixels.device
    rows = torch.arange(height, device=device).expand(n, height)
    columns = torch.arange(width, device=device).expand(n, width)
    if flip:
        mirrored = torch.rand(n, 1, generator=generator, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    if crop:
        shift = torch.randint(-crop, crop + 1, (2, n, 1), generator=generator, device=device)
        rows, columns = rows + shift[0], columns + shift[1]
        if pad == "zero":
            pixels = functional.pad(pixels, (crop,) * 4)
            rows, columns = rows + crop, columns + crop
        else:
            rows, columns = _reflect(rows, height), _reflect(columns, width)
    images = torch.arange(n, device=device).view(n, 1, 1, 1)
    channels = torch.arange(pixels.shape[1], device=device).view(1, -1, 1, 1)
    return pixels[images, channels, rows[:, None, :, None], columns[:, None, None, :]]


def _reflect(index: Tensor, size: int) -> Tensor:
    index = index.abs()
    return torch.where(index >= size, 2 * size - 2 - index, index)


def _warped(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Cropped and resized, rotated, sheared and shifted in one bilinear sampling."""
    n = len(x)

    def uniform(largest: float) -> Tensor:
        return largest * (2 * torch.rand(n, generator=generator, device=x.device) - 1)

    area = 1 - (1 - recipe.area) * torch.rand(n, generator=generator, device=x.device)
    aspect = torch.exp(uniform(math.log(4 / 3))) if recipe.area < 1 else torch.ones_like(area)
    wide, high = ((area * ratio).sqrt().clamp(max=1) for ratio in (aspect, 1 / aspect))
    angle, shear = uniform(math.radians(recipe.rotate)), torch.tan(uniform(math.radians(recipe.shear)))
    cos, sin = torch.cos(angle), torch.sin(angle)
    # Where each output position looks, in coordinates from -1 to 1.
    right = (uniform(1.0) * (1 - wide)) + uniform(2 * recipe.translate)
    down = (uniform(1.0) * (1 - high)) + uniform(2 * recipe.translate)
    across = torch.stack([wide * cos, wide * (shear * cos - sin), right], 1)
    along = torch.stack([high * sin, high * (shear * sin + cos), down], 1)
    grid = functional.affine_grid(torch.stack([across, along], 1), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def _squares(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """(N, 1, H, W): true in a square around a random pixel of each image, cut off at the border."""
    inside = []
    for size in x.shape[2:]:
        middle = torch.randint(size, (len(x), 1), generator=generator, device=x.device)
        offset = torch.arange(size, device=x.device) - middle + side // 2
        inside.append((offset >= 0) & (offset < side))
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


class Mixed(NamedTuple):
    """A batch whose images are mixed in pairs: `share` of each is its own, the rest the partner's."""

    x: Tensor
    partner: Tensor
    share: float


def mixed(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Mixed:
    """The batch with mixup or cutmix; one draw of the share for the batch, as in the papers' code."""
    rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator, device=x.device)))
    partner = torch.randperm(len(x), generator=generator, device=x.device)
    blend = recipe.mixup > 0 and (recipe.cutmix == 0 or rng.random() < 0.5)
    alpha = recipe.mixup if blend else recipe.cutmix
    share = float(rng.beta(alpha, alpha))
    if blend:
        return Mixed(share * x + (1 - share) * x[partner], partner, share)
    height, width = x.shape[2:]
    box = []
    for size in (height, width):
        middle, half = rng.integers(size), round(size * math.sqrt(1 - share)) / 2
        box.append(slice(max(0, int(middle - half)), min(size, int(middle + half))))
    x = x.clone()
    x[:, :, box[0], box[1]] = x[partner][:, :, box[0], box[1]]
    covered = (box[0].stop - box[0].start) * (box[1].stop - box[1].start)
    return Mixed(x, partner, 1 - covered / (height * width))
