"""The explicit rule by which a network made for large images is used on small ones."""

from __future__ import annotations

import dataclasses

from cells.genome import Genome, Node
from cells.ops import Identity, Invalid


def small_stem(genome: Genome) -> Genome:
    """The genome without the strides of its stem: convolutions there get stride 1, pools there are left out.

    The stem is every node whose path begins with `stem`. This is what is commonly done to an ImageNet
    network for 32x32 images (He et al. 2015, section 4.2, begin with a 3x3 of stride 1 and no pool); kernels
    stay as they are.

    Raises:
        Invalid: the network has no stem with a stride.
    """
    nodes: list[Node] = []
    changed = False
    for node in genome.nodes:
        op = node.op
        if node.path.partition(".")[0] == "stem" and getattr(op, "stride", 1) not in (1, (1, 1)):
            changed = True
            op = dataclasses.replace(op, stride=1) if op.conv else Identity()  # type: ignore[call-arg]
        nodes.append(node._replace(op=op))
    if not changed:
        raise Invalid("the network has no stem with a stride to take out")
    made = Genome(genome.input, tuple(nodes), genome.kinds, genome.aux)
    _ = made.facts  # the shapes fit
    return made
