"""The report's first table: how sessions are ranked, with what each metric means."""

import re
from dataclasses import replace

import pytest

from ranker.evaluation.session_sums import UtilityWeights
from ranker.evaluation.sessions import Sessions
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.calibration.page import report_page
from ranker.reports.calibration.ranking import explanations, notes, ranking_slices_table, ranking_table
from ranker.reports.html_table import Table
from tests.ranker.evaluation.handmade import compared, first
from tests.ranker.reports.documents import bare_inputs, report_inputs


def texts(table: Table) -> list[list[tuple[str, str]]]:
    return [[(cell.text, cell.note) for cell in row] for row in table.rows]


def test_without_a_serving_model_values_have_their_intervals() -> None:
    table = ranking_table(report_inputs(first()))
    assert [column.title for column in table.columns] == [
        "ranked by",
        "GAUC",
        "NDCG@10",
        "utility of the top 10",
        "sessions",
    ]
    assert texts(table) == [
        [("utility", ""), ("", ""), ("0.550", "0.530–0.570"), ("1.234", "1.200–1.268"), ("500", "")],
        [("click", ""), ("0.651", "0.630–0.670"), ("0.520", "0.500–0.540"), ("", ""), ("480", "")],
        [("reply", ""), ("–", ""), ("–", ""), ("", ""), ("0", "")],
    ]


def test_with_a_serving_model_its_value_and_the_difference_from_it_are_below() -> None:
    utility, click, _ = texts(ranking_table(report_inputs(compared())))
    assert utility[3] == ("1.234", "1.200–1.268\nserving 1.000\n+23.4 % against it\n+16.8 to +30.0 %")
    assert utility[2] == ("0.550", "0.530–0.570\nserving –")
    assert click[1] == ("0.651", "0.630–0.670\nserving 0.750\n−0.002 against it\n−0.014 to +0.010")


def test_every_slice_has_the_ranking_by_the_utility_and_by_every_objective() -> None:
    rows = texts(ranking_slices_table(report_inputs(compared())))
    assert [(row[0][0], row[1][0]) for row in rows] == [
        ('device=<tv> & "co"', "utility"),
        ('device=<tv> & "co"', "click"),
        ('device=<tv> & "co"', "a<b"),
        ("device=ios, country=(missing)", "utility"),
        ("device=ios, country=(missing)", "click"),
    ]


@pytest.mark.slow
def test_it_is_the_first_table_with_its_explanations_and_what_it_leaves_out() -> None:
    page = report_page(report_inputs(compared()))
    assert re.findall(r'id="table-([\w-]+)"', page)[0] == "ranking"
    assert "<dt>NDCG@3</dt>" in page
    assert "each counted with its weight (click 0.5, a&lt;b -2)" in page
    assert "Session metrics are computed from a sample of 25 % of the sessions." in page
    assert "Session metrics leave out 1,200 impressions without a session id." in page


@pytest.mark.parametrize("inputs", [report_inputs(first()), bare_inputs()])
def test_nothing_is_said_where_all_sessions_are_covered(inputs: ReportInputs) -> None:
    assert notes(inputs) == []
    assert next(name for name, _ in explanations(inputs)) == "GAUC"


def test_the_explanations_name_the_configs_k() -> None:
    evaluation = replace(first(), sessions=Sessions(UtilityWeights({"click": 1.0, "reply": -3.0}, k=7)))
    described = dict(explanations(report_inputs(evaluation)))
    assert "(click 1, reply -3)" in described["utility of the top 7"]
    assert "first 7 places" in described["NDCG@7"]
