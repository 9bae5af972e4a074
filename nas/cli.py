"""What all commands share: `nas <verb>`, the values of flags, and errors of one line."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import re
import sys
from collections.abc import Callable, Sequence

VERBS = {
    "search": "search a space for the best network",
    "spaces": "list search spaces and networks, and say what is in one",
    "show": "show one network: shapes, costs, blocks",
    "export": "write a network as plain PyTorch, ONNX, JSON, or its weights",
    "train": "train one network fully, or fine-tune it on other data",
    "scale": "make a network deeper, wider, or one for larger images",
    "table": "write a run's table as Parquet",
    "reduce": "find constraints under which a space is better, or smaller and as good",
}
"""Every command, which is also the module `nas.<verb>`, and what it is for."""


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(argv: Sequence[str] | None = None) -> int:
    """`nas <verb> ...`: the same as `python -m nas.<verb> ...`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: nas VERB [options]\n")
        for verb, purpose in VERBS.items():
            print(f"  {verb:8} {purpose}")
        print("\n`nas VERB --help` tells the options of each.")
        return 0 if arguments else 2
    verb = arguments.pop(0)
    if verb not in VERBS:
        print(f"nas: no command is called {verb!r}: there are {', '.join(VERBS)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"nas.{verb}")
    return guard(module.main, arguments)


def guard(command: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None) -> int:
    """Runs a command and turns its errors into one line and an exit code."""
    try:
        return command(argv)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except _user_errors() as error:
        print("nas: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:
            raise
        print(f"nas: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


def _user_errors() -> tuple[type[BaseException], ...]:
    """The errors whose message is meant for the user."""
    from cells.ops import Invalid
    from search_spaces import ReplayError, SpaceError, UnknownSpaceError

    found: list[type[BaseException]] = [Invalid, SpaceError, ReplayError, UnknownSpaceError]
    for module, names in (
        ("nas.options", ("UsageError",)),
        ("nas.objectives", ("ObjectiveError",)),
        ("nas.tables", ("TableError",)),
        ("nas.store", ("StoreError",)),
        ("nas.build", ("WeightsError",)),
        ("nas.formats", ("ExportError",)),
        ("nas.sources", ("DataError",)),
        ("nas.strategies.base", ("UnknownStrategyError", "StrategyError")),
        ("nas.targets", ("TargetError",)),
        ("nas.recipes", ("RecipeError",)),
        ("nas.transfer", ("TransferError",)),
    ):
        # What was never imported cannot have been raised.
        if module in sys.modules:
            found += [getattr(sys.modules[module], name) for name in names]
    return tuple(found)


def parser(verb: str, examples: str) -> argparse.ArgumentParser:
    """The parser of a verb (see `command`)."""
    return command(f"nas.{verb}", f"{VERBS[verb]}.", examples)


def command(module: str, description: str, examples: str) -> argparse.ArgumentParser:
    """An argument parser of `python -m MODULE`, with examples, whose complaints are one line.

    Args:
        description: may be a module's docstring, which begins with its command.
    """
    description = description.removeprefix(f"`python -m {module}`: ")
    return _Parser(
        prog=f"python -m {module}",
        description=description[0].upper() + description[1:],
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"nas: {message} ({self.prog} --help tells more)\n")


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def rising(text: str) -> tuple[int, ...]:
    """Two or more whole numbers above 0, each above the one before, such as `1,3,9`."""
    numbers = tuple(positive(part.strip()) for part in text.split(","))
    if len(numbers) < 2 or list(numbers) != sorted(set(numbers)):
        raise argparse.ArgumentTypeError(f"{text!r}: give two or more rising numbers, such as 1,3,9")
    return numbers


def natural(text: str) -> int:
    """A whole number, 0 included."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def seed(text: str) -> int:
    """A whole number below 2^32."""
    if natural(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not below 2^32")
    return int(text)


def duration(text: str) -> float:
    """Seconds of `90s`, `4m`, `1h30m` or a plain number of seconds."""
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text)
    seconds = (
        sum(float(n or 0) * unit for n, unit in zip(match.groups(), (3600, 60, 1), strict=True))
        if match
        else 0
    )
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 90s, 4m or 1h30m")
    return seconds


def _bound(text: str, units: dict[str, float], empty: float) -> float:
    if not text:
        return empty
    match = re.fullmatch(r"(\d+(?:\.\d+)?(?:e\d+)?)([A-Za-z]*)", text)
    if not match or match[2] not in units:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number with a suffix {', '.join(u for u in units if u)}"
        )
    return float(match[1]) * units[match[2]]


def _window(text: str, units: dict[str, float], example: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no window LO:HI, such as {example} (one side may be left out)"
        )
    limits = (_bound(low, units, 0.0), _bound(high, units, math.inf))
    if limits[0] > limits[1]:
        raise argparse.ArgumentTypeError(f"{text!r}: the lower limit is above the upper one")
    return limits


def window(text: str) -> tuple[float, float]:
    """LO:HI with suffixes K, M, G; either side may be left out."""
    return _window(text, {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "k": 1e3}, "3M:6M")


_TIMES = {"": 1, "ms": 1, "s": 1e3, "us": 1e-3}


def latency_window(text: str) -> tuple[float, float]:
    """LO:HI in milliseconds."""
    return _window(text, _TIMES, "0:5ms")


def milliseconds(text: str) -> float:
    """A time above 0."""
    time = _bound(text, _TIMES, 0.0)
    if not time:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 5ms")
    return time


def input_shape(text: str) -> tuple[int, int, int]:
    """CxHxW."""
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no input shape such as 3x224x224")
    return int(match[1]), int(match[2]), int(match[3])
