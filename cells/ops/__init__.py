"""The table of operations. A new op is one file and one import line here."""

from cells.ops.base import OPS, Arg, Call, Facts, Invalid, Op, Shape, Size, Window, check, facts, op
from cells.ops.conv import Conv, Depthwise, Linear
from cells.ops.merge import Add, Concat, Mul
from cells.ops.pad import Pad
from cells.ops.pointwise import RELU, SIGMOID, Activation, BatchNorm, Dropout, Identity, Input, Zero
from cells.ops.pool import AvgPool, Flatten, GlobalPool, MaxPool

__all__ = [
    "OPS",
    "RELU",
    "SIGMOID",
    "Activation",
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
    "Identity",
    "Input",
    "Invalid",
    "Linear",
    "MaxPool",
    "Mul",
    "Op",
    "Pad",
    "Shape",
    "Size",
    "Window",
    "Zero",
    "check",
    "facts",
    "op",
]
