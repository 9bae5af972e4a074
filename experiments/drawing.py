"""How the experiments' figures are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def save(figure: Any, file: Path, salt: str) -> None:
    """Saves a matplotlib figure and closes it: the same bytes for the same figure, whatever was drawn before.

    Args:
        salt: of the identifiers in an SVG.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
