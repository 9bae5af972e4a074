"""An architecture as a value: an immutable, weight-free graph of operations."""

from __future__ import annotations

import dataclasses
import json
import keyword
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from cells import identity
from cells.ops import OPS, Facts, Input, Invalid, Op, Shape, facts
from cells.ops.base import image_facts

FORMAT = 1
"""Version of the JSON form."""

RESERVED = frozenset(
    """
    add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches eval
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to
    to_empty train training type xpu zero_grad
    """.split()
)
"""Names that torch modules have already (a test compares them with torch's)."""

_PART = re.compile(r"[A-Za-z][A-Za-z0-9_]*|0|[1-9][0-9]*")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]*")


class Node(NamedTuple):
    """One operation: what it does, the indices of the nodes it reads, and its path in the module."""

    op: Op
    inputs: tuple[int, ...]
    path: str


@dataclass(frozen=True)
class Genome:
    """A topologically ordered graph from its first node, the input, to its last, the output.

    Attributes:
        input: shape (C, H, W) of one image.
        nodes: each reads earlier ones only. Paths are unique, legal torch attribute paths.
        kinds: (block path, class name) pairs, sorted; labels that give the emitted classes their names.
        aux: further outputs (auxiliary classifiers), outside key and costs.

    The constructor trusts its caller (`Sketch` checks as it draws); `from_json` checks everything.
    """

    input: Shape
    nodes: tuple[Node, ...]
    kinds: tuple[tuple[str, str], ...] = ()
    aux: tuple[int, ...] = ()

    @cached_property
    def facts(self) -> tuple[Facts, ...]:
        """What follows for each node, in order. Raises `Invalid` naming the node that does not fit."""
        found = [image_facts(self.input)]
        for op, inputs, path in self.nodes[1:]:
            try:
                found.append(facts(op, tuple([found[i].shape for i in inputs])))
            except Invalid as error:
                raise Invalid(f"{path}: {error}", violation=error.violation) from error
        return tuple(found)

    @cached_property
    def key(self) -> str:
        """What the network is, whatever its nodes are called: 16 hexadecimal digits (see `identity`)."""
        return identity.key(self)

    @property
    def output(self) -> int:
        """Index of the output node."""
        return len(self.nodes) - 1

    def to_networkx(self) -> Any:
        """A networkx MultiDiGraph: nodes with `op`, `path` and output `shape`, edges with input `slot`."""
        import networkx as nx

        graph = nx.MultiDiGraph()
        for index, (node, fact) in enumerate(zip(self.nodes, self.facts, strict=True)):
            graph.add_node(index, op=node.op, path=node.path, shape=fact.shape)
            for slot, source in enumerate(node.inputs):
                graph.add_edge(source, index, slot=slot)
        return graph

    def to_json(self) -> dict[str, Any]:
        """Plain data. Fields that have their default are left out."""
        nodes = [
            {"op": n.op.name, "path": n.path, "in": list(n.inputs), **_fields(n.op)} for n in self.nodes[1:]
        ]
        data: dict[str, Any] = {"format": FORMAT, "input": list(self.input), "nodes": nodes}
        if self.kinds:
            data["kinds"] = dict(self.kinds)
        if self.aux:
            data["aux"] = list(self.aux)
        return data

    def dumps(self) -> str:
        """The JSON form as one line."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @staticmethod
    def from_json(data: Any) -> Genome:
        """The genome of `to_json`'s data, whoever wrote it. Raises `Invalid` naming the node at fault."""
        return _read(data)

    @staticmethod
    def loads(text: str) -> Genome:
        """The genome of a JSON text. Raises `Invalid`."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Invalid(f"not JSON: {error}") from error
        return _read(data)


def _fields(op: Op) -> dict[str, Any]:
    return {f.name: value for f in dataclasses.fields(op) if (value := getattr(op, f.name)) != f.default}


def live(genome: Genome, *, aux: bool = False) -> list[bool]:
    """For each node, whether the output (or with `aux` an auxiliary one) depends on it."""
    alive = [False] * len(genome.nodes)
    alive[0] = alive[-1] = True
    if aux:
        for index in genome.aux:
            alive[index] = True
    for index in range(len(genome.nodes) - 1, 0, -1):
        if alive[index]:
            for source in genome.nodes[index].inputs:
                alive[source] = True
    return alive


@lru_cache(maxsize=1 << 14)
def check_path(path: str) -> None:
    """Raises `Invalid` unless the path can be an attribute path of a torch module."""
    for part in path.split("."):
        if not _PART.fullmatch(part) or keyword.iskeyword(part) or part in RESERVED:
            raise Invalid(f"{path!r} is no legal path: {part!r} cannot name a part of a torch module")


def check_kind(kind: str) -> None:
    """Raises `Invalid` unless the kind can be a class name."""
    if not _KIND.fullmatch(kind) or keyword.iskeyword(kind):
        raise Invalid(f"{kind!r} is no class name (CamelCase, letters and digits)")


def _expect(condition: bool, reason: str) -> None:
    if not condition:
        raise Invalid(reason)


def _whole(value: object) -> bool:
    return type(value) is int


def _read(data: Any) -> Genome:
    _expect(isinstance(data, dict), "a genome is a JSON object")
    unknown = set(data) - {"format", "input", "nodes", "kinds", "aux"}
    _expect(not unknown, f"unknown entry {sorted(map(str, unknown))[:1]} in the genome")
    _expect(data.get("format") == FORMAT, f"genome format {data.get('format')!r} is not {FORMAT}")
    shape = data.get("input")
    _expect(
        isinstance(shape, list) and len(shape) == 3 and all(_whole(n) and n > 0 for n in shape),
        f"input must be [channels, height, width], not {shape!r}",
    )
    entries = data.get("nodes")
    _expect(isinstance(entries, list) and bool(entries), "nodes must be a list with at least one node")
    nodes = [Node(Input(), (), "input")]
    taken = {"input"}
    scopes: set[str] = set()
    for entry in entries:
        node = _read_node(entry, len(nodes))
        parents = {node.path[:i] for i, c in enumerate(node.path) if c == "."}
        _expect(node.path not in taken | scopes, f"node {node.path}: the path is used twice")
        _expect(not parents & taken, f"node {node.path}: its path runs through another node")
        taken.add(node.path)
        scopes |= parents
        nodes.append(node)
    kinds = data.get("kinds", {})
    _expect(isinstance(kinds, dict), "kinds must map block paths to class names")
    for path, kind in kinds.items():
        _expect(isinstance(kind, str), f"kind of {path!r} must be a class name")
        check_kind(kind)
        _expect(path == "" or path in scopes, f"kinds name the block {path!r}, which has no nodes")
    aux = data.get("aux", [])
    _expect(
        isinstance(aux, list) and all(_whole(i) and 0 < i < len(nodes) - 1 for i in aux),
        "aux must list indices of nodes before the last",
    )
    return Genome(tuple(shape), tuple(nodes), tuple(sorted(kinds.items())), tuple(aux))


def _read_node(entry: Any, index: int) -> Node:
    _expect(isinstance(entry, dict), f"node {index} is not an object")
    path, name, inputs = entry.get("path"), entry.get("op"), entry.get("in")
    _expect(isinstance(path, str), f"node {index} has no path")
    check_path(path)
    _expect(isinstance(name, str) and name in OPS and name != "input", f"node {path}: unknown op {name!r}")
    _expect(
        isinstance(inputs, list) and all(_whole(i) and 0 <= i < index for i in inputs),
        f"node {path}: inputs must be indices of earlier nodes, not {inputs!r}",
    )
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    for field in ("op", "path", "in"):
        del fields[field]
    cls = OPS[name]
    legal = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(fields) - legal)
    _expect(not unknown, f"node {path}: {name} has no field {', '.join(unknown)}")
    try:
        made = cls(**fields)
    except (TypeError, Invalid) as error:
        raise Invalid(f"node {path}: {error}") from error
    return Node(made, tuple(inputs), path)
