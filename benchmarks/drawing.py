"""Reproducible drawings: a rerun's diff shows only changed numbers, and names are drawn as they are."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from ranker.figure_text import make_plain, plain_text


def save_svg(figure: Figure, file: Path) -> None:
    """Writes the figure, and creates its folder.

    By default, matplotlib writes the date into the file and uses random ids for its paths.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    make_plain(figure)
    # Labels of ticks are made while the figure is drawn.
    with rc_context({"svg.hashsalt": "drawing"}), plain_text():
        figure.savefig(file, metadata={"Date": None})
