"""Pictures: equal blocks are one box, and the same genome gives the same file."""

import re
from pathlib import Path

import pytest

from cells.draw import boxes, draw
from cells.infer import infer
from search_spaces import Fixed, find


def drawn(name: str) -> list[tuple[str, int]]:
    genome = find(name).draw(Fixed())
    made, edges = boxes(genome, infer(genome))
    assert all(source < target for source, target in edges)
    assert {target for _, target in edges} == set(range(len(made)))
    assert sum(box.params for box in made) == infer(genome).params
    return [(box.label, box.count) for box in made]


def test_repeated_blocks_are_one_box() -> None:
    found = drawn("regnetx_004")  # stages of 1, 2, 7 and 12 blocks
    assert [count for label, count in found if label == "Bottleneck"] == [1, 6, 11]
    assert len(found) == 1 + 4 + 3 + 1


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "googlenet_paper"])
def test_every_value_is_in_a_box(name: str) -> None:
    assert len(drawn(name)) < 25


def test_the_file_is_stable_and_says_the_totals(tmp_path: Path) -> None:
    genome = find("regnetx_002").draw(Fixed())
    for name in ("one.svg", "two.svg"):
        draw(genome, tmp_path / name, "regnetx_002")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    assert "2,684,792 params" in text
    assert re.search(r"Bottleneck\s+x6", text)
