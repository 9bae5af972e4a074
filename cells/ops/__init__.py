"""The table of operations. A new op is one file and one import line here."""

from cells.ops.attention import Attention, SpatialGate
from cells.ops.base import OPS, Arg, Call, Facts, Invalid, Op, Shape, Size, Window, check, facts, op
from cells.ops.channel import ChannelShuffle, Chunk, Narrow
from cells.ops.conv import Conv, Depthwise, Linear
from cells.ops.layer import Affine, GlobalResponseNorm, LayerNorm, LayerNorm2d, LayerScale
from cells.ops.lenet import RBF, ScaledTanh, Select
from cells.ops.merge import Add, Concat, Mul, Vote
from cells.ops.norm import LRN, GroupNorm, InstanceNorm
from cells.ops.pad import Pad
from cells.ops.pointwise import RELU, SIGMOID, Activation, BatchNorm, Dropout, Identity, Input, Scale, Zero
from cells.ops.pool import AdaptivePool, AvgPool, Flatten, GlobalPool, MaxPool
from cells.ops.token import ClassToken, MeanTokens, Position, Take, Tokens, ToMap, Transpose
from cells.ops.widen import PadChannels
from cells.ops.window import SpaceToDepth, Unwindow, WindowAttention, Windows

__all__ = [
    "LRN",
    "OPS",
    "RBF",
    "RELU",
    "SIGMOID",
    "Activation",
    "AdaptivePool",
    "Add",
    "Affine",
    "Arg",
    "Attention",
    "AvgPool",
    "BatchNorm",
    "Call",
    "ChannelShuffle",
    "Chunk",
    "ClassToken",
    "Concat",
    "Conv",
    "Depthwise",
    "Dropout",
    "Facts",
    "Flatten",
    "GlobalPool",
    "GlobalResponseNorm",
    "GroupNorm",
    "Identity",
    "Input",
    "InstanceNorm",
    "Invalid",
    "LayerNorm",
    "LayerNorm2d",
    "LayerScale",
    "Linear",
    "MaxPool",
    "MeanTokens",
    "Mul",
    "Narrow",
    "Op",
    "Pad",
    "PadChannels",
    "Position",
    "Scale",
    "ScaledTanh",
    "Select",
    "Shape",
    "Size",
    "SpaceToDepth",
    "SpatialGate",
    "Take",
    "ToMap",
    "Tokens",
    "Transpose",
    "Unwindow",
    "Vote",
    "Window",
    "WindowAttention",
    "Windows",
    "Zero",
    "check",
    "facts",
    "op",
]
