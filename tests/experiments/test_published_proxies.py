"""Our proxies agree with published scores of the same networks."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr

from experiments.proxies import arch_str, bootstrap, report
from nas.proxies import PROXIES, Batch, score
from search_spaces import SPACES, Fixed
from search_spaces.formats import read_nasbench201


@pytest.fixture(scope="module")
def suite(shared: Path) -> dict[str, list[Any]]:
    """NAS-Bench-Suite-Zero's cells of NAS-Bench-201 on CIFAR-10."""
    table = pq.read_table(shared / "benchdata" / "zero_cost_suite_samples.parquet")
    rows = [r for r in table.to_pylist() if (r["search_space"], r["dataset"]) == ("nasbench201", "cifar10")]
    return {name: [r[name] for r in rows] for name in rows[0]}


def test_the_suite_writes_cells_as_we_read_them(shared: Path, suite: dict[str, list[Any]]) -> None:
    """By the parameters of every cell, and by accuracies, which other orders of edges do not match."""
    columns = ["arch_str", "params_cifar10", "cifar10_val_acc_200ep"]
    known = pq.read_table(shared / "benchdata" / "nasbench201.parquet", columns=columns).to_pylist()
    rows = {row["arch_str"]: row for row in known}
    found = [rows[arch_str(text)] for text in suite["arch"]]
    assert [row["params_cifar10"] for row in found] == [round(1e6 * p) for p in suite["params"]]
    off = [abs(row["cifar10_val_acc_200ep"] - a) for row, a in zip(found, suite["val_accuracy"], strict=True)]
    assert np.median(off) < 0.4


def test_published_correlations(suite: dict[str, list[Any]]) -> None:
    """Spearman's coefficients with accuracy, to which our own are compared in `experiments.proxies`."""
    found = {
        name: spearmanr([-math.inf if s is None else s for s in suite[name]], suite["val_accuracy"]).statistic
        for name in ("nwot", "synflow", "params", "jacov", "grad_norm", "snip")
    }
    assert found["nwot"] > found["params"] > found["snip"] > 0.5


def some_images(file: Path, count: int) -> Batch:
    """The first images of a Parquet file, normalised as a whole."""
    rows = next(pq.ParquetFile(file).iter_batches(count)).to_pylist()
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(row["img"]["bytes"]))) for row in rows])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    return Batch((images - images.mean()) / images.std(), torch.tensor([row["label"] for row in rows]))


def test_our_scores_rank_cells_as_published_ones(shared: Path, suite: dict[str, list[Any]]) -> None:
    """NASWOT and synflow, on networks of the published size, but with fewer images."""
    table = pq.read_table(
        shared / "benchdata" / "nasbench201_zero_cost.parquet",
        columns=["arch_str", "cifar10_naswot", "cifar10_synflow"],
    ).to_pylist()
    rows = {row["arch_str"]: row for row in table}
    cells = [arch_str(suite["arch"][i]) for i in range(0, 725, 52)]
    batch = some_images(shared / "data" / "cifar10" / "train.parquet", 12)
    space = SPACES["nasbench201"].bind(n=5, f=16)
    genomes = [space.draw(Fixed(**read_nasbench201(cell))) for cell in cells]
    for name in ("naswot", "synflow"):
        ours = [score(name, genome, batch) for genome in genomes]
        assert spearmanr(ours, [rows[cell][f"cifar10_{name}"] for cell in cells]).statistic > 0.9


def test_a_report_says_what_is_above_the_parameters() -> None:
    rng = np.random.default_rng(0)
    cells = [
        {"arch_str": str(i), "accuracy": float(i), "table_synflow": i, "table_naswot": -i}
        | {f"suite_{name}": -i for name in PROXIES}
        for i in range(40)
    ]
    scores = [
        {"arch_str": str(i), "images": 8.0, "params": i + 20 * rng.random(), "naswot": float(i)}
        | {name: -math.inf if i < 9 else -float(i) for name in set(PROXIES) - {"params", "naswot"}}
        | {f"{name}_seconds": 0.5 for name in PROXIES}
        for i in range(30)
    ]
    lines = {line.split(" ")[1]: line for line in report(cells, scores) if line.startswith("| ")}
    assert list(lines)[1:4] == ["naswot", "params", "macs"]
    assert lines["naswot"].startswith("| naswot | 0 | 1.000 (1.000 to 1.000) | +0.")
    assert lines["naswot"].endswith("| -1.000 | -1.000 | -1.000 | 0.5 |")
    accuracy = [row["accuracy"] for row in cells[:30]]
    last = spearmanr([-99.0] * 9 + [-float(i) for i in range(9, 30)], accuracy).statistic
    assert lines["synflow"].startswith(f"| synflow | 9 | {last:.3f} (")
    assert np.allclose(
        bootstrap([s["params"] for s in scores], accuracy, 3),
        [
            spearmanr([scores[i]["params"] for i in draw], [accuracy[i] for i in draw]).statistic
            for draw in np.random.default_rng(0).integers(0, 30, (3, 30))
        ],
    )
