"""What `nas.scale` does to a target, and what it prints of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cells.genome import Genome
from cells.infer import infer
from cells.ops import GlobalPool, Invalid, Shape
from cells.scale import scaled, taking, telling
from cells.view import View
from nas.redraw import is_point, redrawn
from nas.targets import Target, resolve


def scaled_target(
    text: str,
    factors: Mapping[str, float],
    *,
    settings: Mapping[str, Any] | None = None,
    preset: str | None = None,
    input: Shape | None = None,
    classes: int | None = None,
    divisor: int = 8,
    compound: bool = False,
) -> tuple[Target, Target]:
    """A target before and after: drawn again where its space is told arguments, then scaled.

    Args:
        factors: of depth, width and resolution.
        settings, preset: arguments of the space (see `redraw.redrawn`).
        input: the image that the result takes, where the resolution's factor is 1.
        classes: that the result tells apart.
        divisor: of widths.
        compound: the factors are those of one phi.

    Raises:
        TargetError, UnknownSpaceError, StoreError: there is no such target.
        Invalid, ReplayError: it cannot be scaled so.
    """
    again = bool(settings) or preset is not None or is_point(text)
    before = redrawn(text) if is_point(text) else resolve(text)
    genome = redrawn(text, settings, preset, input, classes).genome if again else before.genome
    try:
        genome = genome if classes is None or again else telling(genome, classes)
        depth, width, resolution = (factors[name] for name in ("depth", "width", "resolution"))
        genome = scaled(genome, depth=depth, width=width, resolution=resolution, divisor=divisor)
        genome = genome if input is None else taking(genome, input)
    except Invalid as error:
        raise Invalid(f"{before.name}: {hinted(error) if compound else error}") from error
    changed = [f"{name} {value:.4g}" for name, value in factors.items() if value != 1]
    label = ", ".join([*(["redrawn"] if again else []), *changed]) or "for other images or classes"
    # It is another network, which nobody trained.
    return before, replace(before, name=f"{before.name}, {label}", genome=genome, row=None, weights=None)


def hinted(error: Invalid) -> Invalid:
    """The error of a dimension in which a network cannot be scaled, with the coefficient that spares it."""
    flags = {"depth": "alpha", "width": "beta", "resolution": "gamma"}
    flag = flags.get(str(error).partition(":")[0])
    return Invalid(f"{error} (--{flag} 1 leaves it as it is)") if flag else error


def costs(genome: Genome) -> dict[str, Any]:
    """What scaling changes, by the names of `nas.show --json`; filters: those of the last feature map."""
    found = infer(genome)
    names = ("params", "macs", "flops", "activations", "depth", "receptive_field")
    maps = [fact.shape for fact in genome.facts if len(fact.shape) == 3]
    # Before the pool over all positions, if there is one: gates, which pool, too, are no cuts.
    view = View(genome)
    pools = [i for i in view.cuts if isinstance(genome.nodes[i].op, GlobalPool)]
    last = genome.facts[genome.nodes[pools[-1]].inputs[0]].shape if pools else maps[-1]
    return {
        "key": genome.key,
        "input": list(genome.input),
        "output": list(found.output),
        **{name: getattr(found, name) for name in names},
        "filters": last[0],
    }


def before_and_after(before: Target, after: Target, factors: Mapping[str, float]) -> dict[str, Any]:
    """What `--json` prints."""
    one, two = costs(before.genome), costs(after.genome)
    return {
        "name": before.name,
        "factors": dict(factors),
        "before": one,
        "after": two,
        "macs_factor": two["macs"] / one["macs"],
    }


def show(said: Mapping[str, Any]) -> None:
    """The table of before and after, and what compound scaling promised."""
    from nas.progress import columns, console, short

    out = console()
    out.print(f"{said['name']}  key {said['before']['key']} -> {said['after']['key']}", markup=False)
    table = columns("", "before", "after", "x", left=("",))
    titles = {
        "params": "params",
        "macs": "MACs",
        "activations": "activations",
        "depth": "depth",
        "filters": "filters of the last map",
        "receptive_field": "receptive field",
    }
    for name, title in titles.items():
        one, two = said["before"][name], said["after"][name]
        table.add_row(title, short(one), short(two), f"{two / max(one, 1):.2f}")
    for name, title in (("input", "image"), ("output", "output")):
        table.add_row(title, *("x".join(map(str, said[side][name])) for side in ("before", "after")), "")
    out.print(table)
    if "phi" in said:
        factors = ", ".join(f"{name} {value:.4g}" for name, value in said["factors"].items())
        out.print(
            f"phi {said['phi']:g}: {factors}; multiply-adds x {said['macs_factor']:.2f}, "
            f"the coefficients promise {said['rule']:.2f}, 2^phi is {said['wished']:.2f}",
            markup=False,
        )


def write(target: Target, file: Path, *, quiet: bool = False) -> None:
    """Writes the genome (.json), which `nas.export` takes, or its source (.py)."""
    from nas.exporting import genome_text, source_text
    from nas.store import write_atomically

    genome = target.genome
    source = file.suffix == ".py"
    weights = file.with_suffix(".pt").name
    text = source_text(target, genome, weights=weights) if source else genome_text(genome)
    write_atomically(file, text.encode())
    if not quiet:
        print(f"wrote {file} (key {target.genome.key}, {len(text.splitlines())} lines)")
