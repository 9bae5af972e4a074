"""Widths that must agree are tied; changing one tie leaves a legal genome."""

import pytest

from cells.genome import Genome
from cells.infer import infer
from cells.ops import (
    RELU,
    Add,
    BatchNorm,
    ChannelShuffle,
    Chunk,
    Concat,
    Conv,
    Depthwise,
    Flatten,
    GlobalPool,
    Linear,
)
from cells.residual import basic, bottleneck, squeeze_excite
from cells.rewrite import Rewrite
from cells.sketch import Sketch, Value
from cells.widths import ties, widened


def finished(s: Sketch, x: Value) -> Genome:
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)))


def tied(genome: Genome) -> list[set[str]]:
    return [{genome.nodes[i].path for i in tie.nodes} for tie in ties(genome)]


def out(genome: Genome, path: str) -> int:
    return next(f.shape[0] for n, f in zip(genome.nodes, genome.facts, strict=True) if n.path == path)


def test_a_residual_sum_ties_what_it_adds() -> None:
    s = Sketch((3, 8, 8), "Net")
    x = s.add("stem", Conv(16, 3), s.input)
    x = basic(s, basic(s, x, "a", 16), "b", 24)
    genome = finished(s, x)
    assert tied(genome) == [{"stem", "a.conv2"}, {"a.conv1"}, {"b.proj", "b.conv2"}, {"b.conv1"}]
    wider = widened(genome, ties(genome)[0], 1.5)
    assert out(wider, "stem") == out(wider, "a.conv2") == 24
    assert out(wider, "a.conv1") == 16


def test_groups_still_divide() -> None:
    s = Sketch((3, 8, 8), "Net")
    x = bottleneck(s, s.add("stem", Conv(64, 3), s.input), "a", 64, w_b=24, g=8)
    genome = finished(s, x)
    inner = next(tie for tie, paths in zip(ties(genome), tied(genome), strict=True) if "a.conv1" in paths)
    assert {"a.conv1", "a.conv2"} == {genome.nodes[i].path for i in inner.nodes}
    assert [out(widened(genome, inner, f), "a.conv1") for f in (0.1, 0.5, 1.5, 2.0)] == [8, 16, 32, 48]


def test_chunks_shuffles_and_concatenations_are_followed() -> None:
    s = Sketch((3, 8, 8), "Net")
    x = s.add("stem", Conv(12, 3), s.input)
    left, right = (s.add(f"half{i}", Chunk(i, 2), x) for i in (0, 1))
    y = s.chain(right, conv=Conv(6, 1), depthwise=Depthwise(3))
    x = s.add("concat", Concat(), left, y)
    x = s.add("shuffle", ChannelShuffle(2), x)
    x = s.add("sum", Add(), x, s.add("other", Conv(12, 1), x))
    genome = finished(s, x)
    assert tied(genome) == [{"stem", "conv", "other"}]
    for factor in (0.5, 0.75, 1.25, 2.0):
        assert infer(widened(genome, ties(genome)[0], factor)).params != infer(genome).params


def test_an_unconstrained_concatenation_ties_nothing() -> None:
    s = Sketch((3, 8, 8), "Net")
    x = s.add("concat", Concat(), s.add("a", Conv(5, 1), s.input), s.add("b", Conv(7, 3), s.input))
    assert tied(finished(s, x)) == [{"a"}, {"b"}]


def test_squeeze_and_excitation_follows() -> None:
    s = Sketch((3, 8, 8), "Net")
    x = s.chain(s.input, conv=Conv(32, 3), bn=BatchNorm(), relu=RELU)
    genome = finished(s, squeeze_excite(s, x, 8))
    assert tied(genome) == [{"conv", "se.expand"}]
    half = widened(genome, ties(genome)[0], 0.5)
    assert (out(half, "se.reduce"), out(half, "se.expand")) == (4, 16)


def test_the_image_and_the_classes_are_fixed() -> None:
    s = Sketch((16, 8, 8), "Net")
    x = s.add("add", Add(), s.input, s.add("conv", Conv(16, 3), s.input))
    assert ties(finished(s, x)) == []


def test_rewriting_keeps_paths_and_prunes_what_is_dead() -> None:
    s = Sketch((3, 8, 8), "Net")
    genome = finished(s, basic(s, s.add("stem", Conv(16, 3), s.input), "a", 24))
    new = Rewrite(genome)
    new.inputs["a.add"].remove("a.proj_bn")
    added = new.insert("a.relu2", new.free("a.relu"), RELU, "a.relu2")
    new.redirect("a.relu2", added)
    made = new.genome()
    paths = [node.path for node in made.nodes]
    assert "a.proj" not in paths
    assert paths.index("a.relu") == paths.index("a.relu2") + 1 == paths.index("pool") - 1
    assert new.free("a.relu1") == "a.relu12"
    assert new.free("a") == "a2"
    assert Genome.loads(made.dumps()) == made


@pytest.mark.parametrize("factor", [0.01, 1.0, 100.0])
def test_a_width_is_never_nothing(factor: float) -> None:
    s = Sketch((3, 8, 8), "Net")
    genome = finished(s, s.add("stem", Conv(16, 3), s.input))
    assert out(widened(genome, ties(genome)[0], factor), "stem") == max(1, round(16 * factor))
