"""The table of operations. A new op is one file and one import line here."""

from cells.ops.base import OPS, Arg, Call, Facts, Invalid, Op, Shape, Size, Window, check, facts, op
from cells.ops.conv import Conv, Depthwise, Linear
from cells.ops.lenet import RBF, ScaledTanh, Select
from cells.ops.merge import Add, Concat, Mul
from cells.ops.norm import LRN, GroupNorm, InstanceNorm
from cells.ops.pointwise import RELU, SIGMOID, Activation, BatchNorm, Dropout, Identity, Input, Scale, Zero
from cells.ops.pool import AdaptivePool, AvgPool, Flatten, GlobalPool, MaxPool

__all__ = [
    "LRN",
    "OPS",
    "RBF",
    "RELU",
    "SIGMOID",
    "Activation",
    "AdaptivePool",
    "Add",
    "Arg",
    "AvgPool",
    "BatchNorm",
    "Call",
    "Concat",
    "Conv",
    "Depthwise",
    "Dropout",
    "Facts",
    "Flatten",
    "GlobalPool",
    "GroupNorm",
    "Identity",
    "Input",
    "InstanceNorm",
    "Invalid",
    "Linear",
    "MaxPool",
    "Mul",
    "Op",
    "Scale",
    "ScaledTanh",
    "Select",
    "Shape",
    "Size",
    "Window",
    "Zero",
    "check",
    "facts",
    "op",
]
