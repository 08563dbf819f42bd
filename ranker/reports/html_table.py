"""Tables as data, for the page's template to lay out and its script to sort."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MAX_ROWS = 600

Tone = Literal["", "good", "bad", "warn", "muted"]


@dataclass(frozen=True)
class TableCell:
    """One cell.

    Attributes:
        text: what stands there.
        order: what the column is sorted by; None sorts last.
        note: a second, smaller text.
        tone: how it is coloured.
        bar: a share of 1 drawn behind the text, or None.
    """

    text: str
    order: float | str | None = None
    note: str = ""
    tone: Tone = ""
    bar: float | None = None


@dataclass(frozen=True)
class Column:
    """One column; `meaning` is shown where a pointer rests on its title."""

    title: str
    meaning: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A sortable table; `left_out` rows did not fit."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    left_out: int = 0

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.name}: {len(self.columns)} columns, but a row of {len(row)} cells")


def text_cell(text: str, tone: Tone = "") -> TableCell:
    """A cell of words, sorted by them."""
    return TableCell(text, text, tone=tone)


def limited(name: str, columns: Sequence[Column], rows: Sequence[tuple[TableCell, ...]], most: int = MAX_ROWS) -> Table:
    """A table of the first `most` rows, which says how many are missing: a page must stay small."""
    return Table(name, tuple(columns), tuple(rows[:most]), max(0, len(rows) - most))
