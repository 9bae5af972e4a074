"""What a first-time author of a space is told."""

from pathlib import Path

import pytest

from nas.options import Options
from nas.planning import plan
from nas.strategies import StrategyError
from search_spaces import SpaceError

AUTHORS = """
import random
from cells.ops import RELU, Add, BatchNorm, Conv, Flatten, GlobalPool, Linear
from cells.sketch import Sketch

def finish(s, x):
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)))

def empty(choose, *, input=(3, 32, 32)):
    s = Sketch(input)
    return finish(s, s.add("conv", Conv(choose.pick("width", []), 3), s.input))

def twice(choose, *, input=(3, 32, 32)):
    s = Sketch(input)
    x = s.add("conv1", Conv(choose.pick("width", [8, 16]), 3), s.input)
    return finish(s, s.add("conv2", Conv(choose.pick("width", [8, 16]), 3), x))

def chance(choose, *, input=(3, 32, 32)):
    s = Sketch(input)
    return finish(s, s.add("conv", Conv(random.randrange(1, 1000), 3), s.input))

def chance_questions(choose, *, input=(3, 32, 32)):
    s = Sketch(input)
    width = choose.pick(f"width{random.randrange(1000)}", [8, 16])
    return finish(s, s.add("conv", Conv(width, 3), s.input))

def moving(choose, *, input=(3, 32, 32)):
    s = Sketch(input)
    low = choose.integer("low", 8, 64)
    return finish(s, s.add("conv", Conv(choose.integer("width", low, 64), 3), s.input))

def mismatch(choose, *, input=(3, 32, 32)):
    s = Sketch(input)
    x = s.add("stem", Conv(choose.pick("width", [8, 16]), 3), s.input)
    with s.block("stage1", "Stage"):
        x = s.add("sum", Add(), x, s.add("conv", Conv(24, 3), x))
    return finish(s, x)

def unknown_field(choose, *, input=(3, 32, 32)):
    s = Sketch(input)
    return finish(s, s.add("conv", Conv(8, 3, strides=2), s.input))
"""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("empty", "question 'width' has no options"),
        ("twice", "question 'width' is asked twice in one draw: give each question its own name"),
        ("chance", "the same answers draw different networks: not deterministic"),
        ("chance_questions", "the same answers lead elsewhere .the record has no answer to 'width"),
        ("moving", "question 'width' has another domain than before"),
        (
            "mismatch",
            r"none of 200 random draws .* stage1\.sum: add: shapes differ: \((8|16), 32, 32\) and \(24",
        ),
        ("unknown_field", r"raised TypeError: .*strides.* \(mine.py, line 41, in unknown_field\)"),
    ],
)
def test_each_mistake_of_a_first_time_author_is_named(tmp_path: Path, function: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(AUTHORS)
    wish = Options(space=f"{tmp_path}/mine.py:{function}", dataset="digits", run=str(tmp_path / "run"))
    with pytest.raises(SpaceError, match=said):
        plan(wish)


def test_a_storage_that_cannot_be_opened_is_found_before_anything_is_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/study.db"
    run = tmp_path / "run"
    with pytest.raises(StrategyError, match=r"--storage: .*unable to open"):
        plan(Options(dataset="digits", strategy="tpe", storage=url, run=str(run)))
    assert not run.exists()
