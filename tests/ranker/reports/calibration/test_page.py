"""The page as text: complete, in order, self-contained and small."""

import re
from dataclasses import replace

import pytest

from ranker.evaluation.evaluation import SliceEvaluation
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.calibration.page import report_page
from tests.ranker.reports.documents import bare_inputs, refused_inputs

MAX_BYTES = 3_000_000


def test_sections_are_in_order(page: str) -> None:
    ids = re.findall(r'<section id="([a-z]+)"', page)
    assert ids == ["objectives", "reliability", "calibration", "auc", "scores", "training", "features", "provenance"]
    assert page.index("Blessed and pushed as version 1700000001") < page.index('<section id="objectives"')


def test_every_objective_has_its_figures(page: str) -> None:
    names = re.findall(r'<svg [^>]*aria-label="([^"]*)"', page)
    for objective in ("click", "share"):
        assert sum(f" {objective}" in name for name in names) == 3
    assert len(names) == 3 * 2 + 1 + 4 + 1


def test_the_page_needs_no_network_and_is_small(page: str) -> None:
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert re.findall(r"(?:https?:)?//[\w.]+", without_namespaces) == []
    assert re.findall(r'(?:src|href)="(?!#|data:)', page) == []
    assert len(page.encode()) < MAX_BYTES


def test_the_page_shows_the_measured_values(inputs: ReportInputs, page: str) -> None:
    evaluated = inputs.evaluation.objectives["share"]
    share = evaluated.candidate
    assert evaluated.baseline is not None
    row = re.search(r"<tr>\s*<td[^>]*>share<small>active tower.*?</tr>", page, re.DOTALL)
    assert row is not None
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row[0], re.DOTALL)
    assert cells[1].startswith(f"{share.auc.value:.3f}<small>{share.auc.lower:.3f}–{share.auc.upper:.3f}")
    assert cells[2].startswith(f"{share.o_over_e.value:.3f}<small>")
    assert cells[3] == "passed"
    assert cells[4] == f"{share.normalized_entropy:.3f}<small>{share.log_loss:.4f} nats</small>"
    assert cells[6].startswith(f"{evaluated.baseline.o_over_e.value:.3f}<small>growth")
    assert "trained 2.00 %" in row[0]


def test_text_from_data_is_escaped(page: str) -> None:
    assert "&lt;fridge&gt;" in page
    assert "<fridge>" not in page


def test_the_same_inputs_give_the_same_page(inputs: ReportInputs, page: str) -> None:
    assert report_page(inputs) == page


def test_a_refused_model_has_a_page_with_the_gate_that_failed() -> None:
    page = report_page(refused_inputs())
    assert '<h1 class="bad">Not blessed: ' in page
    assert "click on device=ios: O/E is" in page
    assert "serving AUC" not in page


def test_a_page_of_almost_no_data_renders() -> None:
    page = report_page(bare_inputs())
    assert page.count("The config names no slices.") == 2
    assert "it predicts [&#39;other&#39;]" in page
    assert "Data validation found no anomaly" in page


@pytest.mark.slow
def test_thousands_of_slices_and_many_objectives_stay_under_the_limit(inputs: ReportInputs) -> None:
    evaluation = inputs.evaluation
    metrics = evaluation.slices[0].objectives["click"]
    names = [f"objective_{i}" for i in range(45)]
    large = replace(
        evaluation,
        objectives=dict.fromkeys(names, evaluation.objectives["click"]),
        curves=dict.fromkeys(names, evaluation.curves["click"]),
        slices=tuple(SliceEvaluation({"author": f"author-{i:04}"}, dict.fromkeys(names, metrics)) for i in range(1500)),
    )
    page = report_page(replace(inputs, evaluation=large))
    assert len(page.encode()) < MAX_BYTES
    assert "more rows are omitted" in page
