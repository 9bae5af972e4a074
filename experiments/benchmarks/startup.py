"""`--help` of every command, beside an interpreter that does nothing."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from typing import Any

from nas.cli import VERBS


def arguments(p: argparse.ArgumentParser) -> None:
    """Flags of this benchmark."""
    p.add_argument("--repeats", type=int, default=5, help="starts of each (default: 5)")


def measure(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Median seconds of each command's help."""

    def seconds(*words: str) -> float:
        spans = []
        for _ in range(given.repeats):
            begin = time.perf_counter()
            subprocess.run([sys.executable, *words], capture_output=True, check=True)
            spans.append(time.perf_counter() - begin)
        return statistics.median(spans)

    nothing = seconds("-c", "pass")
    table = [{"what": "python -c pass", "seconds": nothing, "ratio": 1.0}]
    for verb in VERBS:
        took = seconds("-m", f"nas.{verb}", "--help")
        table.append({"what": f"python -m nas.{verb} --help", "seconds": took, "ratio": took / nothing})
    return table
