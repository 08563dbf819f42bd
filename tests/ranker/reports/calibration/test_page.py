"""The page as text: complete, in order, self-contained and small."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from ranker.evaluation.evaluated_slice import SliceEvaluation
from ranker.evaluation.evaluation import Evaluation
from ranker.reports.calibration.inputs import Anomaly, FeatureComparison, ReportInputs
from ranker.reports.calibration.page import report_page
from ranker.reports.html_table import MAX_ROWS
from tests.ranker.evaluation.simulated import simulate
from tests.ranker.reports.documents import bare_inputs, evaluated, refused_inputs, report_inputs

MAX_BYTES = 3_000_000


@pytest.mark.slow
def test_sections_are_in_order(page: str) -> None:
    ids = re.findall(r'<section id="([a-z]+)"', page)
    parts = [
        "objectives",
        "reliability",
        "calibration",
        "auc",
        "scores",
        "training",
        "columns",
        "why",
        "features",
        "provenance",
    ]
    assert ids == ["ranking", *parts]
    assert page.index("Blessed and pushed as version 1700000001") < page.index('<section id="ranking"')


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
    entropy = share.normalized_entropy
    assert cells[4].startswith(f"{entropy.value:.3f}<small>{entropy.lower:.3f}–{entropy.upper:.3f}")
    assert cells[4].endswith(f"{share.log_loss:.4f} nats</small>")
    assert cells[6].startswith(f"{evaluated.baseline.o_over_e.value:.3f}<small>|log O/E| ")
    assert "trained 2.00 %" in row[0]


def test_text_from_data_is_escaped(page: str) -> None:
    assert "&lt;fridge&gt;" in page
    assert "<fridge>" not in page


HOSTILE = (
    *(
        "$$",
        "$_$",
        "$10-$20",
        "[bold]",
        "<script>alert(1)</script>",
        "two\nlines",
        "\x1b[31m",
        "\u202eevil",
        "{{ 7 * 7 }}",
    ),
    *("_under", "x" * 70_000, '"quoted"', "a:b=c, d"),
)


@pytest.mark.slow
def test_slices_objectives_and_columns_can_have_any_text() -> None:
    """The report of a slice value $$ failed after the push, every day."""
    data = simulate(rows=3000, seed=64)
    values = np.array([text.encode() for text in HOSTILE], object)
    data.columns["device"] = values[np.arange(3000) % len(values)]
    evaluation = evaluated(data, data.probabilities, slices=(("device",),))
    hostile = "$_$[bold]<b>&"
    written = json.loads(evaluation.to_json().replace('"click"', json.dumps(hostile)))
    renamed = Evaluation.from_json(json.dumps(written))
    features = tuple(FeatureComparison(text, (0.0, 0.1), (3.0, 4.5), text, text, 0.09, 0.3) for text in HOSTILE)
    history = replace(report_inputs(evaluation).tower_history, objectives=[hostile, "share"])
    page = report_page(
        report_inputs(
            renamed,
            features=features,
            base_rates={hostile: 0.2, "share": 0.02},
            tower_history=history,
            anomalies=tuple(Anomaly("eval", text, "warning", text) for text in HOSTILE),
            missing_days=HOSTILE,
        )
    )
    assert len(page.encode()) < MAX_BYTES
    assert "<script>alert" not in page
    assert not re.search(r"[\x00-\x08\x1b\u202e]", page)
    for text in ("$$", "$_$", "$10-$20", "[bold]", "two lines", r"\x1b[31m", r"\u202eevil", "{{ 7 * 7 }}", "_under"):
        assert page.count(f">{text}<") >= 2, text  # in a figure and in a table
    assert "x" * 199 + "…" in page
    assert "x" * 1_500 not in page
    assert "$_$[bold]&lt;b&gt;&amp;" in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)


@pytest.mark.slow
def test_the_same_inputs_give_the_same_page(inputs: ReportInputs, page: str) -> None:
    assert report_page(inputs) == page


@pytest.mark.slow
def test_a_refused_model_has_a_page_with_the_gate_that_failed() -> None:
    page = report_page(refused_inputs())
    assert '<h1 class="bad">Not blessed: ' in page
    assert "click on device=ios: O/E is" in page
    assert "serving AUC" not in page


@pytest.mark.slow
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
        slices=tuple(
            SliceEvaluation({"author": f"author-{i:04}"}, dict.fromkeys(names, metrics), evaluation.utility)
            for i in range(1500)
        ),
    )
    page = report_page(replace(inputs, evaluation=large))
    assert len(page.encode()) < MAX_BYTES
    assert f"{1500 * 45 - MAX_ROWS:,} more rows are omitted" in page
    assert f"{1500 * 46 - MAX_ROWS:,} more rows are omitted" in page  # by the utility, too


@pytest.mark.slow
def test_a_negative_objective_is_marked(inputs: ReportInputs) -> None:
    assert "fewer is better" not in report_page(inputs)
    objectives = [
        {"name": "click", "tower": "passive", "utility_weight": 1.0},
        {"name": "share", "tower": "active", "utility_weight": -3.0},
    ]
    marked = replace(inputs, manifest=replace(inputs.manifest, config={"objectives": objectives}))
    assert marked.negative == {"share"}
    assert re.search(r"share<small>active tower\s+negative: fewer is better</small>", report_page(marked))
