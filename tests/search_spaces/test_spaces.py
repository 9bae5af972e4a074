"""Every registered space keeps the contract; registering one is enough to be tested."""

import contextlib
import dataclasses
import inspect
from pathlib import Path

import pytest
import torch

from cells.emit import emit
from cells.genome import Genome, live
from cells.infer import infer
from cells.ops import Invalid
from nas.build import build
from search_spaces import (
    SPACES,
    Chooser,
    Enumerate,
    Fixed,
    Random,
    Replay,
    Space,
    SpaceError,
    UnknownSpaceError,
    find,
    names,
)
from search_spaces.census import sample, size
from search_spaces.choose import Domain, Group, Pick, Real, Recorder, Scalar
from search_spaces.registry import classic, register

SEARCHABLE = names(classic=False)
CLASSICS = names(classic=True)


def small(name: str) -> Space:
    """A space in its laptop ranges, for 3x32x32 and 10 classes."""
    space = SPACES[name]
    preset = space.presets.get("laptop")
    wanted = dict(preset.arguments) if preset else {}
    wanted |= {"input": (3, 32, 32), "classes": 10}
    return space.bind(**{k: v for k, v in wanted.items() if space.takes(k)})


@pytest.mark.parametrize("name", SEARCHABLE)
def test_draws_are_legal_repeatable_and_replayable(name: str) -> None:
    space = small(name)
    valid: list[Genome] = []
    for seed in range(200):
        chooser = Random(seed)
        try:
            genome = space.draw(chooser)
            infer(genome)
        except Invalid as error:
            assert str(error)
            continue
        valid.append(genome)
        assert space.draw(Random(seed)).key == genome.key
        again = Replay(chooser.record)
        assert space.draw(again).key == genome.key
        again.finish()
        assert Genome.loads(genome.dumps()) == genome
    assert len(valid) >= 20


@pytest.mark.parametrize("name", SEARCHABLE)
def test_draws_are_written_as_source_and_train_a_step(name: str) -> None:
    space = small(name)
    written = trained = seed = 0
    while written < 12 or not trained:
        seed += 1
        try:
            genome = space.draw(Random(seed))
        except Invalid:
            continue
        compile(emit(genome), name, "exec")
        written += 1
        if trained == 2 or infer(genome).macs > 20_000_000:
            continue
        trained += 1
        module = build(genome)
        loss = torch.nn.functional.cross_entropy(module(torch.randn(2, 3, 32, 32)), torch.tensor([1, 2]))
        loss.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())


@pytest.mark.parametrize("name", SEARCHABLE)
def test_points_of_a_space_draw(name: str) -> None:
    space = SPACES[name]
    for answers in space.points.values():
        try:
            assert infer(space.draw(Fixed(**answers))).params > 0
        except Invalid:
            assert name == "hybrid", "only classics may be too large for small images"
    for preset in space.presets.values():
        for answers in preset.points.values():
            bound = space.bind(**preset.arguments)
            costs = infer(bound.draw(Replay(answers)))
            assert preset.macs is None or preset.macs[0] <= costs.macs <= preset.macs[1]


@pytest.mark.parametrize("name", sorted(SPACES))
def test_docstring_says_what_it_is(name: str) -> None:
    assert len(inspect.getdoc(SPACES[name].function) or "") > 20


def test_no_space_file_is_long() -> None:
    folder = Path(inspect.getfile(find)).parent
    assert not [f.name for f in folder.rglob("*.py") if len(f.read_text().splitlines()) > 310]


@pytest.mark.parametrize("name", CLASSICS)
def test_classics_ask_nothing(name: str) -> None:
    space = SPACES[name]
    genome = space.draw(Fixed())
    assert genome.key == space.draw(Random(1)).key
    assert size(space, sample(space, 1)).vectors == 1


def test_names_aliases_and_suggestions() -> None:
    assert find("RegNetX-400MF") is find("regnet_x_400mf") is find("regnetx_004")
    with pytest.raises(UnknownSpaceError, match="did you mean regnet"):
        find("regnett")
    with pytest.raises(UnknownSpaceError, match="lists them"):
        find("zzzzzzzz")
    with pytest.raises(ValueError, match="registered twice"):
        register(SPACES["regnet"])
    with pytest.raises(ValueError, match="registered twice"):
        classic("RegNetX-400MF", lambda **_: None, "twice")  # type: ignore[arg-type, return-value]


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(SpaceError, match="no argument 'colour'"):
        SPACES["regnet"].bind(colour=3)


USER = '''
from cells.ops import RELU, BatchNorm, Conv, Flatten, GlobalPool, Linear
from cells.sketch import Sketch

def good(choose, *, input=(3, 32, 32), classes=10):
    """A chain."""
    s = Sketch(input, "Chain")
    x = s.input
    for i in range(choose.integer("depth", 1, 4)):
        w = choose.pick(f"layer{i}.w", [8, 16])
        x = s.chain(x, **{f"conv{i}": Conv(w, 3), f"bn{i}": BatchNorm(), f"relu{i}": RELU})
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(classes)))

def raises(choose):
    return {}["missing"]

def nothing(choose):
    choose.integer("depth", 1, 4)
'''


def test_a_users_own_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USER)
    space = find(f"{file}:good")
    census = sample(space, 50)
    assert census.valid == 50
    counted = size(space, census)
    assert (counted.vectors, counted.how) == (2 + 4 + 8 + 16, "enumeration")
    assert counted.networks == 30
    with pytest.raises(SpaceError, match=r"raised KeyError: 'missing' \(mine.py, line 15, in raises\)"):
        find(f"{file}:raises").draw(Random(0))
    with pytest.raises(SpaceError, match="returned NoneType"):
        find(f"{file}:nothing").draw(Random(0))
    with pytest.raises(SpaceError, match="no function 'other'"):
        find(f"{file}:other")
    with pytest.raises(SpaceError, match="no file"):
        find(f"{tmp_path}/absent.py:good")
    broken = tmp_path / "broken.py"
    broken.write_text("import not_there")
    with pytest.raises(SpaceError, match="ModuleNotFoundError"):
        find(f"{broken}:good")


def test_spaces_are_values() -> None:
    bound = SPACES["regnet"].bind(d=(4, 8))
    assert bound.arguments["d"] == (4, 8)
    assert SPACES["regnet"].arguments == {}
    assert dataclasses.replace(bound, arguments={}) == SPACES["regnet"]


class Shrunk(Recorder):
    """Hands a space's questions on with two answers each for the first five, and one for the others."""

    def __init__(self, inner: Chooser, known: dict[str, int]) -> None:
        super().__init__()
        assert isinstance(inner, Recorder)
        self.inner = inner
        self.known = known

    def _shrink(self, name: str, domain: Domain) -> Domain:
        options = 2 if self.known.setdefault(name, len(self.known)) < 5 else 1
        values = (domain.lo, domain.hi) if isinstance(domain, Real) else domain.values()
        return Pick(tuple(values[:options]))

    def answer(self, name: str, domain: Domain) -> Scalar:
        return self.inner.ask(name, self._shrink(name, domain))

    def ask_group(self, group: Group, domain: Domain) -> list[Scalar]:
        return self.inner.ask_group(group, self._shrink(group.names[0], domain))


@pytest.mark.parametrize("name", SEARCHABLE)
def test_enumerate_agrees_with_the_size_of_shrunken_domains(name: str) -> None:
    space, known = small(name), dict[str, int]()
    asked = next(c.record for c in map(Random, range(200)) if _draws(space, c))
    known.update({question: place for place, question in enumerate(asked)})
    less = dataclasses.replace(
        space,
        function=lambda choose, **arguments: space.function(Shrunk(choose, known), **arguments),
        count=None,
        networks=None,
    )
    counted = size(less, sample(less, 100))
    vectors = [None for chooser in Enumerate() if _draws(less, chooser) is not None]
    assert counted.vectors == len(vectors)


def _draws(space: Space, chooser: Chooser) -> bool:
    try:
        space.draw(chooser)
    except Invalid:
        return False
    return True


@pytest.mark.parametrize("name", [name for name in SEARCHABLE if SPACES[name].count])
def test_a_spaces_own_count_agrees_with_enumerate_in_its_tiny_preset(name: str) -> None:
    space = SPACES[name].bind(**SPACES[name].presets["tiny"].arguments)
    assert space.count is not None
    assert space.count(**space.settings) == sum(1 for c in Enumerate() if _draws(space, c) in (True, False))


@pytest.mark.parametrize("name", [name for name in SEARCHABLE if SPACES[name].all_live])
def test_a_space_that_may_be_given_up_early_draws_nothing_dead(name: str) -> None:
    space = small(name)
    for seed in range(100):
        with contextlib.suppress(Invalid):
            genome = space.draw(Random(seed))
            assert all(live(genome))
            assert not genome.aux
