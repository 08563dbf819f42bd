"""Why a few impressions have their scores, as tables of the page."""

import re
from dataclasses import replace

import pytest

from ranker.explanation.impressions import HIGHEST, MOST_WRONG, TYPICAL, ExplainedImpression
from ranker.reports.calibration.contributions import MOST_COLUMNS, contribution_tables
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.calibration.page import report_page

COLUMNS = [f"column_{number}" for number in range(12)]


def impression(kind: str, outcome: bool | None, factor: float) -> ExplainedImpression:
    contributions = {name: factor * (number - 5.5) / 10 for number, name in enumerate(COLUMNS)}
    return ExplainedImpression(kind, outcome, -1.0, contributions, {name: f"<{name}>" for name in COLUMNS})


@pytest.fixture
def explained(inputs: ReportInputs) -> ReportInputs:
    impressions = (impression(HIGHEST, True, 1.0), impression(TYPICAL, None, 0.1), impression(MOST_WRONG, False, -1.0))
    return replace(inputs, explained={"click": impressions, "share": ()})


def test_a_table_adds_up_to_the_log_odds(explained: ReportInputs) -> None:
    [(name, table)] = contribution_tables(explained)
    assert name == "click"
    assert [column.title.partition(":")[0] for column in table.columns[1:]] == [HIGHEST, TYPICAL, MOST_WRONG]
    assert "26.9 %, happened" in table.columns[1].title
    assert "not observed" in table.columns[2].title
    assert len(table.rows) == MOST_COLUMNS + 3
    assert table.rows[0][0].text == "an average impression"
    assert table.rows[-2][0].text == f"{len(COLUMNS) - MOST_COLUMNS} other columns"
    for place in (1, 2, 3):
        parts = [row[place].order for row in table.rows[:-1]]
        assert sum(parts) == pytest.approx(table.rows[-1][place].order)  # type: ignore[arg-type]
    # The largest contribution to any of the impressions comes first.
    assert {table.rows[1][0].text, table.rows[2][0].text} == {"column_0", "column_11"}
    assert (table.rows[1][1].tone, table.rows[1][3].tone) in (("bad", "good"), ("good", "bad"))


@pytest.mark.slow
def test_the_page_shows_values_as_text(explained: ReportInputs) -> None:
    page = report_page(explained)
    assert 'id="table-why-click"' in page
    assert "&lt;column_0&gt;" in page
    assert "<column_0>" not in page


@pytest.mark.slow
def test_a_page_without_them_says_why(inputs: ReportInputs) -> None:
    page = report_page(replace(inputs, not_explained="the model has no training state"))
    assert re.search(r"No impression was explained: the model has no training state\.", page)
    assert "No impression was explained." in report_page(inputs)
