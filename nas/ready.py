"""A space made ready for a search: its preset, bound to the images, tried out, and its seed points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cells.genome import Genome
from cells.infer import infer
from cells.ops import Invalid, Shape
from nas.options import UsageError
from nas.strategies import Window
from search_spaces import Fixed, Preset, Random, Replay, ReplayError, Space, SpaceError, find
from search_spaces.choose import Domain, Scalar


def choose_preset(space: Space, name: str | None, gpu: bool) -> tuple[str, Preset]:
    """(name, preset) of that name, or for the device where none is named. Raises `UsageError`."""
    if name is None:
        name = "gpu" if gpu else "laptop"
        return (name, space.presets[name]) if name in space.presets else ("none", Preset())
    if name == "none":
        return name, Preset()
    if name not in space.presets:
        known = ", ".join([*space.presets, "none"])
        raise UsageError(f"--preset {name}: {space.name} has {known}")
    return name, space.presets[name]


def bind(space: Space, preset: Preset, shape: Shape, classes: int) -> Space:
    """The space under a preset, for these images; a space that does not take input or classes has its own."""
    wanted = {**preset.arguments, "input": shape, "classes": classes}
    return space.bind(**{k: v for k, v in wanted.items() if space.takes(k)})


def try_out(
    space: Space, flag: str, shape: Shape, classes: int, draws: int = 20, patience: int = 200
) -> None:
    """Finds the mistakes of a space's author before a search does. Raises `SpaceError`."""
    domains: dict[str, Domain] = {}
    reasons: Counter[str] = Counter()
    for seed in range(patience):
        if seed >= draws and seed > reasons.total():
            return
        chooser = Random(seed, domains)
        try:
            genome = space.draw(chooser)
            costs = infer(genome)
        except Invalid as error:
            reasons[str(error)] += 1
            continue
        try:
            again = Replay(chooser.record)
            key = space.draw(again).key
            again.finish()
        except (Invalid, ReplayError) as error:
            raise SpaceError(f"--space {flag}: the same answers lead elsewhere ({error})") from error
        if key != genome.key:
            raise SpaceError(f"--space {flag}: the same answers draw different networks: not deterministic")
        if genome.input != tuple(shape) or costs.output != (classes,):
            raise SpaceError(
                f"--space {flag} draws networks from {genome.input} to {costs.output} where the data have "
                f"{tuple(shape)} and {classes} classes: take `input` and `classes` as keyword arguments"
            )
    if reasons.total() == patience:
        reason, count = reasons.most_common(1)[0]
        raise SpaceError(
            f"--space {flag}: none of {patience} random draws is legal; {count} times because {reason}"
        )


def seed_points(
    space: Space, preset: Preset, wish: str, window: Window
) -> tuple[dict[str, Mapping[str, Scalar]], list[tuple[str, Genome | None, str]]]:
    """(seed points, published points left out). Raises `UsageError` for a name that is none."""
    known = {**preset.points, **space.points}
    if wish == "none":
        return {}, []
    if wish == "auto":
        names = list(known)
    else:
        names = [_point_name(space, known, name.strip()) for name in wish.split(",")]
    chosen: dict[str, Mapping[str, Scalar]] = {}
    left: list[tuple[str, Genome | None, str]] = []
    for name in names:
        try:
            genome = space.draw(Fixed(**known[name]))
        except Invalid as error:
            left.append((name, None, str(error)))
            continue
        off = window.violation(infer(genome))
        if off is None:
            try:
                space.draw(Replay(known[name]))
                chosen[name] = known[name]
                continue
            except ReplayError as error:
                off = (str(error), 0.0)
        if wish != "auto":
            raise UsageError(f"--seed-points {name}: {off[0]}")
        left.append((name, genome, off[0]))
    return chosen, left


def _point_name(space: Space, known: Mapping[str, object], name: str) -> str:
    if name in known:
        return name
    try:
        aliases = find(name).aliases
    except LookupError:
        aliases = ()
    found = next((alias for alias in aliases if alias in known), None)
    if found is None:
        raise UsageError(
            f"--seed-points {name}: {space.name} has no such point ({', '.join(known) or 'none'})"
        )
    return found
