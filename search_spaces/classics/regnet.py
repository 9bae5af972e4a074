"""The published RegNets (Radosavovic et al. 2020, arXiv:2003.13678, figures 15 and 16; pycls model zoo).

New: networks read off a design space instead of being searched for one by one. ImageNet top-1
errors of the zoo: 27.4 for X-400MF, 20.0 for X-16GF, 19.1 for Y-32GF.
"""

from __future__ import annotations

from functools import partial

from cells.genome import Genome
from cells.ops import Shape
from search_spaces.anynet import network
from search_spaces.choose import Fixed, Scalar
from search_spaces.registry import classic
from search_spaces.regnet import PUBLISHED, answers, regnet


def _regnet(settings: dict[str, Scalar], *, input: Shape, classes: int) -> Genome:
    return regnet(Fixed(**settings), input=input, classes=classes, se=(settings["se"],))


def _timm(name: str) -> str:
    """timm's name: X-400MF is regnetx_004, Y-1.6GF regnety_016, X-12GF regnetx_120."""
    kind, size = name.split("-")
    scale = 10 if size.endswith("GF") else 0.01
    return f"regnet{kind.lower()}_{round(float(size[:-2]) * scale):03d}"


def _torchvision(name: str) -> str:
    """torchvision's name: X-400MF is regnet_x_400mf, Y-1.6GF regnet_y_1_6gf, X-8.0GF regnet_x_8gf."""
    kind, size = name.split("-")
    return f"regnet_{kind.lower()}_{size.lower().replace('.0', '').replace('.', '_')}"


for _name in PUBLISHED:
    # torchvision's regnet_y_8gf is another network than the zoo's.
    _others = (f"RegNet{_name}",) if _name == "Y-8.0GF" else (f"RegNet{_name}", _torchvision(_name))
    _doc = f"RegNet{_name} (Radosavovic et al. 2020): a good design space, described by six numbers."
    classic(_timm(_name), partial(_regnet, answers(_name)), _doc, aliases=_others)

classic(
    "regnety_080_tv",
    partial(network, "RegNet", d=(2, 4, 10, 1), w=(224, 448, 896, 2016), b=(1,) * 4, g=(56,) * 4, se=0.25),
    "RegNetY-8GF as torchvision has it: its rounding, never below 90% of a width, makes w_1 224, not 168.",
    aliases=("regnet_y_8gf",),
)
classic(
    "regnety_1280",
    partial(_regnet, {"d": 27, "w_0": 456, "w_a": 160.83, "w_m": 2.52, "b": 1, "g": 264, "se": 0.25}),
    "RegNetY-128GF (Singh et al. 2022, arXiv:2201.08371; torchvision): RegNet for weak supervision at scale.",
    aliases=("RegNetY-128GF", "regnet_y_128gf"),
)
