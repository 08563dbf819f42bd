"""Tables as data; the page's template renders them, and its script sorts them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ranker.plain_text import one_line

MAX_ROWS = 600

Tone = Literal["", "good", "bad", "warn", "muted"]


@dataclass(frozen=True)
class TableCell:
    """One cell.

    Attributes:
        text: the text.
        order: the sort key; None sorts last, as do NaN and infinity.
        note: a second, smaller text.
        tone: the colour.
        bar: length of a bar behind the text, as a share of 1, or None.

    A long text is shortened, as is a text to sort by. A note may have several lines, so text from data
    goes through `one_line` before it is put into one.
    """

    text: str
    order: float | str | None = None
    note: str = ""
    tone: Tone = ""
    bar: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", one_line(self.text))
        if isinstance(self.order, str):
            object.__setattr__(self, "order", one_line(self.order))
        elif self.order is not None and not math.isfinite(self.order):
            object.__setattr__(self, "order", None)


@dataclass(frozen=True)
class TableColumn:
    """One column; `meaning` is the tooltip of its title."""

    title: str
    meaning: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A sortable table; `left_out` is the number of omitted rows."""

    name: str
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    left_out: int = 0

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: {len(self.columns)} columns, but a row of {len(row)} cells")


def text_cell(text: str, tone: Tone = "") -> TableCell:
    """A text cell, sorted by its text."""
    return TableCell(text, text, tone=tone)


def limited(
    name: str,
    columns: Sequence[TableColumn],
    rows: Sequence[tuple[TableCell, ...]],
    most: int = MAX_ROWS,
    existing: int | None = None,
) -> Table:
    """A table of the first `most` rows, with the number of omitted rows, so that the page stays small.

    Args:
        name: the table's.
        columns: of each row.
        rows: at least the first `most`, if there are as many.
        most: rows that are shown.
        existing: number of all rows, for a caller that made the first ones only; None counts `rows`.
    """
    return Table(name, tuple(columns), tuple(rows[:most]), max(0, (existing or len(rows)) - most))
