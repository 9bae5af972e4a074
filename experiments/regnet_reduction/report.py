"""The experiment's text: tables and statements, from the table of models alone."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from experiments.regnet_reduction import sizes
from experiments.regnet_reduction.compare import (
    CONTROLS,
    FEW,
    HYPOTHESES,
    LEVEL,
    MARGIN,
    Finding,
    compare,
    interaction,
)
from experiments.regnet_reduction.figures import ranges
from experiments.regnet_reduction.ladder import LADDER, PRESETS
from experiments.regnet_reduction.models import Models, column, of, read, share_trained, trained
from nas.edf import e_fit, edf, ks, sample_size
from nas.proposals import EVIDENCE, propose
from search_spaces import find
from search_spaces.census import sample

Findings = tuple[Sequence[Finding], Sequence[Finding]]
"""As the spaces are, and at equal parameters."""

NUMBERS = {1: "one", 2: "two", 3: "three", 5: "five", 10: "ten"}


def when(models: Models) -> str:
    """`after one epoch`, as the recipe has it."""
    epochs = json.loads(models[0]["recipe"])["epochs"]
    return f"after {NUMBERS.get(epochs, epochs)} epoch{'s' if epochs > 1 else ''}"


def power(count: int, table: Path, preset: str, recipe: str) -> str:
    """What so many models of each space can show, by the spread of those of a table; for before training."""
    known = [m for m in (trained(read(table)) if table.exists() else []) if m["preset"] == preset]
    part = [m for m in of(known, "ladder", "A") if json.loads(m["recipe"])["name"] == recipe]
    if len(part) < FEW:
        return f"what {count} models of each space can show is not known: there are no such results yet"
    return f"by the models of {table.parent.name}: {sample_size(count, _sd(part), MARGIN)}"


def _sd(models: Models) -> float:
    return edf(column(models, "top1")).sd


def text(models: Models, failed: Models = ()) -> list[str]:
    """All of it, as lines of Markdown.

    Args:
        failed: models whose training failed.
    """
    after = when(models)
    preset = min({m["preset"] for m in models}, key=len)  # those of further parts are longer
    steps, controls = (
        (compare(models, some), compare(models, some, "params")) for some in (HYPOTHESES, CONTROLS)
    )
    return [
        *_finding(steps, controls, after),
        *_how(models, preset, failed),
        *_spaces(models, after, preset),
        *_ladder(models, steps, controls, after),
        *_initialisation(models, after),
        *_relations(models, after),
        *_best(models, after),
        *_proposals(models, after, preset),
        "## How large the spaces are",
        "",
        *sizes.table(preset),
        "",
        "Dimensions, combinations and totals as published (DDS, tables 1 and 2): dividing by 4! leaves ties "
        "out, and 64 values of each of d, w_0, w_a and w_m are an estimate. Different networks: after widths "
        "and groups are made to fit.",
        "",
    ]


def _finding(steps: Findings, controls: Findings, after: str) -> list[str]:
    """What the fixed hypotheses support, and nothing else."""
    return [
        f"## Finding, {after}",
        "",
        _sentence(*steps) if steps[0] else "There are too few models to compare the spaces.",
        "",
        *([f"Beside the controls: {_sentence(*controls)}", ""] if controls[0] else []),
        "![EDFs](edf.svg)",
        "",
        "[Error over parameters](parameters.svg), [best ranges](ranges.svg),",
        "[random search](efficiency.svg); [what the table holds](DATA.md).",
        "",
    ]


def _how(models: Models, preset: str, failed: Models) -> list[str]:
    recipe = json.loads(models[0]["recipe"])
    busy = sum(m["seconds"] for m in models)
    losses = Counter(m["design_space"] for m in failed)
    lost = "none failed" if not failed else f"{len(failed)} failed and are left out ({dict(losses)})"
    machines = Counter(m["device"] for m in models)
    versions = json.loads(models[0]["versions"])
    images = "all" if recipe["train_images"] is None else f"{recipe['train_images']:,}"
    macs, seconds = column(models, "macs") / 1e6, column(models, "seconds")
    return [
        "## How it was run",
        "",
        f"- {len(models)} models, {macs.min():.2f}M to {macs.max():.2f}M multiply-adds, on "
        f"{', '.join(machines)}, torch {versions['torch']}; {busy / 3600:.1f} hours of trials, "
        f"{share_trained([*models, *failed]):.1%} of the workers' time in training steps; {lost}; "
        f"a model took {seconds.mean():.0f} s in the mean (90th percentile "
        f"{np.quantile(seconds, 0.9):.0f} s)",
        f"- recipe: {recipe['epochs']} x {images} images of {recipe['dataset']} but "
        f"{recipe['val_images']:,} to validate on, batch {recipe['batch']}, {recipe['optimiser']}, "
        f"lr {recipe['lr']:g}, {recipe['schedule']}; one seed",
        "- errors are validation errors; the test set was not read",
        f"- `python -m experiments.regnet_reduction --preset {preset} --recipe {recipe['name']} --window "
        f"{models[0]['window']} --dataset {recipe['dataset']} --data-dir DIR` trains the models; with "
        "`--report` it writes this page and the figures again from `models.parquet`",
        "",
    ]


def _spaces(models: Models, after: str, preset: str) -> list[str]:
    lines = [
        f"## The spaces {after}",
        "",
        "| space | models | in the window | of C's draws | min | median | mean ± sd | parameters | depth |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    names = dict.fromkeys((m["part"], m["design_space"]) for m in models if m["part"] != "default")
    for part, name in names:
        found = of(models, part, name)
        f = edf(column(found, "top1"))
        params, depth = (np.median(column(found, cost)) for cost in ("params", "depth"))
        accepted = len(found) / column(found, "draws").sum()
        joint = f"{accepted * sizes.kept(name, preset):.2%}" if name in ("C", "D", "E") else ""
        lines.append(
            f"| {name} | {len(found)} | {accepted:.1%} | {joint} | {f.min:.1f} | {f.median:.1f} "
            f"| {f.mean:.1f} ± {f.sd:.1f} | {params / 1e3:.0f}K | {depth:.0f} |"
        )
    return [
        *lines,
        "",
        "Error in percent; parameters and depth are medians. In the window: of draws that keep the space's "
        "constraints; and of C's draws, which D and E keep only if widths and depths never fall.",
        "",
    ]


def _ladder(models: Models, steps: Findings, controls: Findings, after: str) -> list[str]:
    first = of(models, "ladder", "A")
    power = sample_size(len(first), _sd(first), MARGIN) + "." if first else ""
    return [
        f"## What can be concluded {after}",
        "",
        "Fixed before the run: each step better than the one before in the mean error (one-sided permutation "
        f"tests), or equal to it (two one-sided tests within ±{MARGIN:g} points), Holm-corrected within each "
        f"kind, at level {LEVEL:g}; and the same at equal parameters, because a constraint moves parameters "
        "inside a window of multiply-adds.",
        "",
        *_tested(*steps),
        "",
        "Models to show: of each space, at 80% power, for the difference seen or for equality.",
        "",
        power,
        "",
        *(
            [
                "The paper's controls, in which widths or depths fall or stay instead of rising:",
                "",
                *_tested(*controls),
                "",
            ]
            if controls[0]
            else []
        ),
        *_distances(models),
    ]


def _tested(plain: Sequence[Finding], alike: Sequence[Finding]) -> list[str]:
    if not plain:
        return [f"No two neighbours have {FEW} models each: nothing is compared."]
    lines = [
        "| hypothesis | difference | p | Holm | shown | models to show | equal parameters | Holm | shown |",
        "|---|---:|---:|---:|---|---:|---:|---:|---|",
    ]
    for one, other in zip(plain, alike, strict=True):
        needed = "" if one.models is None else f"{one.models:,}"
        there = "" if math.isnan(other.difference) else f"{other.difference:+.2f}"
        lines.append(
            f"| {one.hypothesis} | {one.difference:+.2f} | {_p(one.p)} | {_p(one.corrected)} | {_yes(one)} "
            f"| {needed} | {there} | {_p(other.corrected)} | {_yes(other)} |"
        )
    bins = [f"{finding.hypothesis}: {finding.how}" for finding in alike]
    return [*lines, "", f"Parameters are made alike in bins, and so about equal. {'; '.join(bins)}."]


def _p(p: float) -> str:
    if math.isnan(p):
        return ""
    return f"{p:.3f}" if p >= 0.001 else "<0.001"


def _yes(finding: Finding) -> str:
    return "**yes**" if finding.holds else "no"


def _sentence(plain: Sequence[Finding], alike: Sequence[Finding]) -> str:
    """Which hypotheses are shown, in words."""
    both = [str(a.hypothesis) for a, b in zip(plain, alike, strict=True) if a.holds and b.holds]
    only = [str(a.hypothesis) for a, b in zip(plain, alike, strict=True) if a.holds and not b.holds]
    none = [str(a.hypothesis) for a in plain if not a.holds]
    parts = [
        (both, "Shown, also at equal parameters"),
        (only, "Shown, but not at equal parameters"),
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
    if names[:1] != ["A"]:
        return []
    for before, name in pairwise(names):
        step, whole = ks(there[before], there[name]), ks(there["A"], there[name])
        lines.append(
            f"| {before} to {name} | {step.value:.2f} | {_p(step.p)} | {whole.value:.2f} | {_p(whole.p)} |"
        )
    return [*lines, ""]


def _initialisation(models: Models, after: str) -> list[str]:
    default = [m for m in models if m["part"] == "default"]
    if not default:
        return []
    zero = {m["key"]: m for m in models if m["part"] == "ladder"}
    pairs = [(zero[m["key"]], m) for m in default if m["key"] in zero]
    lines = [
        f"## One flag: how the last gammas start, {after}",
        "",
        f"The same {len(pairs)} models with the last gamma of every residual branch at 0 (`zero-gamma`) and "
        "at 1 (`default`). Mean error ± standard deviation in percent:",
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
        cells = [f"{f.mean:.1f} ± {f.sd:.1f}" for f in (first, second)]
        lines.append(f"| {name} | {len(mine)} | {' | '.join(cells)} |")
    if len(means) < 2:
        return []
    errors = [[pair[i]["top1"] for pair in pairs] for i in (0, 1)]
    depth = [pair[0]["depth"] for pair in pairs]
    tau = stats.kendalltau(*errors)
    orders = [" < ".join(sorted(means, key=lambda n: means[n][i])) for i in (0, 1)]
    rho = [stats.spearmanr(depth, e).statistic for e in errors]
    shifts = {name: [b["top1"] - a["top1"] for a, b in pairs if b["design_space"] == name] for name in means}
    p = interaction(list(shifts.values()))
    if p < LEVEL:
        said = (
            "The flag moves some spaces more than others: what is concluded of the spaces at this budget "
            "depends on it"
        )
    else:
        said = "That the flag moves some spaces more than others is not shown"
    return [
        *lines,
        "",
        f"From the least mean error up: {orders[0]} with `zero-gamma`, {orders[1]} with `default`. {said} "
        f"(differences of the same model dealt anew to the spaces, p {_p(p)}). "
        f"Error and depth: rank correlation {rho[0]:+.2f} with `zero-gamma`, {rho[1]:+.2f} with `default`. "
        f"Between the two rankings of the same models: tau-b {tau.statistic:.2f} (p {_p(tau.pvalue)}).",
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
        "Most likely best value and 95% interval (DDS, footnote 4: the best of a quarter of the models, "
        "drawn 10,000 times):",
        "",
        f"| setting | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    lines += [f"| {letter} | {' | '.join(map(str, spans.values()))} |" for letter, spans in found.items()]
    return [*lines, ""]


def _proposals(models: Models, after: str, preset: str) -> list[str]:
    """What the table of AnyNet A alone would have one test next."""
    part = of(models, "ladder", "A")
    if len(part) < FEW:
        return []
    records = [{k: v for k, v in json.loads(m["choices"]).items() if k != "space"} for m in part]
    space = find("anynet").bind(**PRESETS[preset].arguments.get("anynet", {}))
    found = propose(records, [m["top1"] for m in part], sample(space, 20).asked)
    spoken = sum(proposal.p <= EVIDENCE for proposal in found)
    lines = [
        f"## What the models of A propose {after}",
        "",
        f"Constraints as `nas.reduce` proposes them, from the {len(part)} models of A alone: rank "
        "correlation of error with how nearly a model keeps each, and p by permutation. "
        f"{spoken} of {len(found)} have p of at most {EVIDENCE:g}, where chance alone would give about "
        f"{EVIDENCE * len(found):.0f}. All with p below {SHOWN:g}, and the paper's steps:",
        "",
        "| constraint | rho | p | step of the paper |",
        "|---|---:|---:|---|",
    ]
    for proposal in found:
        step = STEPS.get(str(proposal.constraint), "")
        if proposal.p < SHOWN or step:
            lines.append(f"| {proposal.constraint} | {proposal.rho:+.2f} | {_p(proposal.p)} | {step} |")
    return [*lines, ""]


SHOWN = 0.3
"""p below which a proposal is listed."""

STEPS = {
    "stage*.b tied": "A to B",
    "stage*.g tied": "B to C",
    "stage*.w increasing": "C to D",
    "stage*.d increasing": "D to E",
}
"""The paper's reductions as proposals."""
