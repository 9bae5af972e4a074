"""Typed edits of single layers: another width, kernel, operation, activation or normalisation.

Each kind of edit says where it is possible (its sites: node or block paths) and makes the change. Widths
that must agree change together (`cells.widths`), kernels are centred, so extents stay: nearly every edit of
a legal network is legal. Edits of blocks and of the graph are in `rewiring` and `strides`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cells.genome import Genome
from cells.ops import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    Depthwise,
    GroupNorm,
    Identity,
    LayerNorm2d,
    MaxPool,
    Mul,
    Op,
)
from cells.rewrite import Rewrite
from cells.view import View
from cells.widths import widened
from search_spaces.choose import Chooser

FACTORS = (0.5, 0.75, 1.25, 1.5, 2.0)
KERNELS = (1, 3, 5, 7)
ACTIVATIONS: dict[str, Op] = {
    a.kind: a
    for a in (
        Activation("relu"),
        Activation("relu6"),
        Activation("silu"),
        Activation("gelu"),
        Activation("hardswish"),
        Activation("elu"),
    )
}


@dataclass(frozen=True)
class Edit:
    """A kind of edit.

    Attributes:
        sites: where a genome can be edited so.
        apply: the edited genome; asks, below the given name, what else must be decided.
    """

    sites: Callable[[View], Sequence[str]]
    apply: Callable[[View, str, Chooser, str], Genome]


def _swap(view: View, site: str, op: Op) -> Genome:
    """The genome with another op at a node."""
    index, genome = view.paths[site], view.genome
    nodes = (*genome.nodes[:index], genome.nodes[index]._replace(op=op), *genome.nodes[index + 1 :])
    return Genome(genome.input, nodes, genome.kinds, genome.aux)


def _op(view: View, site: str) -> Any:
    return view.genome.nodes[view.paths[site]].op


def _width(view: View, site: str, choose: Chooser, name: str) -> Genome:
    return widened(view.genome, view.ties[site], choose.pick(f"{name}.factor", FACTORS))


def _widths(view: View) -> list[str]:
    return [path for path, tie in view.ties.items() if all(tie.scaled(f) != tie.unit for f in FACTORS)]


def _kernel(view: View, site: str, choose: Chooser, name: str) -> Genome:
    op = _op(view, site)
    smallest = 3 if isinstance(op, Depthwise) else 1
    now = op.geometry()[0][0]
    options = [k for k in KERNELS if k >= smallest and k != now]
    return _swap(view, site, replace(op, kernel=choose.pick(f"{name}.{op.name}{now}", options), padding=None))


def _activation(view: View, site: str, choose: Chooser, name: str) -> Genome:
    now = _op(view, site).kind
    options: list[str] = [kind for kind in ACTIVATIONS if kind != now]
    return _swap(view, site, ACTIVATIONS[choose.pick(f"{name}.{now}", options)])


def _activations(view: View) -> list[str]:
    nodes = view.genome.nodes
    gate = [any(isinstance(nodes[u].op, Mul) for u in users) for users in view.users]
    return view.sites(lambda i: not gate[i], Activation)


def _norm(view: View, site: str, choose: Chooser, name: str) -> Genome:
    width = view.genome.facts[view.paths[site]].shape[0]
    kinds: dict[str, Op] = {
        "batch": BatchNorm(),
        "group": GroupNorm(math.gcd(width, 32)),
        "layer": LayerNorm2d(),
        "none": Identity(),
    }
    now = next((kind for kind, op in kinds.items() if type(op) is type(_op(view, site))), "none")
    return _swap(view, site, kinds[choose.pick(f"{name}.{now}", [kind for kind in kinds if kind != now])])


def norms(view: View) -> list[str]:
    """Norms of feature maps."""
    return view.sites(view.map, BatchNorm, GroupNorm, LayerNorm2d)


def _operation(view: View, site: str, choose: Chooser, name: str) -> Genome:
    op = _op(view, site)
    if isinstance(op, MaxPool | AvgPool):
        other = AvgPool if isinstance(op, MaxPool) else MaxPool
        return _swap(view, site, other(op.kernel, op.stride, op.padding, op.ceil))
    what = choose.pick(f"{name}.conv", ["separable", "factorised", "dilated"])
    if what == "dilated":
        return _swap(view, site, replace(op, dilation=2, padding=None))
    new, index = Rewrite(view.genome), view.paths[site]
    (source,), (k, _), (down, across) = new.inputs[site], op.geometry()[0], op.geometry()[1]
    before = view.genome.nodes[index - 1].path
    if what == "separable":
        first: Op = Depthwise(k, stride=op.stride)
        new.ops[site] = Conv(op.out, 1, bias=op.bias)
    else:
        first = Conv(op.out, (1, k), stride=(1, across))
        new.ops[site] = replace(op, kernel=(k, 1), stride=(down, 1), padding=None)
    added = new.free(f"{site}_first")
    new.insert(before, added, first, source)
    new.inputs[site] = [added]
    return new.genome()


def _operations(view: View) -> list[str]:
    def conv(index: int) -> bool:
        op: Any = view.genome.nodes[index].op
        dense = op.groups == 1 and op.group_width is None and op.dilation in (1, (1, 1))
        return dense and view.centred(index) and op.geometry()[0][0] > 1 and not view.numbered(index)

    return view.sites(conv, Conv) + view.sites(lambda i: True, MaxPool, AvgPool)


LAYERS: dict[str, Edit] = {
    "width": Edit(_widths, _width),
    "kernel": Edit(lambda view: view.sites(view.centred, Conv, Depthwise), _kernel),
    "op": Edit(_operations, _operation),
    "activation": Edit(_activations, _activation),
    "norm": Edit(norms, _norm),
}
"""The edits of single layers by name."""
