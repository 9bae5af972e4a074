"""The experiment's text: tables and statements, from the table of models alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from experiments.regnet_reduction import sizes
from experiments.regnet_reduction.compare import (
    CONTROLS,
    HYPOTHESES,
    LEVEL,
    MARGIN,
    Finding,
    compare,
)
from experiments.regnet_reduction.figures import ranges
from experiments.regnet_reduction.ladder import LADDER
from experiments.regnet_reduction.models import Models, column, of
from nas.edf import e_fit, edf, ks, sample_size

NUMBERS = {1: "one", 2: "two", 3: "three", 5: "five", 10: "ten"}


def when(models: Models) -> str:
    """`after one epoch`, as the recipe has it."""
    epochs = json.loads(models[0]["recipe"])["epochs"]
    return f"after {NUMBERS.get(epochs, epochs)} epoch{'s' if epochs > 1 else ''}"


def text(models: Models, preset: str) -> list[str]:
    """All of it, as lines of Markdown."""
    after = when(models)
    return [
        *_how(models),
        *_spaces(models, after),
        *_ladder(models, after),
        *_initialisation(models, after),
        *_relations(models, after),
        *_best(models, after),
        "## How large the spaces are",
        "",
        *sizes.table(preset),
        "",
        "Dimensions, combinations and totals as published (DDS, tables 1 and 2): dividing by 4! leaves ties "
        "out, and 64 values of each of d, w_0, w_a and w_m are an estimate. Different networks: after widths "
        "and groups are made to fit.",
        "",
    ]


def _how(models: Models) -> list[str]:
    recipe = json.loads(models[0]["recipe"])
    busy = sum(m["seconds"] for m in models)
    trained = sum(m["train_seconds"] for m in models)
    machines = Counter(m["device"] for m in models)
    versions = json.loads(models[0]["versions"])
    images = "all" if recipe["train_images"] is None else f"{recipe['train_images']:,}"
    macs = column(models, "macs")
    return [
        "## How it was run",
        "",
        f"- {len(models)} models, {macs.min() / 1e6:.2f}M to {macs.max() / 1e6:.2f}M multiply-adds, on "
        f"{', '.join(machines)}, torch {versions['torch']}; {busy / 3600:.1f} hours of workers, "
        f"{trained / busy:.1%} of them in training steps; a model took {np.mean(column(models, 'seconds')):.0f} s "
        f"in the mean (90th percentile {np.quantile(column(models, 'seconds'), 0.9):.0f} s)",
        f"- recipe: {recipe['epochs']} x {images} images of {recipe['dataset']} but {recipe['val_images']:,} to "
        f"validate on, batch {recipe['batch']}, {recipe['optimiser']}, lr {recipe['lr']:g}, "
        f"{recipe['schedule']}; one seed",
        "- errors are validation errors; the test set was not read",
        "",
    ]


def _spaces(models: Models, after: str) -> list[str]:
    lines = [
        f"## The spaces {after}",
        "",
        "| space | models | drawn until in the window | min | median | mean ± sd | parameters, median | depth, median |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    names = dict.fromkeys((m["part"], m["design_space"]) for m in models if m["part"] != "default")
    for part, name in names:
        found = of(models, part, name)
        f = edf(column(found, "top1"))
        accepted = len(found) / column(found, "draws").sum()
        lines.append(
            f"| {name} | {len(found)} | {accepted:.1%} | {f.min:.1f} | {f.median:.1f} | {f.mean:.1f} ± {f.sd:.1f} "
            f"| {np.median(column(found, 'params')) / 1e3:.0f}K | {np.median(column(found, 'depth')):.0f} |"
        )
    return [
        *lines,
        "",
        "Error in percent. Draws already keep the space's constraints; of them this share lies in the window.",
        "",
    ]


def _ladder(models: Models, after: str) -> list[str]:
    plain, alike = compare(models, HYPOTHESES), compare(models, HYPOTHESES, "params")
    beside, beside_alike = compare(models, CONTROLS), compare(models, CONTROLS, "params")
    sd = edf(column(of(models, "ladder", "A"), "top1")).sd
    return [
        f"## What can be concluded {after}",
        "",
        "Fixed before the run: each step better than the one before in the mean error (one-sided permutation "
        f"tests), or equal to it (two one-sided tests within ±{MARGIN:g} points), Holm-corrected within each kind, "
        f"at level {LEVEL:g}; and the same at equal parameters, because a constraint moves parameters inside a "
        "window of multiply-adds.",
        "",
        *_tested(plain, alike),
        "",
        f"Models to show: of each space, at 80% power, for the difference seen or for equality. {_sentence(plain, alike)}",
        "",
        sample_size(len(of(models, "ladder", "A")), sd, MARGIN) + ".",
        "",
        *(
            [
                "The paper's controls, in which widths or depths fall or stay instead of rising:",
                "",
                *_tested(beside, beside_alike),
                "",
                _sentence(beside, beside_alike),
                "",
            ]
            if beside
            else []
        ),
        *_distances(models),
    ]


def _tested(plain: Sequence[Finding], alike: Sequence[Finding]) -> list[str]:
    lines = [
        "| hypothesis | difference | p | Holm | shown | models to show | at equal parameters | Holm | shown |",
        "|---|---:|---:|---:|---|---:|---:|---:|---|",
    ]
    for one, other in zip(plain, alike, strict=True):
        lines.append(
            f"| {one.hypothesis} | {one.difference:+.2f} | {one.p:.4f} | {one.corrected:.4f} | {_yes(one)} "
            f"| {'' if one.models is None else f'{one.models:,}'} | {other.difference:+.2f} | {other.corrected:.4f} "
            f"| {_yes(other)} |"
        )
    return lines


def _yes(finding: Finding) -> str:
    return "**yes**" if finding.holds else "no"


def _sentence(plain: Sequence[Finding], alike: Sequence[Finding]) -> str:
    """Which hypotheses are shown, in words."""
    both = [str(a.hypothesis) for a, b in zip(plain, alike, strict=True) if a.holds and b.holds]
    only = [str(a.hypothesis) for a, b in zip(plain, alike, strict=True) if a.holds and not b.holds]
    late = [str(a.hypothesis) for a, b in zip(plain, alike, strict=True) if b.holds and not a.holds]
    none = [str(a.hypothesis) for a, b in zip(plain, alike, strict=True) if not a.holds and not b.holds]
    parts = [
        (both, "Shown, also at equal parameters"),
        (only, "Shown, but not at equal parameters"),
        (late, "Shown at equal parameters only"),
        (none, "Not shown"),
    ]
    return " ".join(f"{label}: {'; '.join(names)}." for names, label in parts if names)


def _distances(models: Models) -> list[str]:
    """Kolmogorov-Smirnov distances between neighbours, and to A."""
    lines = [
        "| step | KS distance | p, two-sided | KS to A | p |",
        "|---|---:|---:|---:|---:|",
    ]
    there = {n: edf(column(part, "top1")) for n in LADDER if (part := of(models, "ladder", n))}
    names = list(there)
    for before, name in zip(names, names[1:], strict=False):
        step, whole = ks(there[before], there[name]), ks(there["A"], there[name])
        lines.append(f"| {before} to {name} | {step.value:.2f} | {step.p:.3f} | {whole.value:.2f} | {whole.p:.3f} |")
    return [*lines, ""]


def _initialisation(models: Models, after: str) -> list[str]:
    default = [m for m in models if m["part"] == "default"]
    if not default:
        return []
    zero = {m["key"]: m for m in models if m["part"] == "ladder"}
    pairs = [(zero[m["key"]], m) for m in default if m["key"] in zero]
    lines = [
        f"## One flag, another ladder {after}",
        "",
        f"The same {len(pairs)} models with the last gamma of every residual branch at 0 (`zero-gamma`) and at 1 "
        "(`--init default`). Mean error ± standard deviation in percent:",
        "",
        "| space | models | zero-gamma | default |",
        "|---|---:|---:|---:|",
    ]
    means: dict[str, tuple[float, float]] = {}
    for name in LADDER:
        mine = [(a, b) for a, b in pairs if b["design_space"] == name]
        if len(mine) < 2:
            continue
        first, second = (edf([pair[i]["top1"] for pair in mine]) for i in (0, 1))
        means[name] = (first.mean, second.mean)
        lines.append(
            f"| {name} | {len(mine)} | {first.mean:.1f} ± {first.sd:.1f} | {second.mean:.1f} ± {second.sd:.1f} |"
        )
    errors = [[pair[i]["top1"] for pair in pairs] for i in (0, 1)]
    depth = [pair[0]["depth"] for pair in pairs]
    tau = stats.kendalltau(*errors)
    orders = [" < ".join(sorted(means, key=lambda n: means[n][i])) for i in (0, 1)]
    rho = [stats.spearmanr(depth, e).statistic for e in errors]
    changed = (
        "One flag changes the order of the spaces at this budget: neither order says what longer training would."
        if orders[0] != orders[1]
        else "The order of the spaces is the same."
    )
    return [
        *lines,
        "",
        f"From the least mean error up: {orders[0]} with `zero-gamma`, {orders[1]} with `default`. {changed} "
        f"Error and depth: rank correlation {rho[0]:+.2f} with `zero-gamma`, {rho[1]:+.2f} with `default`. Between "
        f"the two rankings of the same models: tau-b {tau.statistic:.2f} (p {tau.pvalue:.2g}).",
        "",
    ]


def _relations(models: Models, after: str) -> list[str]:
    """Rank correlations of error within each space."""
    facts: Mapping[str, Any] = {
        "parameters": lambda m: m["params"],
        "activations": lambda m: m["activations"],
        "depth": lambda m: m["depth"],
        "e_fit": lambda m: e_fit(m["d"], m["w"]).e,
    }
    lines = [
        f"## What goes with error {after}",
        "",
        "Rank correlation (Spearman) of error within each space; the baseline that no space knows of is "
        "`parameters`. e_fit is the mean |log ratio| of a model's block widths to those of the nearest "
        "quantised line (DDS, section 3.3).",
        "",
        f"| space | {' | '.join(facts)} |",
        f"|---|{'---:|' * len(facts)}",
    ]
    for name in LADDER:
        part = of(models, "ladder", name)
        if len(part) < 3:
            continue
        errors = column(part, "top1")
        cells = [f"{stats.spearmanr([f(m) for m in part], errors).statistic:+.2f}" for f in facts.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _best(models: Models, after: str) -> list[str]:
    found = ranges(models)
    names = list(next(iter(found.values())))
    lines = [
        f"## Best values {after}",
        "",
        "Most likely best value and 95% interval (DDS, footnote 4: the best of a quarter of the models, drawn "
        "10,000 times):",
        "",
        f"| setting | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    lines += [f"| {letter} | {' | '.join(map(str, spans.values()))} |" for letter, spans in found.items()]
    return [*lines, ""]
