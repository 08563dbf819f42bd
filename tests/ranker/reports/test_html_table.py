"""Cells show text from data as short text."""

import pytest

from ranker.plain_text import MAX_VALUE
from ranker.reports.html_table import TableCell


def test_text_and_sort_key_are_on_one_line_and_short() -> None:
    hostile = "share of 'a\nb\x1b[31m" + "x" * 70_000

    cell = TableCell(hostile, hostile)

    for shown in (cell.text, cell.order):
        assert isinstance(shown, str)
        assert shown.startswith("share of 'a b\\x1b[31mxxx")
        assert len(shown) == MAX_VALUE


def test_a_note_of_several_lines_and_a_number_to_sort_by_stay() -> None:
    cell = TableCell("0.5", 0.5, note="mean\nserving 0.4")

    assert (cell.text, cell.order, cell.note) == ("0.5", 0.5, "mean\nserving 0.4")


@pytest.mark.parametrize("order", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_sorts_last(order: float) -> None:
    assert TableCell("–", order).order is None
