"""Tables of networks that were trained before, searched as if they were trained now (tabular benchmarks).

A table is a finished run (its directory, or what `nas.table` wrote of it), or a description (TOML) of any
Parquet or CSV file:

    table = "nasbench201.parquet"       # beside the description, or in $NAS_TABLES
    space = "nasbench201"               # the space whose networks these are
    arguments = { n = 5, f = 16 }       # its arguments
    format = "nasbench201"              # answers are written in this published format ...
    column = "arch_str"                 # ... which this column holds
    percent = true                      # accuracies are percents
    [columns]                           # columns of our tables: columns of this one
    val_accuracy = "cifar10_val_acc_12ep"
    test_accuracy = "cifar10_test_acc_200ep"
    train_seconds = "nats_sim_cost_s_cifar10"

With `encoding`, a JSON file, the table holds the weights of a model in place of measurements
(`nas.surrogate`), which knows the learning curve of every network; nothing is said of columns then.

Without `format`, each row says what was answered: in a column `choices` (JSON), in columns called as the
questions are, or as `[answers]` says (question: column). The space may then be left out, in which case a
row stands for a network that nothing but the table is known of, and the rows may be few: answers that no
row gives stand for the row that gives the nearest.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cells.genome import Genome
from cells.infer import Costs
from cells.ops import Flatten, Invalid, Linear
from cells.sketch import Sketch
from nas.objectives import DOWN, UP
from nas.results import COSTS, until
from nas.store import CONFIG, Run, StoreError
from nas.targets import find_space
from search_spaces import Replay, ReplayError, Space, SpaceError
from search_spaces.choose import Chooser, Domain, Pick, Recorder, Scalar
from search_spaces.formats import WRITERS, write_nasbench301
from search_spaces.listed import Listed, remembering

if TYPE_CHECKING:
    import pyarrow as pa

MEASURED = tuple(dict.fromkeys([*UP, *DOWN, "test_accuracy"]))
"""Columns that a table may give."""

FIELDS: Mapping[str, type] = {
    "table": str,
    "space": str,
    "arguments": dict,
    "format": str,
    "column": str,
    "percent": bool,
    "columns": dict,
    "answers": dict,
    "encoding": str,
}
"""What a description may say, as TOML."""

UNKNOWN = "table"
"""The name of the space of a table of which nothing else is known."""


class TableError(ValueError):
    """A table that cannot be searched; the message says why."""


@dataclass(frozen=True)
class Benchmark:
    """A searchable table.

    Attributes:
        space: of the networks that are in it.
        find: the number of the row that an answer record stands for; None where there is none.
        columns: what the table gives, by the columns of our tables; accuracies 0-1.
        known: the networks are known, and so are their costs, where the table does not give others.
        epochs: of a whole training, where the table has learning curves; 0 where it has none.
    """

    name: str
    space: Space
    find: Callable[[Mapping[str, Scalar]], int | None]
    columns: Mapping[str, Sequence[Any]]
    known: bool
    epochs: int = 0

    @property
    def gives(self) -> set[str]:
        """Columns of a row that a search of it can look at."""
        return {*self.columns, *(COSTS if self.known else ())} - {"test_accuracy"}

    def __len__(self) -> int:
        return len(self.columns["val_accuracy"])

    def row(self, number: int, epochs: int | None = None) -> dict[str, Any]:
        """What a trial of that row leaves: all but the test accuracy, which a search does not see.

        Args:
            epochs: after which it ended, where there is a learning curve; None: it was a whole one.
        """
        found = {} if self.known else dict.fromkeys(COSTS)
        found |= {name: values[number] for name, values in self.columns.items() if name != "test_accuracy"}
        if found["val_accuracy"] is None:
            return found | {"status": "failed", "error": f"{self.name} has no accuracy of it"}
        return (found if epochs is None else until(found, epochs)) | {"status": "ok"}

    def costs(self, choices: Mapping[str, Scalar]) -> dict[str, Any]:
        """The fields of `Costs` that it gives of the network, which need not be those of the genome drawn."""
        number = self.find(choices)
        names = [field.name for field in fields(Costs) if field.name in self.columns]
        given = {} if number is None else {name: self.columns[name][number] for name in names}
        return {name: value for name, value in given.items() if value is not None}

    def seconds(self, number: int) -> float:
        """How long the training took; one second where the table does not say."""
        taken = self.columns["train_seconds"][number] if "train_seconds" in self.columns else None
        return 1.0 if taken is None else float(taken)

    def test_accuracy(self, choices: Mapping[str, Scalar]) -> float | None:
        """What the network scored in the end, where the table says."""
        number = self.find(choices)
        if number is None or "test_accuracy" not in self.columns:
            return None
        value = self.columns["test_accuracy"][number]
        return None if value is None else float(value)


def benchmark(file: str | os.PathLike[str]) -> Benchmark:
    """The benchmark of a run directory, a table of ours or a description.

    Raises:
        TableError: it is none, or does not fit its space; the message names the file and the field.
    """
    path = Path(file)
    if path.suffix == ".toml":
        return _described(path)
    table = Run(path).table() if path.is_dir() else _read(path)
    if not {"run", "trial", "choices", "val_accuracy", "status", "stage"} <= set(table.column_names):
        raise TableError(f"{path} is no table of a run: describe it in a .toml (see nas/tables.py)")
    config = json.loads((table.schema.metadata or {}).get(CONFIG.encode(), b"{}"))
    import pyarrow as pa
    import pyarrow.compute as pc

    stages = pc.is_in(table["stage"], pa.array(["search", "rung"]))
    table = table.filter(pc.and_(pc.equal(table["status"], "ok"), stages))
    trials = zip(table["run"].to_pylist(), table["trial"].to_pylist(), strict=True)
    longest = {trial: number for number, trial in enumerate(trials)}  # longer rungs come later
    table = table.take(list(longest.values()))
    columns = {n: table[n].to_pylist() for n in (*MEASURED, "curve") if n in table.column_names}
    columns = {n: v for n, v in columns.items() if n == "val_accuracy" or any(x is not None for x in v)}
    space = None
    if config and config["space"] != UNKNOWN:
        space = find_space(config["space"]).bind(**_tuples(config["arguments"]))
    records = [json.loads(text) for text in table["choices"].to_pylist()]
    return _listed(path, space, records, columns, table["genome"].to_pylist())


def _tuples(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no tuples, of which the arguments of spaces are made."""

    def plain(value: Any) -> Any:
        return tuple(plain(v) for v in value) if isinstance(value, list) else value

    return {name: plain(value) for name, value in arguments.items()}


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from nas.store import TRIALS, read

    if not path.is_file():
        raise TableError(f"there is no table {path}")
    try:
        if path.suffix == ".arrows":
            return read(path, TRIALS)
        if path.suffix == ".csv":
            return pyarrow.csv.read_csv(path)
        return pyarrow.parquet.read_table(path)
    except (pa.ArrowInvalid, StoreError) as error:
        raise TableError(f"{path} cannot be read: {str(error).partition(chr(10))[0]}") from error


def _described(path: Path) -> Benchmark:
    try:
        said = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise TableError(f"there is no {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: {error}") from error
    for name in said:
        if name not in FIELDS:
            close = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(FIELDS)}"
            raise TableError(f"{path}: no field is called {name!r}: {hint}")
        if not isinstance(said[name], FIELDS[name]):
            kind = {str: "a text", bool: "true or false", dict: "a table"}[FIELDS[name]]
            raise TableError(f"{path}: {name} must be {kind}, not {said[name]!r}")
    if "table" not in said:
        raise TableError(f"{path}: `table` must name the file")
    table = _read(_place(path, said["table"]))
    space = None
    if "space" in said:
        try:
            space = find_space(said["space"]).bind(**_tuples(said.get("arguments", {})))
        except (SpaceError, LookupError) as error:
            raise TableError(f"{path}: space: {error}") from error
    if "encoding" in said:
        return _expected(path, said, space, table)
    columns = _columns(path, table, said)
    if "format" in said:
        return _written(path, said, space, table, columns)
    if "answers" in said:
        answers = {question: _column(path, table, name) for question, name in said["answers"].items()}
        records = [dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True)]
        records = [{k: v for k, v in record.items() if v is not None} for record in records]
    elif "choices" in table.column_names:
        records = [json.loads(text) for text in table["choices"].to_pylist()]
    else:
        raise TableError(f"{path}: nothing says which answers a row is of: give `format` or [answers]")
    return _listed(path, space, records, columns, None)


def _place(path: Path, name: str) -> Path:
    """A file that is named in a description: beside it, or in $NAS_TABLES."""
    beside = path.parent / name
    elsewhere = os.environ.get("NAS_TABLES")
    if not beside.exists() and elsewhere:
        return Path(elsewhere) / name
    return beside


def _column(path: Path, table: pa.Table, name: str) -> list[Any]:
    if name not in table.column_names:
        close = difflib.get_close_matches(str(name), table.column_names, n=1)
        hint = f": did you mean {close[0]}?" if close else ""
        raise TableError(f"{path}: the table has no column {name!r}{hint}")
    return list(table[name].to_pylist())


def _columns(path: Path, table: pa.Table, said: Mapping[str, Any]) -> dict[str, list[Any]]:
    named = said.get("columns") or {n: n for n in MEASURED if n in table.column_names}
    columns: dict[str, list[Any]] = {}
    for ours, theirs in named.items():
        if ours not in MEASURED:
            raise TableError(f"{path}: [columns] {ours}: a table may give {', '.join(MEASURED)}")
        values = _column(path, table, theirs)
        wrong = next((v for v in values if v is not None and type(v) not in (int, float)), None)
        if wrong is not None:
            raise TableError(f"{path}: {ours} is a number, which {theirs} has not: {wrong!r}")
        values = [None if v is None or math.isnan(v) else v for v in values]
        if ours.endswith("accuracy"):
            values = [None if v is None else v / 100 if said.get("percent") else v for v in values]
            if any(v is not None and not 0 <= v <= 1 for v in values):
                raise TableError(f"{path}: {theirs} is not between 0 and 1: are these percents (`percent`)?")
        if ours == "train_seconds" and any(v is not None and not 0 <= v < math.inf for v in values):
            raise TableError(f"{path}: {theirs} is not a time: one is negative or infinite")
        columns[ours] = values
    if "val_accuracy" not in columns:
        raise TableError(f"{path}: [columns] must say what val_accuracy is")
    return columns


def _written(
    path: Path,
    said: Mapping[str, Any],
    space: Space | None,
    table: pa.Table,
    columns: Mapping[str, Sequence[Any]],
) -> Benchmark:
    """A table whose rows are found by the answers, written in a published format."""
    if space is None or said["format"] not in WRITERS or "column" not in said:
        known = ", ".join(WRITERS)
        raise TableError(f"{path}: `format` (one of {known}) needs a `space` and the `column` that holds it")
    write = WRITERS[said["format"]]
    numbers = {text: i for i, text in enumerate(_column(path, table, said["column"]))}

    def find(choices: Mapping[str, Scalar]) -> int | None:
        return numbers.get(write(choices))

    def draw(choose: Chooser, **arguments: Any) -> Genome:
        assert isinstance(choose, Recorder)
        genome = space.draw(choose)
        if find(choose.record) is None:
            raise Invalid(f"{path.stem} has no row of it", violation=1)
        return genome

    bounded = replace(space, function=draw, all_live=False)
    return Benchmark(path.stem, remembering(bounded), find, columns, True)


def _expected(path: Path, said: Mapping[str, Any], space: Space | None, weights: pa.Table) -> Benchmark:
    """A surrogate, as a table that has a row for every network."""
    from nas.surrogate import Expected, Surrogate, SurrogateError

    if space is None or said.get("format") != "nasbench301":
        raise TableError(f'{path}: `encoding` needs a `space` and `format = "nasbench301"`')
    file = _place(path, said["encoding"])
    try:
        expected = Expected(Surrogate(weights, json.loads(file.read_text())))
    except FileNotFoundError:
        raise TableError(f"{path}: there is no encoding {file}") from None
    except ValueError as error:
        raise TableError(f"{path}: {file}: {error}") from error

    def find(choices: Mapping[str, Scalar]) -> int:
        try:
            return expected.number(write_nasbench301(choices))
        except (KeyError, SurrogateError) as error:
            raise TableError(
                f"{path}: the surrogate does not know what {space.name} asks: {error}"
            ) from error

    epochs = expected.surrogate.epochs
    return Benchmark(path.stem, remembering(space), find, expected.columns, True, epochs)


def _listed(
    path: Path,
    space: Space | None,
    records: Sequence[dict[str, Scalar]],
    columns: Mapping[str, Sequence[Any]],
    genomes: Sequence[str] | None,
) -> Benchmark:
    """A table whose rows say which answers they are of."""
    if not records:
        raise TableError(f"{path} has no row of a finished trial")
    domains: dict[str, Domain] = {}
    if space is None:
        for name in dict.fromkeys(name for record in records for name in record):
            found = dict.fromkeys((type(r[name]), r[name]) for r in records if name in r)
            options = [value for _, value in found]
            if all(type(v) in (int, float) for v in options):
                options.sort()
            domains[name] = Pick(tuple(options))
    else:
        for record in records:
            if any(name not in domains for name in record):
                _replay(path, space, record, domains)

    def network(number: int) -> Genome:
        if space is not None:
            return _replay(path, space, records[number], {})
        if genomes is not None:
            return Genome.loads(genomes[number])
        s = Sketch((1, 1, 1), "Row")  # nothing is known of the network but which row it is
        return s.genome(s.chain(s.input, flatten=Flatten(), row=Linear(1 + number)))

    try:
        rows = Listed(records, domains, network)
    except SpaceError as error:
        raise TableError(f"{path}: {error}") from error
    name = path.stem if path.suffix else path.name
    base = space or Space(UNKNOWN, rows.draw)
    searchable = replace(base, function=rows.draw, all_live=False, count=None, networks=None)
    known = space is not None or genomes is not None
    epochs = min((len(curve or ()) for curve in columns.get("curve", ())), default=0)
    return Benchmark(name, searchable, rows.record_of, columns, known, epochs)


def _replay(path: Path, space: Space, record: Mapping[str, Scalar], domains: dict[str, Domain]) -> Genome:
    chooser = Replay(record, domains=domains)
    try:
        genome = space.draw(chooser)
        chooser.finish()
    except (ReplayError, Invalid) as error:
        raise TableError(f"{path}: {space.name} does not draw the row of {dict(record)}: {error}") from error
    return genome
