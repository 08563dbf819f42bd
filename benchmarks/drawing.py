"""Reproducible drawings: a rerun's diff shows only changed numbers."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure


def save_svg(figure: Figure, file: Path) -> None:
    """Writes the figure, and creates its folder.

    By default, matplotlib writes the date into the file and uses random ids for its paths.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "drawing"}):
        figure.savefig(file, metadata={"Date": None})
