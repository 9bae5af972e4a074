"""When two genomes are the same network: a key that ignores names, order and what does nothing.

The key is computed on the canonical graph: nodes on which the output does not depend and nodes that
pass their input on are removed, nested sums and products flattened, equal parameter-free nodes merged.
Then two passes: forward, each node hashes its op and its inputs' hashes; backward, each node hashes its
forward hash and the multiset of its users' backward hashes. The key hashes the multiset of the backward
hashes, so one convolution used twice differs from two convolutions of the same input.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from cells.ops import Concat, Facts, Op, Shape, facts

if TYPE_CHECKING:
    from cells.genome import Genome

_SIZE = 8


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=_SIZE).digest()


class _Entry(NamedTuple):
    op: Op
    token: bytes
    inputs: tuple[int, ...]
    shapes: tuple[Shape, ...]


def key(
    genome: Genome, *, aliases: bool = True, flatten: bool = True, order: bool = True, merge: bool = True
) -> str:
    """The key of a genome; each equivalence can be switched off.

    Args:
        aliases: identity, dropout of 0 and sums or concatenations of one input are nothing.
        flatten: (a + b) + c is a + b + c.
        order: a + b is b + a; so is concat(a, b) where everything after it up to the next dense layer
            keeps channels apart.
        merge: equal parameter-free nodes with equal inputs are one.

    Raises:
        Invalid: the genome's shapes do not fit.
    """
    entries, output = _canonical(genome, aliases, flatten, order, merge)
    users: list[list[tuple[int, int]]] = [[] for _ in entries]
    alive = [False] * len(entries)
    alive[output] = True
    for index in range(len(entries) - 1, -1, -1):
        if alive[index]:
            for slot, source in enumerate(entries[index].inputs):
                alive[source] = True
                users[source].append((index, slot))
    free = _order_free(entries, users, output) if order else [False] * len(entries)
    unordered = [(order and e.op.commutative) or f for e, f in zip(entries, free, strict=True)]

    forward: list[bytes] = []
    for index, entry in enumerate(entries):
        hashes = [forward[source] for source in entry.inputs]
        if unordered[index]:
            hashes.sort()
        forward.append(_hash(entry.token + b"|" + b"".join(hashes)))

    backward: list[bytes] = [b""] * len(entries)
    for index in range(len(entries) - 1, -1, -1):
        if not alive[index]:
            continue
        readers = users[index]
        if len(readers) == 1:
            user, slot = readers[0]
            seen = backward[user] if unordered[user] or not slot else backward[user] + b"%d" % slot
        else:
            seen = b"".join(
                sorted(backward[u] if unordered[u] or not s else backward[u] + b"%d" % s for u, s in readers)
            )
        backward[index] = _hash(forward[index] + seen)
    return _hash(b"".join(sorted(b for b in backward if b))).hex()


def _canonical(
    genome: Genome, aliases: bool, flatten: bool, order: bool, merge: bool
) -> tuple[list[_Entry], int]:
    nodes = genome.nodes
    needed = [False] * len(nodes)
    needed[-1] = True
    for index in range(len(nodes) - 1, 0, -1):
        if needed[index]:
            for source in nodes[index].inputs:
                needed[source] = True

    entries: list[_Entry] = [_Entry(nodes[0].op, repr(("input", genome.input)).encode(), (), ())]
    shapes: list[Shape] = [genome.input]
    canon = [0] * len(nodes)
    seen: dict[tuple[bytes, tuple[int, ...]], int] = {}
    for index in range(1, len(nodes)):
        if not needed[index]:
            continue
        op, sources, _ = nodes[index]
        inputs = [canon[source] for source in sources]
        if aliases and len(inputs) == 1 and (op.arity is None or op.alias()):
            canon[index] = inputs[0]
            continue
        fact: Facts = facts(op, tuple([shapes[i] for i in inputs]))
        if op.commutative:
            if flatten:
                kind = type(op)
                inputs = [
                    j for i in inputs for j in (entries[i].inputs if type(entries[i].op) is kind else (i,))
                ]
            if order:
                inputs.sort()
        read = tuple(inputs)
        if merge and not fact.params and not op.random:
            twin = seen.setdefault((fact.token, read), len(entries))
            if twin < len(entries):
                canon[index] = twin
                continue
        canon[index] = len(entries)
        entries.append(_Entry(op, fact.token, read, tuple([shapes[i] for i in read])))
        shapes.append(fact.shape)
    return entries, canon[-1]


def _order_free(entries: list[_Entry], users: list[list[tuple[int, int]]], output: int) -> list[bool]:
    """For each node, whether it is a concatenation whose order of inputs nothing later can tell."""
    concats = [isinstance(entry.op, Concat) for entry in entries]
    if not any(concats):
        return concats
    roles = [entry.op.channels(*entry.shapes) if entry.shapes else "order" for entry in entries]
    blind = [False] * len(entries)
    for index in range(len(entries) - 1, -1, -1):
        blind[index] = index != output and all(
            roles[u] == "mix" or (roles[u] == "keep" and blind[u]) for u, _ in users[index]
        )
    return [concat and b for concat, b in zip(concats, blind, strict=True)]
