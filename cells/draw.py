"""A layered picture of a genome by block: equal blocks in a row are one box with a count."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cells.genome import Genome
from cells.infer import Costs, Layer, infer
from cells.ops import Shape


@dataclass
class Box:
    """One box: a block or op, or a run of equal ones. `layers` are those of the whole run."""

    path: str
    label: str
    shape: Shape
    layers: list[Layer]
    count: int = 1
    extras: list[str] = field(default_factory=list)

    @property
    def params(self) -> int:
        """Of the whole run."""
        return sum(layer.params for layer in self.layers)


def blocks(genome: Genome, costs: Costs) -> list[tuple[str, str, list[Layer]]]:
    """(path, kind, layers) of the outermost blocks, and of ops outside blocks, in order."""
    kinds = dict(genome.kinds)
    found: dict[str, tuple[str, str, list[Layer]]] = {}
    for layer in costs.layers:
        path = genome.nodes[layer.index].path
        parts = path.split(".")
        prefixes = [".".join(parts[:i]) for i in range(1, len(parts))]
        block = next((p for p in prefixes if p in kinds), path)
        kind = kinds.get(block, genome.nodes[layer.index].op.name)
        found.setdefault(block, (block, kind, []))[2].append(layer)
    return list(found.values())


def boxes(genome: Genome, costs: Costs) -> tuple[list[Box], set[tuple[int, int]]]:
    """The boxes in order, and who reads whom; box -1 is the input."""
    made: list[Box] = []
    home: dict[int, int] = {0: -1}
    edges: set[tuple[int, int]] = set()
    for path, kind, layers in blocks(genome, costs):
        inside = {layer.index for layer in layers}
        sources = [
            i for layer in layers for i in genome.nodes[layer.index].inputs if i not in inside and i in home
        ]
        reads = {home[i] for i in sources}
        last = made[-1] if made else None
        single = len(layers) == 1 and layers[0].params == 0 and path == genome.nodes[layers[0].index].path
        follows = last is not None and single and reads == {len(made) - 1}
        if follows and genome.nodes[layers[0].index].op.window() and layers[0].shape == made[-1].shape:
            made[-1].extras.append(_name(genome, layers[0]))  # an activation, say
            home[layers[0].index] = len(made) - 1
            continue
        convs = [layer for layer in layers if genome.nodes[layer.index].op.conv]
        label = kind
        if path == genome.nodes[layers[0].index].path:
            label = _name(genome, layers[0])
        elif len(convs) == 1:
            label = f"{kind} {_name(genome, convs[0]).partition(' ')[2]}"
        run = (
            last is not None
            and not last.extras
            and (last.label, last.shape) == (label, layers[-1].shape)
            and len(made) - 1 in reads
            and path.rpartition(".")[0] == last.path.rpartition(".")[0]
            and path[-1].isdigit()
        )
        if last is not None and run:
            last.count += 1
            last.layers += layers
        else:
            made.append(Box(path, label, layers[-1].shape, list(layers)))
        here = len(made) - 1
        edges |= {(source, here) for source in reads if source != here}
        home |= dict.fromkeys(inside, here)
    return made, edges


def _name(genome: Genome, layer: Layer) -> str:
    """An op in a few characters: `conv 5x5 /2`, `tanh`, `max_pool 3x3 /2`."""
    op = genome.nodes[layer.index].op
    kernel, stride = getattr(op, "kernel", None), getattr(op, "stride", 1)
    name = str(getattr(op, "kind", op.name))
    if kernel is not None:
        name += " {}x{}".format(*(kernel if isinstance(kernel, tuple) else (kernel, kernel)))
    return name + (f" /{stride}" if stride not in (1, (1, 1)) else "")


COLOURS = {"conv": "#cfe3f6", "cell": "#d9ead3", "pool": "#f9e2cf", "head": "#f4d6dd", "other": "#ececec"}


def _colour(box: Box) -> str:
    label = box.label.lower()
    if "pool" in label:
        return COLOURS["pool"]
    if "cell" in label:
        return COLOURS["cell"]
    if any(word in label for word in ("head", "linear", "classifier", "flatten", "softmax")):
        return COLOURS["head"]
    return COLOURS["conv"] if box.params else COLOURS["other"]


def draw(genome: Genome, file: Path, title: str = "") -> None:
    """Writes the picture; the file's ending says the format (svg, pdf, png).

    Raises:
        ImportError: matplotlib, or networkx, is not installed.
    """
    import matplotlib as mpl
    import networkx as nx
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    costs = infer(genome)
    made, edges = boxes(genome, costs)
    graph: Any = nx.DiGraph()
    graph.add_nodes_from(range(-1, len(made)))
    graph.add_edges_from(edges)
    for layer, nodes in enumerate(nx.topological_generations(graph)):
        for node in nodes:
            graph.nodes[node]["layer"] = layer
    generations = 1 + max(graph.nodes[n]["layer"] for n in graph)
    rows: dict[int, list[int]] = {}
    for node in sorted(graph):
        rows.setdefault(graph.nodes[node]["layer"], []).append(node)
    spots = nx.multipartite_layout(graph, subset_key="layer", align="horizontal")
    wide = max(len(row) for row in rows.values())
    step = 2.6
    place = {
        node: ((row.index(node) - (len(row) - 1) / 2) * step, -float(layer))
        for layer, row in rows.items()
        for node in row
        if node in spots
    }
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nas", "font.family": "sans-serif"}):
        figure = Figure(figsize=(max(4.5, wide * 2.7), 0.75 + 0.62 * generations))
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.02, 0.01, 0.96, 0.95))
        axes.set_axis_off()
        axes.set_xlim(-step * wide / 2 - 0.5, step * wide / 2 + 0.5)
        axes.set_ylim(-generations + 0.45, 0.9)
        texts = {node: _text(genome, made, node) for node in place}
        half = {n: 0.0225 * max(map(len, t.splitlines())) + 0.04 for n, (t, _) in texts.items()}
        for source, target in sorted(edges):
            (x0, y0), (x1, y1) = place[source], place[target]
            skip = y0 - y1 > 1.5 and abs(x0 - x1) < 0.1
            side = 1 if (source + 1) % 2 else -1
            axes.annotate(
                "",
                (x1 + side * half[target], y1) if skip else (x1, y1 + 0.3),
                (x0 + side * half[source], y0) if skip else (x0, y0 - 0.3),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "#555555",
                    "linewidth": 0.8,
                    "shrinkA": 0,
                    "shrinkB": 0,
                    "connectionstyle": f"arc3,rad={-0.4 * side}" if skip else "arc3",
                },
            )
        for node, (x, y) in place.items():
            text, colour = texts[node]
            axes.text(
                x,
                y,
                text,
                ha="center",
                va="center",
                fontsize=7,
                linespacing=1.25,
                bbox={"boxstyle": "round,pad=0.35", "facecolor": colour, "edgecolor": "#777777"},
            )
        total = f"{costs.params:,} params, {costs.macs:,} MACs"
        axes.text(0, 0.62, f"{title}\n{total}" if title else total, ha="center", va="bottom", fontsize=8)
        metadata = {"Date": None} if file.suffix == ".svg" else None
        figure.savefig(file, metadata=metadata)


def _text(genome: Genome, made: list[Box], node: int) -> tuple[str, str]:
    if node < 0:
        return "input " + "x".join(map(str, genome.input)), "#ffffff"
    box = made[node]
    name = box.label + (f"  x{box.count}" if box.count > 1 else "")
    shape = "x".join(map(str, box.shape))
    extras = f" + {', '.join(box.extras)}" if box.extras else ""
    params = f", {box.params:,} params" if box.params else ""
    return f"{name}{extras}\n{shape}{params}", _colour(box)
