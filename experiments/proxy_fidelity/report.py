"""The findings as Markdown and a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.drawing import save
from experiments.proxy_fidelity.compare import FEW, Finding, deviations, is_long


def text(rows: Sequence[Mapping[str, Any]], findings: Sequence[Finding]) -> list[str]:
    """The findings as Markdown."""
    longest = max(json.loads(row["settings"])["epochs"] for row in rows if is_long(row["recipe"]))
    lines = [
        "# How far brief training can be trusted",
        "",
        f"`python -m experiments.proxy_fidelity` on {rows[0]['device']}: networks of AnyNet A and RegNet, "
        f"ranked beside {longest} epochs. Seconds are those of training steps for one network. Of few "
        "networks resamples vary too little: where no pair is out of order, none is in any of them.",
        "",
        "| recipe | networks | tau-b, 95% interval | best tenth found | seconds | tau per minute |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for f in sorted(findings, key=lambda f: -f.tau):
        rate = f"{60 * f.tau / f.seconds:.2f}" if f.seconds else ""
        lines.append(
            f"| {f.name} | {f.nets} | {f.tau:+.2f} ({f.low:+.2f} to {f.high:+.2f}) | {f.recall:.0%} "
            f"| {f.seconds:.0f} | {rate} |"
        )
    noise, spread = deviations(rows)
    if not math.isnan(noise):
        lines += [
            "",
            f"After {longest} epochs validation accuracies of networks have a standard deviation of "
            f"{100 * spread:.2f} points, two seeds of one network of {100 * noise:.2f}.",
        ]
    if not findings:
        lines.append(
            f"\nFewer than {FEW} networks are trained by the long recipe and another: nothing is ranked."
        )
    trained = [f for f in findings if f.seconds and not is_long(f.name)]
    trained = [f for f in trained if f.nets == max(g.nets for g in trained)]
    if trained:
        best = max(trained, key=lambda f: f.tau / f.seconds)
        near = [f.name for f in trained if f is not best and f.high >= best.low]
        lines += [
            "",
            f"Best tau per second of those with {best.nets} networks: {best.name}. "
            + (f"Intervals of tau overlap with it: {', '.join(near)}." if near else ""),
            "",
            "![tau of each recipe](tau.svg)",
        ]
    return [*lines, ""]


def figure(findings: Sequence[Finding], file: Path) -> None:
    """Tau with intervals, cheapest recipe first; the ceiling as a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    picture, panel = plt.subplots(figsize=(7, 0.35 * len(findings) + 1.2))
    ranked = sorted(findings, key=lambda f: (f.seconds, f.tau))
    for place, f in enumerate(ranked):
        color = "grey" if is_long(f.name) or not f.seconds else "C0"
        panel.plot([f.low, f.high], [place, place], "|-", color=color)
        panel.plot(f.tau, place, "o", color=color)
        if is_long(f.name):
            panel.axvline(f.tau, ls="--", color="grey")
    names = [f"{f.name}, {f.seconds:.0f} s" if f.seconds else f"{f.name}, untrained" for f in ranked]
    panel.set_yticks(range(len(ranked)), [f"{n} ({f.nets})" for n, f in zip(names, ranked, strict=True)])
    panel.set_xlim(-1.05, 1.05)
    panel.set_xlabel("tau-b with the long ranking, 95% interval (networks in brackets)")
    panel.invert_yaxis()
    picture.tight_layout()
    save(picture, file, "proxy_fidelity")
