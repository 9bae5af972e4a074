"""Runs exported files in clean processes, where only what they may need can be imported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nas import alone
from nas.alone import Found, Job, Work


class VerificationError(RuntimeError):
    """An exported file does not do what the network does; the message names it and says how."""


def run_alone(jobs: Sequence[Job], only: Sequence[str], threads: int) -> list[Found]:
    """What each job gives, all in one process in which nothing but `only` and its requirements is found.

    Raises:
        VerificationError: the process ended before its last job.
    """
    work: Work = {"only": [*only], "threads": threads, "jobs": [*jobs]}
    # Isolated (-I): neither the environment nor the working directory adds to what can be imported.
    command = [sys.executable, "-I", str(Path(alone.__file__).resolve())]
    done = subprocess.run(command, input=json.dumps(work), capture_output=True, text=True, check=False)
    found: list[Found] = [json.loads(line) for line in done.stdout.splitlines()]
    if len(found) < len(jobs):
        said = done.stderr.strip().splitlines()
        reason = said[-1] if said else f"ended with {done.returncode}"
        raise VerificationError(f"{Path(jobs[len(found)]['file']).name}: the process that ran it: {reason}")
    return found


def require(job: Job, found: Found, tolerance: float, params: int) -> float:
    """The difference of a job's outputs relative to the largest of them.

    Args:
        tolerance: what it may be; 0: nothing.
        params: that a .py must have.

    Raises:
        VerificationError: the job failed, or gives something else.
    """
    name = Path(job["file"]).name
    if "error" in found:
        raise VerificationError(f"{name} does not run alone: {found['error']}")
    difference = found["difference"]
    if not difference <= tolerance:
        raise VerificationError(
            f"{name} differs from the network by {difference:.2g} of its largest output, "
            f"where {f'at most {tolerance:g}' if tolerance else 'nothing'} is allowed"
        )
    if found.get("params", params) != params:
        raise VerificationError(f"{name} has {found['params']:,} parameters instead of {params:,}")
    return difference
