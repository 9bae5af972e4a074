"""pycls configuration files against the published networks."""

import pytest

from cells.infer import infer
from cells.ops import Invalid
from search_spaces import SPACES, Fixed, find
from search_spaces.pycls import read, write_anynet, write_regnet
from search_spaces.regnet import PUBLISHED, answers

Y_1600MF = """
MODEL:
  TYPE: regnet
  NUM_CLASSES: 1000   # ImageNet
REGNET:
  SE_ON: True
  DEPTH: 27
  W0: 48
  WA: 20.71
  WM: 2.65
  GROUP_W: 24
  BOT_MUL: 1.0
OPTIM:
  BASE_LR: 0.1
  STEPS: []
NUM_GPUS: 1
OUT_DIR: .
"""


def test_a_published_configuration() -> None:
    genome = read(Y_1600MF)
    assert genome.key == find("regnety_016").draw(Fixed()).key
    assert infer(genome).params == 11_202_430


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_regnets_survive(name: str) -> None:
    genome = find(f"RegNet{name}").draw(Fixed())
    assert read(write_regnet(answers(name))).key == genome.key


@pytest.mark.parametrize("block", ["X", "Y", "R", "res_basic", "vanilla"])
@pytest.mark.parametrize("stem", [1, 2])
def test_anynets_survive(block: str, stem: int) -> None:
    d, w, b, g = [1, 2, 3, 1], [24, 40, 56, 200], [1, 2, 4, 2], [16, 8, 32, 4]
    letters = {"d": d, "w": w, "b": b, "g": g}
    settings = {f"stage{i + 1}.{letter}": v[i] for letter, v in letters.items() for i in range(4)}
    space = SPACES["anynet"].bind(block=block, stem_stride=stem, strides=(1, 2, 2, 2))
    text = write_anynet(d=d, w=w, b=b, g=g, block=block, stem_stride=stem, strides=(1, 2, 2, 2), classes=10)
    assert read(text, input=(3, 32, 32)).key == space.draw(Fixed(**settings)).key


def test_lists_in_lines() -> None:
    flow = write_anynet(d=[1, 1], w=[16, 32], b=[1, 1], g=[8, 8], strides=[1, 2])
    lines = flow.replace("DEPTHS: [1, 1]", "DEPTHS:\n  - 1\n  - 1")
    assert lines != flow
    assert read(lines).key == read(flow).key


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("TYPE: regnet", "TYPE: effnet", "neither regnet nor anynet"),
        ("W0: 48", "W0: many", "REGNET.W0 must be int, not 'many'"),
        ("W0: 48", "QUANT: 4", "REGNET.QUANT is not understood"),
        ("SE_ON: True", "STEM_TYPE: res_stem_in", "STEM_TYPE 'res_stem_in' is none of"),
        ("SE_ON: True", "HEAD_W: 64", "HEAD_W 64 is none of 0"),
        ("SE_ON: True", "&anchor", "line 6, '&anchor', is not"),
        ("NUM_CLASSES: 1000", "ACTIVATION_FUN: silu", "'silu' is not relu"),
    ],
)
def test_what_is_not_understood_is_named(old: str, new: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        read(Y_1600MF.replace(old, new))


def test_blocks_that_pycls_lacks() -> None:
    with pytest.raises(Invalid, match="no block VR"):
        write_anynet(d=[1], w=[8], strides=[1], block="VR")
