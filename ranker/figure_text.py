"""Text in matplotlib figures that is text: `$` is no mathematics, and every name has an entry in a legend."""

from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from ranker.plain_text import one_line

_INVISIBLE = "\u200b"  # zero width space


@contextmanager
def plain_text() -> Iterator[None]:
    """Texts that are made inside are drawn as they are."""
    with rc_context({"text.parse_math": False, "text.usetex": False}):
        yield


def make_plain(figure: Figure) -> None:
    """Draws all texts that a figure has so far as they are."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_usetex(False)


def shortened(label: str, most: int = 28) -> str:
    """A label on one line, of at most `most` characters."""
    return one_line(label, most)


def legend_label(name: str, most: int = 28) -> str:
    """A name for a legend; matplotlib leaves out those that start with an underscore."""
    label = shortened(name, most)
    return _INVISIBLE + label if label.startswith("_") else label
