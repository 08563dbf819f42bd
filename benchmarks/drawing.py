"""Drawings that change only where their numbers do, so that a rerun's diff can be read."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure


def save_svg(figure: Figure, file: Path) -> None:
    """Writes the figure, making its folder.

    Matplotlib would put the time of day into the file, and make up the ids of its paths by chance.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "drawing"}):
        figure.savefig(file, metadata={"Date": None})
