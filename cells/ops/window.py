"""Attention in shifted windows, and the ops that cut maps into windows and patches (Swin, arXiv:2103.14030).

Windows are (rows, columns, tokens, D): a grid of windows with M·M tokens each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cells.ops.attention import Heads
from cells.ops.base import Arg, Call, Invalid, Op, Shape, Window, feature_map, op


def _windows(shape: Shape, window: int, shift: int, who: str) -> Shape:
    """(rows, columns, tokens, D), or `Invalid` for anything that is no grid of windows of this size."""
    if len(shape) != 4 or shape[2] != window * window:
        raise Invalid(f"{who} needs windows (rows, columns, {window * window}, D), not {shape}")
    if not 0 <= shift < window:
        raise Invalid(f"{who}: a shift of {shift} is not below the window, {window}")
    return shape


def _shift(shift: int, grid: Shape) -> tuple[int, int]:
    """The shift down and to the right: none along a side with one window only."""
    return (shift if grid[0] > 1 else 0, shift if grid[1] > 1 else 0)


@dataclass(frozen=True)
class _Shifted(Op):
    window_size: int = 7
    shift: int = 0


@op("windows")
@dataclass(frozen=True)
class Windows(_Shifted):
    """A feature map cut into windows of M x M tokens: (C, H, W) -> (rows, columns, M·M, C).

    The map is filled up with zeros to whole windows, then shifted cyclically up and to the left
    (Liu et al. 2021, arXiv:2103.14030, figure 4), but not along a side that one window covers.
    """

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        size = self.window_size
        if size < 1:
            raise Invalid(f"windows: a window of {size}")
        return _windows(
            (-(-height // size), -(-width // size), size * size, channels), size, self.shift, self.name
        )

    def identity(self, *inputs: Shape) -> tuple[object, ...]:
        return (self.name, self.window_size, _shift(self.shift, self.shape(*inputs)))

    def module(self, *inputs: Shape) -> Call:
        shift = _shift(self.shift, self.shape(*inputs))
        return Call("Windows", (Arg("window", self.window_size), Arg("shift", shift)))

    def definition(self) -> str:
        return '''
class Windows(nn.Module):
    """Cuts a map, shifted cyclically, into a grid of windows: (B, rows, columns, tokens, C)."""

    def __init__(self, window: int, shift: tuple[int, int]) -> None:
        super().__init__()
        self.window = window
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = nn.functional.pad(x, (0, -width % self.window, 0, -height % self.window))
        x = torch.roll(x, [-step for step in self.shift], (2, 3))
        x = x.unflatten(3, (-1, self.window)).unflatten(2, (-1, self.window))
        return x.permute(0, 2, 4, 3, 5, 1).flatten(3, 4)
'''


@op("unwindow")
@dataclass(frozen=True)
class Unwindow(_Shifted):
    """What `Windows` did, undone: the second input is the map that was cut, whose extent comes back."""

    arity = 2

    def shape(self, *inputs: Shape) -> Shape:
        rows, columns, _, channels = _windows(inputs[0], self.window_size, self.shift, self.name)
        _, height, width = feature_map(inputs[1], self.name)
        if (-(-height // self.window_size), -(-width // self.window_size)) != (rows, columns):
            raise Invalid(f"unwindow: {rows}x{columns} windows do not cover a map of {height}x{width}")
        return (channels, height, width)

    def identity(self, *inputs: Shape) -> tuple[object, ...]:
        return (self.name, self.window_size, _shift(self.shift, inputs[0]))

    def module(self, *inputs: Shape) -> Call:
        shift = _shift(self.shift, inputs[0])
        return Call("Unwindow", (Arg("window", self.window_size), Arg("shift", shift)))

    def definition(self) -> str:
        return '''
class Unwindow(nn.Module):
    """Puts windows back in their places in the map that they were cut from."""

    def __init__(self, window: int, shift: tuple[int, int]) -> None:
        super().__init__()
        self.window = window
        self.shift = shift

    def forward(self, x: Tensor, cut: Tensor) -> Tensor:
        height, width = cut.shape[2:]
        x = x.unflatten(3, (self.window, self.window)).permute(0, 5, 1, 3, 2, 4)
        x = torch.roll(x.flatten(4, 5).flatten(2, 3), self.shift, (2, 3))
        return x[:, :, :height, :width]
'''


@op("window_attention")
@dataclass(frozen=True)
class WindowAttention(_Shifted, Heads):
    """Attention inside each window, with a learned bias for each relative position and head.

    Tokens that only the cyclic shift brought together do not see each other. Source: Liu et al. 2021
    (Swin, arXiv:2103.14030), section 3.2, equation 4. (rows, columns, M·M, 3D) -> (rows, columns, M·M, D).
    """

    def shape(self, *inputs: Shape) -> Shape:
        shape = _windows(inputs[0], self.window_size, self.shift, self.name)
        return (*shape[:-1], self.split(shape))

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        heads = self.split(inputs[0]) // self.head_width
        return {"bias": ((2 * self.window_size - 1) ** 2, heads)}

    def identity(self, *inputs: Shape) -> tuple[object, ...]:
        return (self.name, self.head_width, self.window_size, _shift(self.shift, inputs[0]))

    def module(self, *inputs: Shape) -> Call:
        grid = inputs[0][:2]
        return Call(
            "WindowAttention",
            (
                Arg("width", self.split(inputs[0])),
                Arg("head_width", self.head_width),
                Arg("window", self.window_size),
                Arg("shift", _shift(self.shift, grid)),
                Arg("grid", grid),
            ),
        )

    def definition(self) -> str:
        return '''
class WindowAttention(nn.Module):
    """Attention in each window of a grid, with a bias for each relative position and head."""

    def __init__(
        self,
        width: int,
        head_width: int,
        window: int,
        shift: tuple[int, int],
        grid: tuple[int, int],
    ) -> None:
        super().__init__()
        self.heads = width // head_width
        self.bias = nn.Parameter(torch.empty((2 * window - 1) ** 2, self.heads))
        nn.init.trunc_normal_(self.bias, std=0.02)
        steps = torch.arange(window)
        offset = steps[:, None] - steps + window - 1
        index = offset[:, None, :, None] * (2 * window - 1) + offset[None, :, None, :]
        self.register_buffer("index", index.reshape(window**2, window**2), persistent=False)
        # The last rows and columns came around the edge: they and the others are no neighbours.
        rows, columns = (
            torch.arange(count * window).reshape(count, window) >= count * window - step
            for count, step in zip(grid, shift)
        )
        region = 2 * rows[:, None, :, None] + columns[None, :, None, :].long()
        region = region.reshape(-1, 1, window**2, 1)
        mask = torch.zeros(len(region), 1, window**2, window**2)
        mask = mask.masked_fill(region != region.mT, float("-inf"))
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, qkv: Tensor) -> Tensor:
        grid = qkv.shape[1:3]
        qkv = qkv.unflatten(4, (3, self.heads, -1)).transpose(3, 5).flatten(1, 3)
        q, k, v = qkv.unbind(2)
        bias = (self.bias[self.index].permute(2, 0, 1) + self.mask).flatten(0, 1)
        y = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return y.unflatten(1, (*grid, self.heads)).transpose(3, 4).flatten(4)
'''


@op("space_to_depth")
@dataclass(frozen=True)
class SpaceToDepth(Op):
    """Each 2x2 patch as one position with four times the channels: Swin's patch merging, section 3.1.

    An odd side is filled up with zeros. Upper left, lower left, upper right, lower right, in this order.
    """

    def shape(self, *inputs: Shape) -> Shape:
        channels, height, width = feature_map(inputs[0], self.name)
        return (4 * channels, -(-height // 2), -(-width // 2))

    def window(self) -> Window:
        return Window((2, 2), (2, 2))

    def module(self, *inputs: Shape) -> Call:
        return Call("SpaceToDepth")

    def definition(self) -> str:
        return '''
class SpaceToDepth(nn.Module):
    """Each 2x2 patch as one position with four times the channels."""

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        x = x.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
        return x.permute(0, 5, 3, 1, 2, 4).flatten(1, 3)
'''
