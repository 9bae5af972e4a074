"""The published RegNets (Radosavovic et al. 2020, arXiv:2003.13678, figures 15 and 16; pycls model zoo).

New: networks read off a design space instead of being searched for one by one. ImageNet top-1 errors in
the zoo run from 31.1 (X-200MF) to 18.9 (Y-32GF's size class).
"""

from __future__ import annotations

from cells.genome import Genome
from cells.ops import Shape
from search_spaces.anynet import network
from search_spaces.choose import Chooser, Fixed
from search_spaces.registry import Space, SpaceFunction, register
from search_spaces.regnet import PUBLISHED, answers, regnet


def _named(name: str) -> SpaceFunction:
    def draw(choose: Chooser, *, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
        gate = answers(name)["se"]
        return regnet(Fixed(**answers(name)), input=input, classes=classes, se=(gate,))

    draw.__doc__ = f"RegNet{name} (Radosavovic et al. 2020), from its published d, w_0, w_a, w_m and g."
    return draw


def _timm(name: str) -> str:
    """Timm's name: X-400MF is regnetx_004, Y-1.6GF regnety_016, X-12GF regnetx_120."""
    kind, size = name.split("-")
    scale = 10 if size.endswith("GF") else 0.01
    return f"regnet{kind.lower()}_{round(float(size[:-2]) * scale):03d}"


def _torchvision(name: str) -> str:
    """Torchvision's name: X-400MF is regnet_x_400mf, Y-1.6GF regnet_y_1_6gf, X-8.0GF regnet_x_8gf."""
    kind, size = name.split("-")
    return f"regnet_{kind.lower()}_{size.lower().replace('.0', '').replace('.', '_')}"


def _regnety_080_tv(choose: Chooser, *, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
    """RegNetY-8GF as torchvision has it: its rounding, never below 90% of a width, makes w_1 224, not 168."""
    return network(
        "RegNet",
        input,
        classes,
        d=(2, 4, 10, 1),
        w=(224, 448, 896, 2016),
        b=(1,) * 4,
        g=(56,) * 4,
        se=0.25,
    )


def _regnety_1280(choose: Chooser, *, input: Shape = (3, 224, 224), classes: int = 1000) -> Genome:
    """RegNetY-128GF (torchvision; trained by Singh et al. 2022, arXiv:2201.08371)."""
    fixed = Fixed(d=27, w_0=456, w_a=160.83, w_m=2.52, b=1, g=264, se=0.25)
    return regnet(fixed, input=input, classes=classes, se=(0.25,))


for _name in PUBLISHED:
    # torchvision's regnet_y_8gf is another network than the zoo's.
    _others = (f"RegNet{_name}",) if _name == "Y-8.0GF" else (f"RegNet{_name}", _torchvision(_name))
    register(Space(_timm(_name), _named(_name), classic=True, aliases=_others))
register(Space("regnety_080_tv", _regnety_080_tv, classic=True, aliases=("regnet_y_8gf",)))
register(Space("regnety_1280", _regnety_1280, classic=True, aliases=("RegNetY-128GF", "regnet_y_128gf")))
