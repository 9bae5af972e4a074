"""Genomes as values: JSON both ways, and what is refused."""

import json
from typing import Any

import networkx as nx
import pytest
from torch import nn

from cells.genome import RESERVED, Genome
from cells.ops import RELU, Add, BatchNorm, Conv, Flatten, GlobalPool, Invalid, Linear
from cells.residual import bottleneck
from cells.sketch import Sketch


def small() -> Genome:
    s = Sketch((3, 8, 8), "Small")
    with s.block("stem", "Stem"):
        x = s.chain(s.input, conv=Conv(8, 3), bn=BatchNorm(), relu=RELU)
    x = bottleneck(s, x, "stages.0.0", 16, w_b=16, g=8, stride=2, se=0.25)
    return s.genome(s.chain(x, pool=GlobalPool(), flatten=Flatten(), fc=Linear(10)))


def test_json_round_trip() -> None:
    genome = small()
    again = Genome.loads(genome.dumps())
    assert again == genome
    assert hash(again) == hash(genome)
    assert again.key == genome.key
    assert json.loads(genome.dumps())["kinds"]["stages.0.0"] == "ProjectionBottleneck"


def test_to_networkx() -> None:
    genome = small()
    graph = genome.to_networkx()
    assert graph.number_of_nodes() == len(genome.nodes)
    assert graph.number_of_edges() == sum(len(node.inputs) for node in genome.nodes)
    assert nx.is_directed_acyclic_graph(graph)
    assert graph.nodes[len(genome.nodes) - 1]["shape"] == (10,)


def broken(change: str) -> Any:
    data = small().to_json()
    match change:
        case "op":
            data["nodes"][0]["op"] = "__import__"
        case "field":
            data["nodes"][0]["colour"] = 3
        case "value":
            data["nodes"][0]["out"] = "8, 3); import os; (8"
        case "boolean":
            data["nodes"][0]["out"] = True
        case "missing":
            del data["nodes"][0]["out"]
        case "input":
            data["input"] = [3, -8, 8]
        case "forward":
            data["nodes"][0]["in"] = [5]
        case "path":
            data["nodes"][0]["path"] = "stem.conv; import os"
        case "keyword":
            data["nodes"][0]["path"] = "stem.class"
        case "reserved":
            data["nodes"][0]["path"] = "stem.forward"
        case "twice":
            data["nodes"][1]["path"] = data["nodes"][0]["path"]
        case "through":
            data["nodes"][1]["path"] = data["nodes"][0]["path"] + ".inner"
        case "kind":
            data["kinds"]["stem"] = "Stem(object): pass"
        case "kinds of nothing":
            data["kinds"]["nowhere"] = "Stem"
        case "format":
            data["format"] = 99
        case "aux":
            data["aux"] = [10**6]
        case "list":
            data = [data]  # type: ignore[assignment]
        case "empty":
            data["nodes"] = []
    return data


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("op", "unknown op"),
        ("field", "no field colour"),
        ("value", "not of type int"),
        ("boolean", "not of type int"),
        ("missing", "stem.conv"),
        ("input", "input must be"),
        ("forward", "earlier nodes"),
        ("path", "no legal path"),
        ("keyword", "no legal path"),
        ("reserved", "no legal path"),
        ("twice", "used twice"),
        ("through", "through another node"),
        ("kind", "class name"),
        ("kinds of nothing", "has no nodes"),
        ("format", "format 99"),
        ("aux", "aux"),
        ("list", "JSON object"),
        ("empty", "at least one node"),
    ],
)
def test_malformed_genomes_are_refused_in_words(change: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        Genome.from_json(broken(change))


def test_text_that_is_no_json() -> None:
    with pytest.raises(Invalid, match="not JSON"):
        Genome.loads("{")


def test_reserved_names_are_those_of_torch() -> None:
    assert {name for name in dir(nn.Module()) if not name.startswith("_")} - {"T_destination"} <= RESERVED


def test_sketch_names_the_path_at_fault() -> None:
    s = Sketch((3, 8, 8))
    with s.block("stem", "Stem"):
        x = s.add("conv", Conv(8, 3, stride=2), s.input)
        with pytest.raises(Invalid, match=r"stem\.add: add: shapes differ"):
            s.add("add", Add(), x, s.input)
        with pytest.raises(Invalid, match=r"stem\.conv: the path is used twice"):
            s.add("conv", Conv(8, 3), x)
    with pytest.raises(Invalid, match="drawn last"):
        s.genome(s.input)
    s.add("stem", RELU, x)
    with pytest.raises(Invalid, match="same path"):
        s.genome(s.add("last", RELU, x))
