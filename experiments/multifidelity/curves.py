"""Whether a learning curve tells more when it is extrapolated than its last value does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
which their trainings end, and the mean absolute error of what it expects there, in points."""

CELLS = 300
"""Random cells whose curves are compared."""

NATS = "natsbench_learning_curves_6archs.parquet"

OURS = Path(__file__).parents[1] / "results" / "proxy_fidelity" / "trainings.parquet"
"""Networks that `experiments.proxy_fidelity` trained."""


def power(x: Array, b: float) -> Array:
    """x^-b: curves that fall short of their limit by a power of the epoch (pow3, Domhan et al. 2015)."""
    return np.asarray(x**-b)


def exponential(x: Array, b: float) -> Array:
    """exp(-bx): curves that approach their limit at an even rate."""
    return np.exp(-b * x)


FAMILIES: dict[str, tuple[Callable[[Array, float], Array], Array]] = {
    "power law": (power, np.linspace(0.05, 3, 60)),
    "exponential": (exponential, np.geomspace(0.005, 1, 60)),
}
"""c - a·f(x, b): f, and the values of b that are tried; a >= 0 and c follow by least squares."""


def extrapolated(curves: Array, epochs: int, family: str) -> Array:
    """(networks,) what a family expects after so many epochs of curves (networks, epochs so far)."""
    f, tried = FAMILIES[family]
    x = np.arange(1, curves.shape[1] + 1, dtype=float)
    best = np.full(len(curves), np.inf)
    found = curves[:, -1].copy()
    for b in tried:
        basis = f(x, b)
        centred = basis - basis.mean()
        slope = np.minimum(curves @ centred / (centred @ centred), 0.0)
        level = curves.mean(1) - slope * basis.mean()
        off = ((curves - level[:, None] - slope[:, None] * basis) ** 2).sum(1)
        better = off < best
        best[better] = off[better]
        found[better] = (level + slope * f(np.array([float(epochs)]), b))[better]
    return np.minimum(found, 1.0)


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
        guesses |= {family: extrapolated(part, curves.shape[1], family) for family in FAMILIES}
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
                    "error": float(100 * np.abs(guess - final).mean()),
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


def write(out: Path, tables: Path) -> None:
    """Compares all curves and writes the rows."""
    rows = nasbench301()
    for read, file in ((natsbench, tables / NATS), (ours, OURS)):
        rows += read(file) if file.is_file() else []
    pq.write_table(pa.Table.from_pylist(rows, CURVES), out / "curves.parquet", compression="zstd")
