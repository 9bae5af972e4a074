"""Whether a learning curve tells more when it is extrapolated than its last value does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.multifidelity.families import FAMILIES, extrapolated
from experiments.multifidelity.run import cells, known

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CURVES = pa.schema(
    {
        "source": pa.string(),
        "epochs": pa.int64(),
        "epoch": pa.int64(),
        "method": pa.string(),
        "pairs": pa.int64(),
        "right": pa.float64(),
        "error": pa.float64(),
    }
)
"""A row for each set of curves, epoch and method: the share of pairs of networks that it puts in the order in
which their trainings end, and the mean absolute error of what it expects there, in points; for the error, but
not for the order, more than 1 counts as 1."""

CELLS = 300
"""Random cells whose curves are compared."""

NATS = "natsbench_learning_curves_6archs.parquet"

OURS = Path(__file__).parents[1] / "results" / "proxy_fidelity" / "trainings.parquet"
"""Networks that `experiments.proxy_fidelity` trained."""


def compare(
    source: str, curves: Array, at: tuple[int, ...], groups: Array | None = None
) -> list[dict[str, Any]]:
    """Rows of `CURVES` for curves (networks, epochs) from 0 to 1; pairs of one group are not compared."""
    final = curves[:, -1]
    i, j = np.triu_indices(len(curves), 1)
    kept = final[i] != final[j]
    if groups is not None:
        kept &= groups[i] != groups[j]
    i, j = i[kept], j[kept]
    rows = []
    for epoch in at:
        part = curves[:, :epoch]
        guesses = {"last value": part[:, -1]}
        guesses |= {name: extrapolated(part, curves.shape[1], family) for name, family in FAMILIES.items()}
        for method, guess in guesses.items():
            right = np.sign(guess[i] - guess[j]) * np.sign(final[i] - final[j])
            rows.append(
                {
                    "source": source,
                    "epochs": curves.shape[1],
                    "epoch": epoch,
                    "method": method,
                    "pairs": len(i),
                    "right": float((right + 1).mean() / 2),
                    "error": float(100 * np.abs(np.minimum(guess, 1.0) - final).mean()),
                }
            )
    return rows


def nasbench301() -> list[dict[str, Any]]:
    """Rows for random cells of the surrogate, whose curves have no noise."""
    curves = [[epoch["accuracy"] for epoch in known().columns["curve"][number]] for number in cells(CELLS)]
    return compare("NAS-Bench-301 surrogate", np.array(curves), (4, 11, 33))


def natsbench(file: Path) -> list[dict[str, Any]]:
    """Rows for the measured curves of NATS-Bench (Dong et al. 2021), each space, data set and length."""
    table = pq.read_table(file).to_pandas()
    table = table[table["split"].str.contains("valid") & ~table["split"].str.contains("test")]
    rows = []
    for (space, data, length), part in table.groupby(["space", "dataset", "hp_epochs"], observed=True):
        wide = part.pivot_table(
            index=["arch_index", "seed"], columns="epoch", values="accuracy", observed=True
        ).dropna()
        if wide.shape[1] < 12 or wide.index.get_level_values(0).nunique() < 2:
            continue
        curves = wide.to_numpy(dtype=float) / 100
        groups = wide.index.get_level_values(0).to_numpy()
        rows += compare(f"NATS-Bench {space}, {data}, {length}", curves, cuts(curves.shape[1]), groups)
    return rows


def ours(file: Path) -> list[dict[str, Any]]:
    """Rows for the long trainings of a table of `experiments.proxy_fidelity`."""
    found = [row for row in pq.read_table(file).to_pylist() if row["recipe"].startswith("long")]
    curves = np.array([[epoch["accuracy"] for epoch in row["curve"]] for row in found])
    groups = np.unique([row["key"] for row in found], return_inverse=True)[1].astype(float)
    return compare("ours: AnyNet A and RegNet, CIFAR-10", curves, cuts(curves.shape[1]), groups)


def cuts(epochs: int) -> tuple[int, ...]:
    """Epochs after which curves are looked at: rungs of factor 3, and no less than can be fitted to."""
    return tuple(sorted({max(4, round(epochs / part)) for part in (27, 9, 3)}))


def write(out: Path, tables: Path) -> list[Path]:
    """Compares all curves and writes the rows; returns the inputs that are not there."""
    rows, missing = nasbench301(), []
    for read, file in ((natsbench, tables / NATS), (ours, OURS)):
        if file.is_file():
            rows += read(file)
        else:
            missing.append(file)
    pq.write_table(pa.Table.from_pylist(rows, CURVES), out / "curves.parquet", compression="zstd")
    return missing
