"""How large the spaces are: the published table beside exact counts."""

from __future__ import annotations

import random
from dataclasses import dataclass

from experiments.regnet_reduction.ladder import PRESETS
from search_spaces import find
from search_spaces.anynet import each
from search_spaces.census import sample, size
from search_spaces.choose import Random
from search_spaces.reduce import Increasing


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
            size(s, sample(s, 50)) for s in (space, space.bind(**PRESETS[preset].arguments.get(group, {})))
        ]
        vectors = counted[0].vectors
        exact = "not countable: real numbers" if vectors is None else f"{vectors:,}"
        networks = [_number(found.networks) for found in counted]
        lines.append(
            f"| {name} | {known.dimensions} | {known.combinations} | {known.total} "
            f"| {exact} | {networks[0]} | {networks[1]} |"
        )
    return lines


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def in_order(preset: str, letter: str, draws: int = 20_000) -> float:
    """The share of free draws of an AnyNet whose four d, or w, never fall: what D and E keep of C's draws."""
    space = find("anynet").bind(**PRESETS[preset].arguments.get("anynet", {}))
    chooser = Random(0)
    space.draw(chooser)
    rng, rule = random.Random(0), Increasing(tuple(each(letter)))
    domains = [chooser.domains[name] for name in rule.names]
    return sum(rule.holds([domain.draw(rng) for domain in domains]) for _ in range(draws)) / draws


def kept(space: str, preset: str) -> float:
    """The share of AnyNet C's draws that a space keeps by its orders; 1 for those that have none."""
    ordered = {"D": "w", "E": "wd"}.get(space, "")
    share = 1.0
    for letter in ordered:
        share *= in_order(preset, letter)
    return share
