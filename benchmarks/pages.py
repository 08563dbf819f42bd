"""Result pages: Markdown tables from typed rows, in a generated part of a file.

A program writes its tables between two marker lines. A person writes the title and the conclusions around them, after
reading the tables. Regenerating the tables does not change the other parts.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Generic, Literal, TypeVar

from rich.console import Console

from ranker.command_line import output_file
from ranker.files import write_text
from ranker.plain_text import one_line

Row = TypeVar("Row")

NONE = "–"  # in a cell without a value
_END = "<!-- end -->"
# What HTML gives a meaning, and what not every Markdown program lets a backslash take the meaning from.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", "~": "&#126;", "$": "&#36;"})
# Letters on both sides of an underscore make no emphasis, and brackets make a link only with what follows them.
_MARKUP = re.compile(r"[\\`*|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|\[(?=[^\]]*\][\[(:])|^[#>+-](?= )")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a table.

    Attributes:
        heading: its heading.
        cell: row → text of the cell; it is shown as it is.
        align: right for numbers, left for text.
        code: show the text as code.
    """

    heading: str
    cell: Callable[[Row], str]
    align: Literal["left", "right"] = "right"
    code: bool = False


def words(heading: str, cell: Callable[[Row], str]) -> Column[Row]:
    """A column of text."""
    return Column(heading, cell, "left")


def codes(heading: str, cell: Callable[[Row], str]) -> Column[Row]:
    """A column of names in code."""
    return Column(heading, cell, "left", code=True)


def escaped(text: str) -> str:
    """A text in which Markdown sees no markup, on one line; a long one is shortened.

    Example:
        >>> print(escaped("a|b *c* long_dwell [0.8, 1.25]"))
        a\\|b \\*c\\* long_dwell [0.8, 1.25]
    """
    without_html = one_line(text).translate(_ENTITIES)
    return _MARKUP.sub(r"\\\g<0>", without_html)


def table(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> str:
    """A Markdown table with one line for each row.

    Example:
        >>> print(table([words("model", lambda r: r[0]), Column("AUC", lambda r: decimal(r[1], 3))], [("ours", 0.75)]))
        | model | AUC |
        | --- | ---: |
        | ours | 0.750 |
    """
    lines = [
        [escaped(column.heading) for column in columns],
        ["---" if column.align == "left" else "---:" for column in columns],
        *(
            [_as_code(text) if column.code else escaped(text) for column in columns for text in [column.cell(row)]]
            for row in rows
        ),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def count(number: float) -> str:
    """A number such as 1,234."""
    return f"{number:,.0f}"


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as 1 seed or 5 seeds."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def decimal(value: float, digits: int, signed: bool = False) -> str:
    """A number such as 0.018 or, signed, +0.018."""
    return f"{value:{'+' if signed else ''},.{digits}f}"


def with_interval(value: float, interval: tuple[float, float], digits: int, signed: bool = False) -> str:
    """A number with its interval, such as +0.002 (+0.001 to +0.003)."""
    low, high = (decimal(end, digits, signed) for end in interval)
    return f"{decimal(value, digits, signed)} ({low} to {high})"


def plus_minus(value: float, half_width: float, digits: int, signed: bool = False) -> str:
    """A number with its half width, such as 0.018 ± 0.002; the number alone if the half width is NaN."""
    shown = decimal(value, digits, signed)
    return shown if isnan(half_width) else f"{shown} ± {decimal(half_width, digits)}"


def heading(text: str, level: int = 2) -> str:
    """A heading; the page's title has level 1."""
    return f"{'#' * level} {escaped(text)}"


def origin(command: str) -> str:
    """The line with the command that generated the tables."""
    return f"From `{command}`."


def picture(alternative: str, file: str) -> str:
    """A picture; `file` is relative to the page."""
    return f"![{escaped(alternative)}]({file})"


def join(blocks: Iterable[str]) -> str:
    """Blocks of Markdown, one after the other."""
    return "\n\n".join(blocks)


def _as_code(text: str) -> str:
    """A name as code; a vertical bar would end the cell there as well."""
    shown = one_line(text)
    return escaped(text) if "`" in shown or "|" in shown or "\\" in shown else f"`{shown}`"


@dataclass(frozen=True)
class Page:
    """A file with one generated part.

    Attributes:
        file: the Markdown file; need not exist.
        program: the module that generates the part, as in `python -m research.quality`.
    """

    file: Path
    program: str

    @property
    def picture(self) -> Path:
        """A picture beside the page, of the same name."""
        return self.file.with_suffix(".svg")

    def check(self) -> None:
        """Checks the file before a long run, not after it.

        Raises:
            ValueError: the file exists and has no part for this program.
        """
        if self.file.exists():
            self._around()

    def write(self, title: str, generated: str) -> None:
        """Replaces the program's part, atomically.

        Args:
            title: of the page, if the file does not exist yet; later, the title may be edited.
            generated: Markdown, without the title.

        Raises:
            ValueError: as in `check`.
        """
        before, after = self._around() if self.file.exists() else (f"{heading(title, 1)}\n\n", "\n")
        text = f"{before}{self._begin}\n\n{generated.strip()}\n\n{_END}{after}"
        write_text(self.file, text)

    @property
    def _begin(self) -> str:
        return f"<!-- generated by python -m {self.program}: begin -->"

    def _around(self) -> tuple[str, str]:
        """The text before and after the program's part."""
        text = self.file.read_text(encoding="utf-8")
        before, begin, rest = text.partition(self._begin)
        _, end, after = rest.partition(_END)
        if not begin or not end:
            raise ValueError(
                f"{self.file}: has no lines `{self._begin}` and `{_END}`; put them where the tables should be, "
                "or name another file"
            )
        return before, after


def show_and_write(
    page: Page | None, title: str, tables: str, console: Console, draw: Callable[[], None] | None = None
) -> None:
    """Prints the tables and, with `--page`, writes them into the page; a new page gets the title.

    Args:
        page: of `--page`.
        title: of a new page.
        tables: Markdown.
        console: gets the tables first, so that a picture that cannot be drawn costs no result of a long run.
        draw: draws the page's pictures.
    """
    console.print(tables, highlight=False, soft_wrap=True, markup=False)
    if page is None:
        return
    if draw is not None:
        draw()
    page.write(title, tables)


def page_of(program: str) -> Callable[[str], Page]:
    """The type of a `--page` option, which refuses a file that cannot be written or has no part for the program."""

    def checked(text: str) -> Page:
        page = Page(output_file(text), program)
        try:
            page.check()
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return page

    return checked
