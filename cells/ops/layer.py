"""Norms and scales of each position's channels, for tokens and for feature maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cells.ops.base import Arg, Call, Channels, Invalid, Op, Shape, feature_map, op
from cells.ops.token import matrix


def channels_last(shape: Shape, who: str) -> Shape:
    """The shape, or `Invalid` for a feature map: its channels come first."""
    if len(shape) == 3:
        raise Invalid(f"{who} needs channels last, not the feature map {shape}: make tokens of it first")
    return shape


@dataclass(frozen=True)
class _Norm(Op):
    norm = True

    eps: float = 1e-6

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"


@op("layer_norm")
@dataclass(frozen=True)
class LayerNorm(_Norm):
    """Normalises the channels of each token, with trainable scale and shift (Ba et al. 2016)."""

    def shape(self, *inputs: Shape) -> Shape:
        return channels_last(inputs[0], self.name)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"weight": inputs[0][-1:], "bias": inputs[0][-1:]}

    def module(self, *inputs: Shape) -> Call:
        return Call("nn.LayerNorm", (Arg("width", inputs[0][-1]), Arg("eps", self.eps, 1e-5)))


@op("layer_norm_2d")
@dataclass(frozen=True)
class LayerNorm2d(_Norm):
    """Layer normalisation of a feature map: the channels of each position on their own (ConvNeXt, Swin)."""

    def shape(self, *inputs: Shape) -> Shape:
        return feature_map(inputs[0], self.name)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]}

    def module(self, *inputs: Shape) -> Call:
        return Call("LayerNorm2d", (Arg("width", inputs[0][0]), Arg("eps", self.eps, 1e-5)))

    def definition(self) -> str:
        return '''
class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of each position of a feature map."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
'''


@op("layer_scale")
@dataclass(frozen=True)
class LayerScale(Op):
    """A trainable factor for each channel of a residual branch, small at first (CaiT, arXiv:2103.17239)."""

    init: float = 1e-6

    def shape(self, *inputs: Shape) -> Shape:
        return channels_last(inputs[0], self.name)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"scale": inputs[0][-1:]}

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def module(self, *inputs: Shape) -> Call:
        return Call("LayerScale", (Arg("width", inputs[0][-1]), Arg("init", self.init)))

    def definition(self) -> str:
        return '''
class LayerScale(nn.Module):
    """A trainable factor for each channel."""

    def __init__(self, width: int, init: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((width,), init))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale
'''


@op("affine")
@dataclass(frozen=True)
class Affine(Op):
    """Aff(x) = alpha x + beta for each channel, in the place of a norm (ResMLP, Touvron et al. 2021)."""

    def shape(self, *inputs: Shape) -> Shape:
        return channels_last(inputs[0], self.name)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"alpha": inputs[0][-1:], "beta": inputs[0][-1:]}

    def channels(self, *inputs: Shape) -> Channels:
        return "keep"

    def module(self, *inputs: Shape) -> Call:
        return Call("Affine", (Arg("width", inputs[0][-1]),))

    def definition(self) -> str:
        return '''
class Affine(nn.Module):
    """A trainable factor and shift for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.alpha * x + self.beta
'''


@op("global_response_norm")
@dataclass(frozen=True)
class GlobalResponseNorm(_Norm):
    """Scales channels of tokens by their norm over all tokens, relative to the mean channel's.

    x + gamma x N(x) + beta, gamma and beta 0 at first: Woo et al. 2023 (ConvNeXt V2, arXiv:2301.00808).
    """

    context = True

    def shape(self, *inputs: Shape) -> Shape:
        return matrix(inputs[0], self.name)

    def weights(self, *inputs: Shape) -> Mapping[str, Shape]:
        return {"gamma": inputs[0][-1:], "beta": inputs[0][-1:]}

    def module(self, *inputs: Shape) -> Call:
        return Call("GlobalResponseNorm", (Arg("width", inputs[0][-1]), Arg("eps", self.eps, 1e-6)))

    def definition(self) -> str:
        return '''
class GlobalResponseNorm(nn.Module):
    """Scales each channel by its norm over all tokens, relative to the mean channel's."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.gamma = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        response = x.norm(dim=1, keepdim=True)
        relative = response / (response.mean(-1, keepdim=True) + self.eps)
        return x + self.gamma * (x * relative) + self.beta
'''
