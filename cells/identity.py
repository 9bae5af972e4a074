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

from cells.ops import Add, Concat, Op
from cells.ops.base import Channels

if TYPE_CHECKING:
    from cells.genome import Genome

_SIZE = 8


class _Entry(NamedTuple):
    op: Op
    token: bytes
    inputs: tuple[int, ...]
    node: int  # its index in the genome


def key(
    genome: Genome, *, aliases: bool = True, flatten: bool = True, order: bool = True, merge: bool = True
) -> str:
    """The key of a genome; each equivalence can be switched off.

    Args:
        aliases: identity, dropout of 0 and sums or concatenations of one input are nothing.
        flatten: (a + b) + c is a + b + c.
        order: a + b is b + a; so is concat(a, b) where everything after it up to the next dense layer
            keeps channels apart, or adds what dense layers made, whose filters can follow.
        merge: equal parameter-free nodes with equal inputs are one.

    Raises:
        Invalid: the genome's shapes do not fit.
    """
    entries, output = _canonical(genome, aliases, flatten, order, merge)
    free = _order_free(genome, entries, output) if order else set()
    forward: list[bytes] = []
    for index, (op, token, inputs, _) in enumerate(entries):
        if len(inputs) == 1:
            text = token + forward[inputs[0]]
        else:
            hashes = [forward[source] for source in inputs]
            if (order and op.commutative) or index in free:
                hashes.sort()
            text = token + b"".join(hashes)
        forward.append(blake2b(text, digest_size=_SIZE).digest())

    users: list[list[bytes]] = [[] for _ in entries]
    backward: list[bytes] = []
    for index in range(len(entries) - 1, -1, -1):
        readers = users[index]
        if not readers and index != output:
            continue  # a sum that was flattened into its only reader, say
        if len(readers) > 1:
            readers.sort()
        op, _, inputs, _ = entries[index]
        made = blake2b(forward[index] + b"".join(readers), digest_size=_SIZE).digest()
        backward.append(made)
        if len(inputs) == 1 or (order and op.commutative) or index in free:
            for source in inputs:
                users[source].append(made)
        else:
            for slot, source in enumerate(inputs):
                users[source].append(made + b"%d" % slot)
    return blake2b(b"".join(sorted(backward)), digest_size=_SIZE).hexdigest()


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

    known = genome.facts
    entries = [_Entry(nodes[0].op, known[0].token, (), 0)]
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
        fact = known[index]
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
        entries.append(_Entry(op, fact.token, read, index))
    return entries, canon[-1]


def _order_free(genome: Genome, entries: list[_Entry], output: int) -> set[int]:
    """The concatenations whose order of inputs nothing later can tell."""
    concats = {index for index, entry in enumerate(entries) if isinstance(entry.op, Concat)}
    if not concats:
        return concats
    roles: list[Channels] = ["order"] * len(entries)
    users = [0] * len(entries)
    for index, entry in enumerate(entries[1:], start=1):
        shapes = (genome.facts[i].shape for i in genome.nodes[entry.node].inputs)
        roles[index] = entry.op.channels(*shapes)
        for source in entry.inputs:
            users[source] += 1

    def movable(index: int) -> bool:
        """Whether nothing but a dense layer, whose filters have no order, settles the order of channels."""
        while users[index] == 1 and roles[index] == "keep":
            (index,) = entries[index].inputs
        return users[index] == 1 and roles[index] == "mix"

    blind = [True] * len(entries)  # no user tells the order of channels
    blind[output] = False
    for index in range(len(entries) - 1, 0, -1):
        op, _, inputs, _ = entries[index]
        for source in inputs:
            others = isinstance(op, Add) and all(movable(i) for i in inputs if i != source)
            kept = roles[index] == "keep" or (others and inputs.count(source) == 1)
            if not (roles[index] == "mix" or (kept and blind[index])):
                blind[source] = False
    return {index for index in concats if blind[index]}
