"""How well zero-cost proxies rank networks that were trained to the end: cells of NAS-Bench-201 on CIFAR-10.

The cells are those of NAS-Bench-Suite-Zero (Krishnakumar et al. 2022, arXiv:2210.03230), whose own scores
stand beside ours, as do those of the whole space.
"""

from __future__ import annotations

import argparse
import ast
import csv
import io
import math
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from experiments.drawing import save
from nas.cli import command, guard, positive
from nas.options import UsageError
from nas.store import write_atomically

EXAMPLES = """\
  python -m experiments.proxies --tables ../shared/benchdata --data-dir ../shared/data
  python -m experiments.proxies --tables DIR --data-dir DIR --cells 20 --out somewhere
"""

SUITE = {
    "params": "params",
    "macs": "flops",
    "synflow": "synflow",
    "naswot": "nwot",
    "jacob_cov": "jacov",
} | {name: name for name in ("grad_norm", "snip")}
"""Our proxies, and what NAS-Bench-Suite-Zero calls them."""

WHOLE = {"synflow": "cifar10_synflow", "naswot": "cifar10_naswot"}
"""Our proxies, and their columns in the table of the whole space."""

ACCURACY = "cifar10_test_acc_200ep"

Row = Mapping[str, Any]
Correlations = dict[str, tuple[float, Any]]
"""By proxy, with a bootstrap sample."""


def arch_str(suite: str) -> str:
    """The NAS-Bench-201 string of a cell as NAS-Bench-Suite-Zero writes it.

    That is a tuple of operations on the edges 1<-0, 2<-0, 3<-0, 2<-1, 3<-1, 3<-2.
    """
    operations = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
    a, b, c, d, e, f = (operations[i] for i in ast.literal_eval(suite))
    return f"|{a}~0|+|{b}~0|{d}~1|+|{c}~0|{e}~1|{f}~2|"


def correlation(scores: Sequence[float], values: Sequence[float]) -> float:
    """Spearman's rank correlation; networks without a score (-inf) share the last rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(scores, values).statistic)


def bootstrap(scores: Sequence[float], values: Sequence[float], draws: int = 2000) -> Any:
    """The correlations of so many samples of the networks with replacement, the same ones each time."""
    import numpy as np
    from scipy.stats import rankdata

    index = np.random.default_rng(0).integers(0, len(scores), (draws, len(scores)))
    ranks = [rankdata(np.asarray(x)[index], axis=1) for x in (scores, values)]
    x, y = (r - r.mean(1, keepdims=True) for r in ranks)
    return (x * y).sum(1) / np.sqrt((x**2).sum(1) * (y**2).sum(1))


def interval(sample: Any) -> Any:
    """The 95% percentile bootstrap interval."""
    import numpy as np

    return np.quantile(sample, (0.025, 0.975))


def shown(found: float, sample: Any, sign: str = "") -> str:
    """A statistic with its interval."""
    low, high = interval(sample)
    return f"{found:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    p = command(
        "experiments.proxies",
        "Ranks cells of NAS-Bench-201 by every zero-cost proxy, beside published scores.",
        EXAMPLES,
    )
    p.add_argument("--tables", required=True, metavar="DIR", help="where the benchmarks' tables lie")
    p.add_argument("--data-dir", metavar="DIR", help="where CIFAR-10 lies")
    p.add_argument("--cells", type=positive, default=200, metavar="N", help="(default: 200)")
    p.add_argument("--images", type=positive, default=32, metavar="N", help="of the batch (default: 32)")
    p.add_argument("--report", action="store_true", help="score nothing, write the report again")
    p.add_argument(
        "--out",
        default="experiments/results/proxies",
        metavar="DIR",
        help="scores that are there are not computed again (default: %(default)s)",
    )
    return p


def published(tables: Path, count: int) -> list[dict[str, Any]]:
    """Cells drawn from the suite's (seed 0), with their accuracy and published scores."""
    import random

    import pyarrow.parquet as pq

    suite = pq.read_table(tables / "zero_cost_suite_samples.parquet").to_pylist()
    suite = [r for r in suite if (r["search_space"], r["dataset"]) == ("nasbench201", "cifar10")]
    whole = pq.read_table(tables / "nasbench201_zero_cost.parquet", columns=["arch_str", *WHOLE.values()])
    trained = pq.read_table(tables / "nasbench201.parquet", columns=["arch_str", ACCURACY])
    scores = {r["arch_str"]: r for r in whole.to_pylist()}
    accuracies = {r["arch_str"]: r[ACCURACY] for r in trained.to_pylist()}
    rows = []
    for cell in random.Random(0).sample(suite, min(count, len(suite))):
        cell_str = arch_str(cell["arch"])
        row: dict[str, Any] = {"arch_str": cell_str, "accuracy": accuracies[cell_str]}
        row |= {f"suite_{ours}": cell[theirs] for ours, theirs in SUITE.items()}
        row |= {f"table_{ours}": scores[cell_str][theirs] for ours, theirs in WHOLE.items()}
        rows.append(row)
    return rows


def scored(cells: Sequence[Row], file: Path, data_dir: str | None, images: int) -> None:
    """Adds our scores of each cell that has none yet, with the seconds that each took."""
    rows = read(file, images)
    done = {row["arch_str"] for row in rows}
    left = [cell["arch_str"] for cell in cells if cell["arch_str"] not in done]
    if not left:
        return
    import torch
    from rich.progress import track

    from nas import sources
    from nas.proxies import PROXIES, ProxyError, score, training_batch
    from nas.recipe import Recipe
    from nas.trial import device_name
    from search_spaces import SPACES, Fixed
    from search_spaces.formats import read_nasbench201

    torch.set_num_threads(1)
    found = sources.load(sources.locate("cifar10", data_dir), "train")
    batch = training_batch(found, Recipe(), torch.device("cpu"), images)
    machine = f"{device_name(batch.images.device)}, torch {torch.__version__}"
    space = SPACES["nasbench201"].bind(n=5, f=16)
    for cell in track(left, "scoring"):
        genome = space.draw(Fixed(**read_nasbench201(cell)))
        row: dict[str, Any] = {"arch_str": cell} | dict.fromkeys(PROXIES, -math.inf)
        for name in PROXIES:
            begin = time.process_time()
            with suppress(ProxyError):
                row[name] = score(name, genome, batch)
            row[f"{name}_seconds"] = round(time.process_time() - begin, 4)
        rows.append(row | {"images": images, "machine": machine})
        write(rows, file)


def write(rows: Sequence[Row], file: Path) -> None:
    """Writes a file of scores."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[-1].keys())
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(file, text.getvalue().encode())


def read(file: Path, images: int) -> list[dict[str, Any]]:
    """The rows of a file of scores; none where there is none.

    Raises `UsageError` where they are of batches of another size.
    """
    if not file.exists():
        return []
    with file.open(newline="") as text:
        rows = [{name: _value(said) for name, said in row.items()} for row in csv.DictReader(text)]
    for row in rows:
        if (other := row["images"]) != images:
            told = f"--images {images}: the scores in {file} are on batches of {other}"
            raise UsageError(f"{told}: take --images {other}, or name another --out")
    return rows


def _value(text: str) -> str | float:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text


def correlations(rows: Sequence[Row]) -> Correlations:
    """Of every proxy with accuracy, the best first."""
    from nas.proxies import PROXIES

    accuracy = [row["accuracy"] for row in rows]
    ours = {name: [row[name] for row in rows] for name in PROXIES}
    found = {name: (correlation(s, accuracy), bootstrap(s, accuracy)) for name, s in ours.items()}
    return dict(sorted(found.items(), key=lambda entry: -entry[1][0]))


def report(rows: Sequence[Row], asked: int, found: Correlations) -> list[str]:
    """The table of so many cells of those that were asked for, in Markdown."""
    accuracy = [row["accuracy"] for row in rows]
    base, baseline = found["params"]
    images = rows[0]["images"]
    machines = Counter(row.get("machine") or "a machine that is not on record" for row in rows)
    lines = [
        "# Zero-cost proxies on NAS-Bench-201",
        "",
        f"`python -m experiments.proxies --tables DIR --data-dir DIR --cells {asked} --images {images}`",
        f"scored {len(rows)} of {asked} cells: {'; '.join(f'{n} on {m}' for m, n in machines.items())}.",
        "With `--report` it writes this table and `correlations.svg` again from `scores.csv`.",
        "",
        "Spearman's correlation with the mean test accuracy on CIFAR-10 after 200 epochs, of these cells,",
        "drawn from those of NAS-Bench-Suite-Zero (95% percentile bootstrap intervals over cells); by",
        "how much it exceeds that of the number of parameters, likewise; the same correlation of the suite's",
        "scores of the same cells; and the rank correlation of our scores with the suite's, and with those",
        "of the table of the whole space. Networks that a proxy says nothing of share the last rank. One",
        f"batch of {images} training images, one draw of weights. Seconds of one core for",
        "each network, building it included: median.",
        "",
        "Our networks have only what the output depends on; the suite's, as the benchmark's, also have the",
        "weights of dead edges, which is why our baselines correlate more.",
        "",
        "| proxy | undefined | with accuracy | above parameters | suite's, with accuracy | ours with suite's "
        "| ours with table's | seconds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, (value, sample) in found.items():
        ours = [row[name] for row in rows]
        above = "" if name == "params" else shown(value - base, sample - baseline, "+")
        entries = [shown(value, sample), above]
        theirs = [_number(row[f"suite_{name}"]) for row in rows]
        entries += [f"{correlation(theirs, accuracy):.3f}", f"{correlation(ours, theirs):.3f}"]
        whole = [_number(row[f"table_{name}"]) for row in rows] if name in WHOLE else None
        entries.append("" if whole is None else f"{correlation(ours, whole):.3f}")
        seconds = statistics.median(row[f"{name}_seconds"] for row in rows)
        undefined = sum(math.isinf(score) for score in ours)
        lines.append(f"| {name} | {undefined} | {' | '.join(entries)} | {seconds:.2g} |")
    return [*lines, "", "![correlations with accuracy](correlations.svg)", ""]


def figure(found: Correlations, file: Path) -> None:
    """Correlations with their intervals, the best first; that of the parameters as a line."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    picture, panel = plt.subplots(figsize=(7, 0.35 * len(found) + 1.2))
    for place, (value, sample) in enumerate(found.values()):
        panel.plot(interval(sample), [place, place], "|-", color="C0")
        panel.plot(value, place, "o", color="C0")
    panel.axvline(found["params"][0], ls="--", color="grey")
    panel.set_yticks(range(len(found)), found)
    panel.set_xlabel("Spearman's correlation with accuracy, 95% interval (dashed: parameters)")
    panel.invert_yaxis()
    picture.tight_layout()
    save(picture, file, "proxies")


def _number(score: float | None) -> float:
    return -math.inf if score is None or math.isnan(score) else score


def main(argv: Sequence[str] | None = None) -> int:
    """Scores the cells and writes the report."""
    given = arguments().parse_args(argv)
    out = Path(given.out)
    out.mkdir(parents=True, exist_ok=True)
    cells = published(Path(given.tables), given.cells)
    if not given.report:
        scored(cells, out / "scores.csv", given.data_dir, given.images)
    known = {cell["arch_str"]: cell for cell in cells}
    scores = read(out / "scores.csv", given.images)
    rows = [known[row["arch_str"]] | row for row in scores if row["arch_str"] in known]
    if not rows:
        raise UsageError(f"--report: {out / 'scores.csv'} has no scores of these cells: score them first")
    found = correlations(rows)
    lines = report(rows, len(cells), found)
    (out / "results.md").write_text("\n".join(lines))
    figure(found, out / "correlations.svg")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(guard(main))
