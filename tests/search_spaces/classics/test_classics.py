"""Every classic equals its published figures; registering one is enough to be tested.

Each `rows_*.py` beside this file maps rows of the reference tables to registered names.
"""

import csv
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from cells.emit import emit
from cells.genome import Genome
from cells.infer import Costs, infer
from cells.ops import Invalid
from nas.build import build
from search_spaces import SPACES, Fixed, find, names

FOLDER = Path(__file__).parent
CLASSICS = names(classic=True)
LARGE = 30_000_000
"""Parameters above which a network is not built in a test."""


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAMILIES = [_load(file.stem) for file in sorted(FOLDER.glob("rows_*.py"))]
EQUAL = {row: name for family in FAMILIES for row, name in family.ROWS.items()}
DIFFERENT = {row: told for family in FAMILIES for row, told in family.DIFFERENT.items()}


@cache
def _table(file: Path) -> dict[str, dict[str, str]]:
    with file.open() as opened:
        return {row["name"]: row for row in csv.DictReader(opened)}


def _figures(row: dict[str, str], name: str) -> tuple[Costs, dict[str, int]]:
    """(our costs at the row's input and classes, the row's figures by cost)."""
    side, channels = int(row["input_resolution"]), int(row["input_channels"] or 3)
    space = find(name).bind(input=(channels, side, side), classes=int(row["num_classes"] or 0))
    costs = infer(space.draw(Fixed()))
    # Attention products count as multiply-adds here; the table has them in a column of its own.
    macs = row["macs_with_attention"] or row["macs"]
    given = {"params": row["params"], "macs": macs, "activations": row["activations"]}
    return costs, {name: int(text) for name, text in given.items() if text}


@pytest.mark.parametrize("row", sorted(EQUAL))
def test_equal_to_the_integer(shared: Path, row: str) -> None:
    costs, figures = _figures(_table(shared / "reference" / "classics.csv")[row], EQUAL[row])
    assert {name: getattr(costs, name) for name in figures} == figures


@pytest.mark.parametrize("row", sorted(DIFFERENT))
def test_known_differences_still_differ(shared: Path, row: str) -> None:
    name, cause = DIFFERENT[row]
    assert len(cause) > 20
    costs, figures = _figures(_table(shared / "reference" / "classics.csv")[row], name)
    assert {name: getattr(costs, name) for name in figures} != figures


def test_no_row_is_claimed_twice() -> None:
    assert not set(EQUAL) & set(DIFFERENT)


@cache
def _drawn(name: str) -> Genome:
    return SPACES[name].draw(Fixed())


@pytest.mark.parametrize("name", CLASSICS)
def test_round_trip_and_source(name: str) -> None:
    genome = _drawn(name)
    again = Genome.loads(genome.dumps())
    assert again == genome
    assert again.key == genome.key
    source = emit(genome)
    compile(source, name, "exec")
    assert max(map(len, source.splitlines())) <= 110


def _small(name: str) -> Genome:
    """The network at the smallest input that it takes, with ten classes."""
    shape = _drawn(name).input
    for side in (32, 64, 75, 96, 128, shape[1]):
        if side > shape[1]:
            continue
        try:
            genome = SPACES[name].bind(input=(shape[0], side, side), classes=10).draw(Fixed())
        except Invalid:
            continue
        return genome
    return _drawn(name)


@pytest.mark.parametrize("name", CLASSICS)
def test_builds_and_runs_both_ways(name: str) -> None:
    genome = _small(name)
    if infer(genome).params > LARGE or infer(genome).macs > 2_000_000_000:
        emit(genome)  # too large to run here; its source and counts are tested above
        return
    module = build(genome)
    module.train()
    outputs = module(torch.randn(2, *genome.input))
    first, *aux = outputs if isinstance(outputs, tuple) else (outputs,)
    assert tuple(first.shape) == (2, *infer(genome).output)
    assert len(aux) == len(genome.aux)
    (first.sum() + sum(a.sum() for a in aux)).backward()
    missing = [n for n, p in module.named_parameters() if p.grad is None]
    assert not missing


def test_no_classic_file_is_long() -> None:
    folder = Path(importlib.util.find_spec("search_spaces").origin or "").parent / "classics"  # type: ignore[union-attr]
    assert not [f.name for f in folder.glob("*.py") if len(f.read_text().splitlines()) > 300]
