"""How large the spaces are: the published table beside exact counts."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.regnet_reduction.ladder import PRESETS
from search_spaces import find
from search_spaces.census import sample, size


@dataclass(frozen=True)
class Published:
    """A row of tables 1 and 2 of DDS: questions, how many answers, and what that comes to."""

    space: str
    dimensions: int
    combinations: str
    total: str


PUBLISHED = {
    "A": Published("anynet", 16, "(16·128·3·6)^4", "1.8e18"),
    "B": Published("anynet_b", 13, "(16·128·6)^4·3", "6.8e16"),
    "C": Published("anynet_c", 10, "(16·128)^4·3·6", "3.2e14"),
    "D": Published("anynet_d", 10, "(16·128)^4·3·6/4!", "1.3e13"),
    "E": Published("anynet_e", 10, "(16·128)^4·3·6/(4!)^2", "5.5e11"),
    "RegNetX": Published("regnet", 6, "~64^4·6·3", "3.0e8"),
}


def table(preset: str) -> list[str]:
    """The published sizes beside ours, in the paper's ranges and in those of a preset, as Markdown."""
    lines = [
        "| space | dimensions | combinations, published | total, published | answers, exact "
        f"| different networks | different networks, `{preset}` |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for name, known in PUBLISHED.items():
        space = find(known.space)
        group = "regnet" if name == "RegNetX" else "anynet"
        counted = [
            size(s, sample(s, 50))
            for s in (space, space.bind(**PRESETS[preset].arguments.get(group, {})))
        ]
        vectors = counted[0].vectors
        networks = [_number(found.networks) for found in counted]
        lines.append(
            f"| {name} | {known.dimensions} | {known.combinations} | {known.total} "
            f"| {vectors and f'{vectors:,}' or 'not countable: real numbers'} | {networks[0]} | {networks[1]} |"
        )
    return lines


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
