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

from experiments import proxies
from experiments.proxies import arch_str, bootstrap, correlations, main, read, report, scored, write
from nas.options import UsageError
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


def invented(count: int) -> list[dict[str, Any]]:
    """Cells and our scores of them."""
    rng = np.random.default_rng(0)
    return [
        {"arch_str": f"cell {i}", "accuracy": float(i), "table_synflow": i, "table_naswot": -i}
        | {f"suite_{name}": -i for name in PROXIES}
        | {"images": 8, "params": i + 20 * rng.random(), "naswot": float(i)}
        | {name: -math.inf if i < 9 else -float(i) for name in PROXIES if name not in ("params", "naswot")}
        | {f"{name}_seconds": 0.5 for name in PROXIES}
        for i in range(count)
    ]


def test_a_report_says_what_is_above_the_parameters() -> None:
    scores = invented(30)
    text = report(scores, 40, correlations(scores))
    assert "scored 30 of 40 cells: 30 on a machine that is not on record." in text
    lines = {line.split(" ")[1]: line for line in text if line.startswith("| ")}
    assert list(lines)[1:4] == ["naswot", "params", "macs"]
    assert lines["naswot"].startswith("| naswot | 0 | 1.000 (1.000 to 1.000) | +0.")
    assert lines["naswot"].endswith("| -1.000 | -1.000 | -1.000 | 0.5 |")
    accuracy = [row["accuracy"] for row in scores]
    last = spearmanr([-99.0] * 9 + [-float(i) for i in range(9, 30)], accuracy).statistic
    assert lines["synflow"].startswith(f"| synflow | 9 | {last:.3f} (")
    assert np.allclose(
        bootstrap([s["params"] for s in scores], accuracy, 3),
        [
            spearmanr([scores[i]["params"] for i in draw], [accuracy[i] for i in draw]).statistic
            for draw in np.random.default_rng(0).integers(0, 30, (3, 30))
        ],
    )


def test_a_report_is_written_from_the_scores_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = invented(30)
    for row in cells[4:]:
        row["machine"] = "a CPU, torch 2" if row["accuracy"] < 9 else "a GPU, torch 3"
    monkeypatch.setattr(proxies, "published", lambda tables, count: cells[:count])
    words = ["--tables", "nowhere", "--report", "--images", "8", "--out", str(tmp_path)]
    with pytest.raises(UsageError, match=r"--report: .*scores\.csv has no scores of these cells"):
        main(words)
    write(cells[:25], tmp_path / "scores.csv")
    assert main([*words, "--cells", "28"]) == 0
    said = (tmp_path / "results.md").read_text()
    assert "DIR --cells 28 --images 8`\nscored 25 of 28 cells: 4 on a machine that is not on record; " in said
    assert "; 5 on a CPU, torch 2; 16 on a GPU, torch 3.\n" in said
    assert "![correlations with accuracy](correlations.svg)" in said
    before = (tmp_path / "correlations.svg").read_bytes()
    assert b"</svg>" in before
    assert main(words) == 0
    assert (tmp_path / "correlations.svg").read_bytes() == before
    with pytest.raises(UsageError, match=r"--images 32: .*scores\.csv are on batches of 8: take --images 8"):
        main([*words, "--images", "32"])


CELL = "|none~0|+|none~0|none~1|+|{}~0|none~1|none~2|"


def test_scores_are_added_to_those_of_the_same_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows from before machines were written down stay as they are, with an empty column."""
    few = {name: PROXIES[name] for name in ("params", "naswot")}
    monkeypatch.setattr("nas.proxies.PROXIES", few)
    monkeypatch.setattr("nas.sources.locate", lambda name, place: (name, place))
    monkeypatch.setattr("nas.sources.load", lambda place, part: None)
    batch = Batch(torch.zeros(4, 3, 32, 32), torch.zeros(4, dtype=torch.int64))
    monkeypatch.setattr("nas.proxies.training_batch", lambda *_: batch)
    file = tmp_path / "scores.csv"
    cells = [{"arch_str": CELL.format(operation)} for operation in ("none", "skip_connect", "nor_conv_3x3")]
    old = "arch_str,params,naswot,params_seconds,naswot_seconds,images\r\n"
    old += f"{cells[0]['arch_str']},1210,-inf,0.0002,0.06,4\r\n"
    file.write_bytes(old.encode())
    with pytest.raises(
        UsageError, match=r"--images 8: .*batches of 4: take --images 4, or name another --out"
    ):
        scored(cells, file, None, 8)
    assert file.read_bytes() == old.encode()
    scored(cells[:2], file, None, 4)
    scored(cells, file, None, 4)
    header, first = old.splitlines()
    written = file.read_text().splitlines()
    assert written[:2] == [f"{header},machine", f"{first},"]
    rows = read(file, 4)
    assert [row["arch_str"] for row in rows] == [cell["arch_str"] for cell in cells]
    assert rows[2]["params"] > rows[1]["params"] > 1000
    assert [row["machine"] for row in rows[1:]] == [rows[1]["machine"]] * 2
    assert rows[1]["machine"].startswith("cpu (")
    assert rows[1]["machine"].endswith(f"1 threads), torch {torch.__version__}")
    assert rows[2]["naswot"] == -math.inf  # images that are all the same cannot be told apart
    mixed = file.read_text().replace("0.06,4,", "0.06,32,")
    file.write_text(mixed)
    with pytest.raises(UsageError, match="on batches of 32"):
        read(file, 4)
