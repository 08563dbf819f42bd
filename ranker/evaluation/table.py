"""A small table as plain text for a terminal and as HTML for a notebook."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from ranker.plain_text import one_line

Row = Sequence[str]


class PlainTable(NamedTuple):
    """The arguments of `text_table` and `html_table`."""

    headings: Row
    rows: Sequence[Row]
    right: Sequence[int] = ()


def text_table(headings: Row, rows: Sequence[Row], right: Sequence[int] = ()) -> str:
    """Aligned columns, two spaces apart, without a newline at the end; a cell is one line, and shortened if it is long.

    Args:
        headings: one per column.
        rows: one cell per heading.
        right: indices of the columns that are aligned to the right.
    """
    lines = [[one_line(cell) for cell in line] for line in (headings, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def html_table(headings: Row, rows: Sequence[Row], right: Sequence[int] = ()) -> str:
    """The same table as a `<table>` element; the text of every cell is escaped."""

    def cells(line: Row, tag: str) -> str:
        return "".join(
            f'<{tag} style="text-align:{"right" if column in right else "left"}">{escape(one_line(cell))}</{tag}>'
            for column, cell in enumerate(line)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{cells(headings, 'th')}</tr></thead><tbody>{body}</tbody></table>"
