"""EfficientNet's scaling: the published triples, and what the docs say of them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from cells.infer import infer
from cells.mobile import rounded
from search_spaces.classics.efficientnet import B0, PUBLISHED, efficientnet
from search_spaces.mobile import scaled

DOCS = Path(__file__).parents[3] / "docs" / "efficientnet-scaling.md"


def test_the_docs_table_is_what_its_program_prints() -> None:
    text = DOCS.read_text()
    program = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[-1]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, {})
    assert printed.getvalue() in text


@pytest.mark.parametrize(
    ("width", "multiple"), [(32 * 1.1, 32), (40 * 1.1, 48), (11.2, 16), (5.6, 8), (32 * 1.4, 48)]
)
def test_widths_are_rounded_but_never_below_90_percent(width: float, multiple: int) -> None:
    assert rounded(width) == multiple >= 0.9 * width


def test_depths_are_rounded_up() -> None:
    assert [row.n for row in scaled(B0, 1.0, 1.1)] == [2, 3, 3, 4, 4, 5, 2]


@pytest.mark.parametrize(
    ("name", "params"),
    # torchvision's and lukemelas' counts of the networks without a row in the reference table.
    [("b3", 12_233_232), ("b5", 30_389_784), ("b7", 66_347_960)],
)
def test_published_networks(name: str, params: int) -> None:
    w, d, r, *_ = PUBLISHED[name]
    assert infer(efficientnet(w, d, input=(3, r, r))).params == params
