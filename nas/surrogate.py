"""A model in place of a benchmark: what it expects of a network at each epoch, without any training.

The surrogate of NAS-Bench-301 (for the benchmark see Siems et al. 2020, arXiv:2008.09777) comes as a table of
its tensors (`tensor`, `shape`, `values`) and as an encoding (JSON): the questions of a cell with their
answers, and the epochs it knows. Three networks, of one layer, of three and of five, read embeddings of the
answers and the epoch, and their outputs add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NOT_ASKED = "#na#"
"""What the encoding calls the answer to a question that a cell does not ask."""

RUNTIME = (13132.093, 30.557993)
"""Seconds: the scale and the offset of the second output."""


class SurrogateError(ValueError):
    """Weights or an encoding that are none of this surrogate, or a cell that it does not know."""


class Surrogate:
    """The model.

    Attributes:
        epochs: the last it knows; the first is 1.
    """

    def __init__(self, weights: pa.Table, encoding: Mapping[str, Any]) -> None:
        try:
            self.tensors: dict[str, Array] = {
                row["tensor"]: np.array(row["values"], np.float64).reshape(row["shape"])
                for row in weights.to_pylist()
            }
            self.answers: dict[str, dict[str, int]] = {
                question["name"].rpartition("_COLON_")[2]: question["values"]
                for question in encoding["inputs"]
            }
            self.scale = float(encoding["epoch_scale"])
            first, self.epochs = encoding["epoch_range"]
        except (KeyError, TypeError, ValueError) as error:
            raise SurrogateError(f"these are no weights and encoding of a surrogate: {error!r}") from error
        if first != 1:
            raise SurrogateError(f"the first epoch is {first}, not 1")

    def encode(self, cell: Iterable[tuple[str, str]]) -> tuple[int, ...]:
        """The numbers of a cell's answers (`formats.write_nasbench301`). Raises `SurrogateError`."""
        given = dict(cell)
        unknown = given.keys() - self.answers
        if unknown:
            raise SurrogateError(f"the surrogate has no question {min(unknown)!r}")
        codes = []
        for question, numbers in self.answers.items():
            answer = given.get(question, NOT_ASKED)
            if answer not in numbers:
                raise SurrogateError(f"{question}: never {answer!r}, only {', '.join(numbers)}")
            codes.append(numbers[answer])
        return tuple(codes)

    def expect(self, codes: Sequence[int]) -> tuple[Array, Array]:
        """Accuracy (0-1) and seconds since the start, each after every epoch: two arrays (epochs,).

        The seconds are as the model says: between the first few epochs they fall.
        """
        answers = np.concatenate(
            [self.tensors[f"embds_fct.{i}.weight"][code] for i, code in enumerate(codes)]
        )
        y = self._layers(answers, "wide.0")
        y += self._layers(answers, "deep.0.1", "deep.1.1", "deep.2.0")
        y += self._layers(answers, "deeper.0.1", "deeper.1.1", "deeper.2.1", "deeper.3.1", "deeper.4.0")
        accuracy, runtime = (1 / (1 + np.exp(-y))).T
        scale, offset = RUNTIME
        return accuracy, (runtime - 0.01) * scale + offset

    def _layers(self, answers: Array, first: str, *names: str) -> Array:
        """(epochs, 2) by linear layers, with a SELU (Klambauer et al. 2017) between each two.

        The first one reads the answers, which are the same at each epoch, and the epoch.
        """
        epochs = np.arange(1, self.epochs + 1)[:, None] * self.scale
        weight = self.tensors[f"{first}.weight"]
        x: Array = weight[:, :-1] @ answers + epochs * weight[:, -1] + self.tensors[f"{first}.bias"]
        for name in names:
            x = 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
            x = x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]
        return x


class Curves(Sequence[Any]):
    """Learning curves as `nas.store` has them, made of arrays when they are asked for."""

    def __init__(self) -> None:
        self.arrays: list[tuple[Array, Array]] = []

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, number: Any) -> Any:
        accuracies, seconds = self.arrays[number]
        epochs = zip(accuracies, np.diff(seconds, prepend=0), strict=True)
        return [
            {"epoch": i, "loss": None, "accuracy": float(accuracy), "seconds": float(taken)}
            for i, (accuracy, taken) in enumerate(epochs, start=1)
        ]


class Expected:
    """What a surrogate expects of the cells it was asked about: a table that grows by a row for each.

    Attributes:
        columns: val_accuracy and train_seconds at the last epoch, and the curve.
    """

    def __init__(self, surrogate: Surrogate) -> None:
        self.surrogate = surrogate
        self.numbers: dict[tuple[int, ...], int] = {}
        self.accuracies: list[float] = []
        self.seconds: list[float] = []
        self.curves = Curves()
        self.columns: dict[str, Sequence[Any]] = {
            "val_accuracy": self.accuracies,
            "train_seconds": self.seconds,
            "curve": self.curves,
        }

    def number(self, cell: Iterable[tuple[str, str]]) -> int:
        """The row of a cell. Raises `SurrogateError`."""
        codes = self.surrogate.encode(cell)
        if codes not in self.numbers:
            accuracies, seconds = self.surrogate.expect(codes)
            # Time does not run backwards: at each epoch the least that is expected from there on.
            seconds = np.minimum.accumulate(seconds[::-1])[::-1]
            self.numbers[codes] = len(self.accuracies)
            self.accuracies.append(float(accuracies[-1]))
            self.seconds.append(float(seconds[-1]))
            self.curves.arrays.append((accuracies, seconds))
        return self.numbers[codes]
