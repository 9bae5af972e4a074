"""Reads and writes the configuration files of pycls for AnyNet and RegNet (YAML; pycls core/config.py).

Radosavovic, Kosaraju, Girshick, He, Dollár: "Designing Network Design Spaces", 2020 (arXiv:2003.13678). Of
YAML this is what such files use: sections of `KEY: value`, scalars and lists of scalars. Everything else,
and every model option that is not drawn here, is refused by name; sections on training are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cells.genome import Genome
from cells.ops import Invalid, Shape
from search_spaces.anynet import network
from search_spaces.choose import Scalar
from search_spaces.regnet import stages_of
from search_spaces.stages import BOTTLENECKS, compatible

BLOCKS = {"vanilla_block": "vanilla", "res_basic_block": "res_basic", "res_bottleneck_block": "X"}
STEMS = {"simple_stem_in": 2, "res_stem_cifar": 1}
"""Strides of the 3x3 stems."""

COMMON = {"STEM_TYPE": "simple_stem_in", "STEM_W": 32, "BLOCK_TYPE": "res_bottleneck_block", "HEAD_W": 0}
COMMON |= {"SE_ON": False, "SE_R": 0.25}
REGNET = {**COMMON, "STRIDE": 2, "DEPTH": 10, "W0": 32, "WA": 5.0, "WM": 2.5, "GROUP_W": 16, "BOT_MUL": 1.0}
ANYNET = {**COMMON, "STRIDES": [], "DEPTHS": [], "WIDTHS": [], "BOT_MULS": [], "GROUP_WS": []}
MODEL = {"TYPE": "", "DEPTH": 0, "NUM_CLASSES": 10, "LOSS_FUN": "", "ACTIVATION_FUN": "relu"}
"""Options and their defaults in pycls."""


def read(text: str, *, input: Shape = (3, 224, 224)) -> Genome:
    """The network of a configuration. Raises `Invalid` naming the line or option that is not understood."""
    sections = _parse(text)
    model = _options(sections, "MODEL", MODEL)
    kind = model["TYPE"]
    if kind not in ("regnet", "anynet"):
        raise Invalid(f"MODEL.TYPE {kind!r} is neither regnet nor anynet")
    if model["ACTIVATION_FUN"] != "relu":
        raise Invalid(f"MODEL.ACTIVATION_FUN {model['ACTIVATION_FUN']!r} is not relu")
    section = kind.upper()
    given = _options(sections, section, REGNET if kind == "regnet" else ANYNET)
    for option, known in (("STEM_TYPE", STEMS), ("BLOCK_TYPE", BLOCKS), ("HEAD_W", (0,))):
        if given[option] not in known:
            raise Invalid(f"{section}.{option} {given[option]!r} is none of {', '.join(map(str, known))}")
    if kind == "regnet":
        stages, _ = stages_of(given["DEPTH"], given["W0"], given["WA"], given["WM"])
        widths, depths = [w for w, _ in stages], [d for _, d in stages]
        strides, muls, groups = ([given[o]] * len(stages) for o in ("STRIDE", "BOT_MUL", "GROUP_W"))
    else:
        widths, depths, strides = given["WIDTHS"], given["DEPTHS"], given["STRIDES"]
        muls, groups = given["BOT_MULS"] or [1.0] * len(widths), given["GROUP_WS"] or [1] * len(widths)
    return network(
        "RegNet" if kind == "regnet" else "AnyNet",
        input,
        model["NUM_CLASSES"],
        d=depths,
        w=widths,
        b=[1 / mul for mul in muls],
        g=groups,
        block=BLOCKS[given["BLOCK_TYPE"]],
        se=given["SE_R"] if given["SE_ON"] else 0,
        stem_width=given["STEM_W"],
        stem_stride=STEMS[given["STEM_TYPE"]],
        strides=strides,
    )


def write_regnet(answers: Mapping[str, Scalar], *, classes: int = 1000, stem_width: int = 32) -> str:
    """The configuration of a RegNet from its answers, for 224x224 (every stage has stride 2)."""
    d, w_0, w_a, w_m, b, g, se = (answers[name] for name in ("d", "w_0", "w_a", "w_m", "b", "g", "se"))
    options = {"STEM_W": stem_width, "DEPTH": d, "W0": w_0, "WA": w_a, "WM": w_m, "GROUP_W": g}
    options["BOT_MUL"] = 1 / b  # type: ignore[operator]
    return _write("regnet", classes, {**options, "SE_ON": bool(se), **({"SE_R": se} if se else {})})


def write_anynet(
    *,
    d: Sequence[int],
    w: Sequence[int],
    b: Sequence[float] = (),
    g: Sequence[int] = (),
    strides: Sequence[int],
    block: str = "X",
    classes: int = 1000,
    stem_width: int = 32,
    stem_stride: int = 2,
) -> str:
    """The configuration of an AnyNet from the settings of its stages; widths as they are drawn.

    Raises:
        Invalid: pycls has no such block (V, VR) or stem.
    """
    names = {ours: theirs for theirs, ours in BLOCKS.items()} | dict.fromkeys(
        BOTTLENECKS, "res_bottleneck_block"
    )
    stems = {stride: name for name, stride in STEMS.items()}
    if block not in names or stem_stride not in stems:
        raise Invalid(f"pycls has no block {block} behind a stem of stride {stem_stride}")
    options: dict[str, Any] = {"STEM_TYPE": stems[stem_stride], "STEM_W": stem_width}
    options |= {"BLOCK_TYPE": names[block], "STRIDES": list(strides), "DEPTHS": list(d), "WIDTHS": list(w)}
    if block in BOTTLENECKS:
        groups = [1] * len(w) if block == "R" else g
        fitted = [compatible(*stage) for stage in zip(w, b, groups, strict=True)]
        options["WIDTHS"] = [width for width, _, _ in fitted]
        options["BOT_MULS"] = [1 / ratio for ratio in b]
        options["GROUP_WS"] = [v if block == "R" else g_i for _, v, g_i in fitted]
        options["SE_ON"] = block == "Y"
    return _write("anynet", classes, options)


def _write(kind: str, classes: int, options: Mapping[str, Any]) -> str:
    lines = ["MODEL:", f"  TYPE: {kind}", f"  NUM_CLASSES: {classes}", f"{kind.upper()}:"]
    return "\n".join([*lines, *(f"  {name}: {value}" for name, value in options.items())]) + "\n"


def _options(sections: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    given = sections.get(name, {})
    if not isinstance(given, dict):
        raise Invalid(f"{name} is no section")
    for option, value in given.items():
        if option not in defaults:
            raise Invalid(f"{name}.{option} is not understood")
        kind = type(defaults[option])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise Invalid(f"{name}.{option} must be {kind.__name__}, not {value!r}")
    return {**defaults, **given}


def _parse(text: str) -> dict[str, Any]:
    """Two levels of `KEY: value`; a list is [a, b] or lines of `- a`."""
    found: dict[str, Any] = {}
    section: dict[str, Any] = found
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        body = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not body:
            continue
        item = re.fullmatch(r" +- +(\S+)", body)
        if item and key:
            section[key] = [*(section[key] or []), _scalar(item[1])]
            continue
        match = re.fullmatch(r"( *)(\w+):(?: +(\S.*))?", body)
        if not match:
            raise Invalid(f"line {number}, {line.strip()!r}, is not `KEY: value`")
        indent, name, value = match.groups()
        if not indent:
            section, key = found, ""
            if value is None:
                section = found[name] = {}
                continue
        key = name
        section[key] = None if value is None else _value(value)
    return found


def _value(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    return _scalar(text)


def _scalar(text: str) -> Scalar:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text.strip("'\"")
