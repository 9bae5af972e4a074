"""Several classifiers as one: an ensemble is a genome like any other."""

from __future__ import annotations

from collections.abc import Sequence

from cells.genome import Genome, Node, live
from cells.ops import Input, Invalid, Vote


def ensemble(members: Sequence[Genome]) -> Genome:
    """The soft vote of classifiers of the same images: the mean of their probabilities.

    Member i lies below the path `members.i`; its auxiliary outputs are left out.

    Raises:
        Invalid: the members take different images or tell different numbers of classes apart.
    """
    nodes = [Node(Input(), (), "input")]
    kinds = [("", "Ensemble")]
    outputs: list[int] = []
    for number, member in enumerate(members):
        if member.input != members[0].input:
            raise Invalid(f"ensemble: members take images of {members[0].input} and of {member.input}")
        prefix = f"members.{number}"
        kinds += [(f"{prefix}.{path}".rstrip("."), kind) for path, kind in member.kinds]
        alive = live(member)
        place = {0: 0}
        for index, (op, inputs, path) in enumerate(member.nodes):
            if index and alive[index]:
                place[index] = len(nodes)
                nodes.append(Node(op, tuple(place[i] for i in inputs), f"{prefix}.{path}"))
        outputs.append(place[member.output])
        kinds += [] if dict(member.kinds).get("") else [(prefix, "Net")]
    nodes.append(Node(Vote(), tuple(outputs), "vote"))
    paths = [node.path for node in nodes]
    scopes = {path[:i] for path in paths for i, c in enumerate(path) if c == "."} | {""}
    made = Genome(
        members[0].input, tuple(nodes), tuple(sorted((path, kind) for path, kind in kinds if path in scopes))
    )
    _ = made.facts  # the vote's inputs fit
    return made
