"""The report's part on columns: what tells an outcome, what a reference is, and what the model owes to each column."""

from dataclasses import replace

import pytest

from ranker.evaluation.importance import GroupImportance, Importance
from ranker.evaluation.intervals import UNDEFINED, Estimate
from ranker.evaluation.leakage import Leak
from ranker.evaluation.references import References
from ranker.reports.calibration.columns import gains_table, groups_table, leaks_table, notes
from ranker.reports.calibration.headline import verdict
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.calibration.page import report_page
from ranker.reports.calibration.tables import objectives_table

LEAK = Leak("spend", "click", "alone", 300, 1.0, 0.991, 1.0, 0.9)
IMPORTANCE = Importance(
    gains={
        "click": {"age": 0.25, "<b>": 0.75, "idle": 0.0},
        "share": {"age": 0.9, "<b>": 0.1, "idle": 0.0},
    },
    groups=(
        GroupImportance(
            "viewer_…",
            tuple(f"viewer_{i}" for i in range(8)),
            {"click": Estimate(0.002, -0.01, 0.014), "share": UNDEFINED},
        ),
        GroupImportance("age", ("age",), {"click": Estimate(0.2, 0.1, 0.3), "share": Estimate(0.01, 0.001, 0.02)}),
    ),
    impressions=1500,
)


def with_columns(inputs: ReportInputs, *leaks: Leak) -> ReportInputs:
    found = inputs.evaluation.objectives
    references = {name: References(found[name].candidate, found[name].baseline) for name in found}
    return replace(inputs, evaluation=inputs.evaluation.with_columns(leaks, references, IMPORTANCE))


def test_gains_are_sorted_over_the_objectives_and_columns_without_a_split_left_out(inputs: ReportInputs) -> None:
    table = gains_table(with_columns(inputs), "gains", most=1)
    assert [column.title for column in table.columns] == ["column", "click", "share"]
    [row] = table.rows
    assert [cell.text for cell in row] == ["age", "25.0 %", "90.0 %"]
    assert [cell.bar for cell in row[1:]] == [0.25, 0.9]
    assert table.left_out == 1


def test_groups_are_sorted_by_their_cost_and_noise_is_muted(inputs: ReportInputs) -> None:
    age, viewer = groups_table(with_columns(inputs)).rows
    assert (age[0].text, age[0].note) == ("age", "")
    assert viewer[0].note == "8 columns"
    assert (age[1].text, age[1].tone, age[1].bar) == ("0.200", "", 1.0)
    assert viewer[1].bar == pytest.approx(0.01)
    assert (viewer[1].text, viewer[1].note, viewer[1].tone) == ("0.002", "-0.010 to 0.014".replace("-", "−"), "muted")
    assert (viewer[2].text, viewer[2].order) == ("–", None)
    assert "1,500 impressions" in " ".join(notes(with_columns(inputs)))
    warm = replace(with_columns(inputs), forest_curve=None)
    assert "of the day on which the forest was trained" in " ".join(notes(warm))


@pytest.mark.parametrize(
    ("leak", "tone", "state"),
    [
        (LEAK, "bad", "blocks the model"),
        (replace(LEAK, new=False), "warn", "not new, reported only"),
        (replace(LEAK, vouched=True), "muted", "vouched for"),
    ],
)
def test_a_column_that_tells_an_outcome_says_whether_it_blocks(
    inputs: ReportInputs, leak: Leak, tone: str, state: str
) -> None:
    [row] = leaks_table(with_columns(inputs, leak)).rows
    assert [cell.text for cell in row] == ["spend", "click", state, "AUC of the column alone", "1.000", "0.90"]
    assert row[4].note == "0.991–1.000"
    assert row[2].tone == tone


def test_the_headline_counts_them(inputs: ReportInputs) -> None:
    blocked = verdict(with_columns(inputs, LEAK, replace(LEAK, objective="share")))
    assert blocked.tone == "bad"
    assert blocked.sentence.startswith("Not blessed: 2 outcomes are told by a column, and the previous model")
    assert "the column spend alone" in blocked.notes[0].text
    reported = verdict(with_columns(inputs, replace(LEAK, new=False)))
    assert reported.tone == "warn"
    assert "1 outcome is told by a column" in reported.sentence
    assert verdict(with_columns(inputs, replace(LEAK, vouched=True))) == verdict(inputs)


def test_the_forest_and_the_base_rate_stand_beside_the_metrics(inputs: ReportInputs) -> None:
    without = objectives_table(inputs)
    table = objectives_table(with_columns(inputs))
    titles = [column.title for column in table.columns]
    assert [title for title in titles if title != "forest alone"] == [column.title for column in without.columns]
    candidate = inputs.evaluation.objectives["click"].candidate
    cell = dict(zip(titles, table.rows[0], strict=True))
    assert cell["forest alone"].text == f"{candidate.auc.value:.3f}"
    assert cell["forest alone"].note.endswith(f"NE {candidate.normalized_entropy.value:.3f}")
    assert "\nNE " in cell["base rate"].note


@pytest.mark.slow
def test_the_page_shows_all_of_it_escaped(inputs: ReportInputs) -> None:
    page = report_page(with_columns(inputs, LEAK))
    for table in ("leaks", "groups", "gains", "all-gains"):
        assert f'id="table-{table}"' in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "It was not measured" in report_page(inputs)
