"""The evaluation has every metric and the relevant verdicts, can be stored as a file, and prints as a table."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ranker.config.gates import Gate, Gates
from ranker.documents import DocumentError
from ranker.evaluation.baseline import Baseline
from ranker.evaluation.buckets import score_edges
from ranker.evaluation.evaluation import FORMAT, Evaluation
from ranker.evaluation.gates import judge
from ranker.evaluation.intervals import o_over_e_interval
from ranker.evaluation.sessions import Sessions
from ranker.evaluation.summary import BASELINE, CANDIDATE, Model, summarize
from tests.ranker.evaluation.handmade import ONE_VIEWER, SESSIONS, compared, dropped, first
from tests.ranker.evaluation.simulated import OBJECTIVES, accumulate, simulate

GATES = Gates(
    objective=Gate(min_auc=0.55, o_over_e=(0.8, 1.25)), slice=Gate(max_normalized_entropy=None, o_over_e=(0.5, 2.0))
)


def test_it_holds_metrics_of_both_models_and_every_slice() -> None:
    data = simulate(rows=8000, seed=11)
    accumulator = accumulate(data, {CANDIDATE: data.probabilities, BASELINE: data.probabilities})
    slices = list(summarize(accumulator))
    verdicts = judge(slices, GATES)
    evaluation = Evaluation.of(slices, verdicts, Baseline("17"), 0.95, Sessions.of(accumulator), [("author",)])
    assert evaluation.blessed
    assert evaluation.compared
    assert evaluation.impressions == 8000
    assert evaluation.confidence == 0.95
    assert evaluation.baseline == Baseline("17")
    share = evaluation.objectives["share"]
    assert share.candidate.positives == int(data.labels[1].sum())
    assert share.candidate.base_rate == data.labels[1].mean()
    assert share.candidate.auc.lower < share.candidate.auc.value < share.candidate.auc.upper
    assert share.of(BASELINE).auc == share.candidate.auc
    assert share.comparison is not None
    assert share.comparison.auc_drop.value == 0.0
    assert evaluation.slices_dropped == (("author",),)
    assert {"device": "ios", "country": "us"} in [entry.slice for entry in evaluation.slices]
    assert "device=ios, country=us" in [entry.name for entry in evaluation.slices]
    assert sum(evaluation.slice_verdicts.values()) == sum(1 for v in verdicts if v.slice)
    assert all(verdict.slice == "" or verdict.outcome == "failed" for verdict in evaluation.verdicts)
    assert Evaluation.from_json(evaluation.to_json()) == evaluation


def test_the_interval_at_any_confidence_follows_from_the_file() -> None:
    data = simulate(rows=4000, seed=14)
    slices = list(summarize(accumulate(data, {CANDIDATE: data.probabilities}), confidence=0.99))
    written = Evaluation.of(slices, judge(slices, GATES), Baseline(), 0.99, SESSIONS).to_json()
    share = Evaluation.from_json(written).objectives["share"].candidate
    interval = o_over_e_interval(share.outcomes, 0.99)
    assert (interval.lower, interval.upper) == pytest.approx((share.o_over_e.lower, share.o_over_e.upper))


def test_the_curves_of_both_models_cover_all_impressions() -> None:
    data = simulate(rows=3000, seed=13)
    models: dict[Model, np.ndarray] = {CANDIDATE: data.probabilities, BASELINE: data.probabilities**2}
    slices = list(summarize(accumulate(data, {str(model): predicted for model, predicted in models.items()})))
    curves = Evaluation.of(slices, judge(slices, GATES), Baseline("17"), 0.95, SESSIONS).curves
    for o, objective in enumerate(OBJECTIVES):
        for model, probabilities in models.items():
            histogram = curves[objective].of(model).scores
            expected, _ = np.histogram(probabilities[o], histogram.edges)
            assert list(histogram.impressions) == expected.tolist()
            assert sum(histogram.impressions) == 3000
            first_bucket = histogram.first_bucket
            assert list(histogram.edges) == score_edges()[first_bucket:][: len(histogram.edges)].tolist()
            curve = curves[objective].of(model).reliability
            assert sum(curve.predicted) == pytest.approx(probabilities[o].sum())
            assert sum(curve.positives) == data.labels[o].sum()


def test_a_slice_gate_that_failed_is_listed_and_one_that_passed_is_only_counted() -> None:
    data = simulate(rows=8000, seed=12)
    broken = data.probabilities.copy()
    broken[0, data.columns["device"] == b"ios"] *= 0.2
    slices = list(summarize(accumulate(data, {CANDIDATE: broken}, slices=(("device",),))))
    evaluation = Evaluation.of(slices, judge(slices, GATES), Baseline("3", "it predicts other things"), 0.95, SESSIONS)
    assert not evaluation.blessed
    assert not evaluation.compared
    assert evaluation.baseline.dropped == "it predicts other things"
    [listed] = [verdict for verdict in evaluation.verdicts if verdict.slice]
    assert (listed.objective, listed.slice, listed.limit) == ("click", "device=ios", (0.5, 2.0))
    assert evaluation.slice_verdicts == {"passed": 5, "failed": 1}
    assert evaluation.gate("click") == "refused: normalized_entropy, o_over_e, o_over_e on device=ios"
    assert evaluation.gate("share") == "passed"


@pytest.mark.parametrize("make", [first, compared, dropped])
def test_it_is_equal_after_a_round_trip_through_its_file(make: Callable[[], Evaluation]) -> None:
    evaluation = make()
    text = evaluation.to_json()
    json.loads(text, parse_constant=pytest.fail)  # NaN and infinity are not JSON
    assert Evaluation.from_json(text) == evaluation
    assert Evaluation.from_json(text).to_json() == text
    assert replace(evaluation, confidence=0.5) != evaluation
    assert evaluation.to_dict() == json.loads(text)
    assert next(iter(evaluation.to_dict().items())) == ("format", FORMAT)


def test_undefined_and_unbounded_values_are_null_in_the_file_and_restored() -> None:
    evaluation = compared()
    written = evaluation.to_dict()["objectives"]["a<b"]
    assert written["candidate"]["o_over_e"] == {"value": 2.0, "lower": 0.0, "upper": None}
    assert written["candidate"]["o_over_e_variance"] is None
    assert written["baseline"]["auc"] == {"value": None, "lower": None, "upper": None}
    assert written["comparison"]["auc_drop"] == {"value": 0.01, "lower": None, "upper": None}
    read = Evaluation.from_json(evaluation.to_json()).objectives["a<b"]
    assert read.candidate == ONE_VIEWER
    assert read.candidate.o_over_e.upper == math.inf
    assert read.candidate.o_over_e_variance == math.inf
    assert read.baseline is not None
    assert not read.baseline.auc.defined
    assert math.isnan(read.baseline.auc.lower)
    assert math.isnan(read.baseline.normalized_entropy.value)
    assert read.comparison is not None
    assert (read.comparison.auc_drop.lower, read.comparison.auc_drop.upper) == (-math.inf, math.inf)
    assert not read.comparison.calibration_worsening.defined


def test_an_objective_that_was_never_observed_is_undefined() -> None:
    data = simulate(rows=200, seed=41)
    data.labels[1] = False
    slices = list(summarize(accumulate(data, {CANDIDATE: data.probabilities})))
    evaluation = Evaluation.of(slices, judge(slices, GATES), Baseline(), 0.95, SESSIONS)
    share = Evaluation.from_json(evaluation.to_json()).objectives["share"].candidate
    assert not share.auc.defined
    assert math.isnan(share.normalized_entropy.value)
    assert share.o_over_e.value == 0.0
    assert share.o_over_e.upper > 0.0
    auc = next(verdict for verdict in evaluation.verdicts if verdict.objective == "share" and verdict.metric == "auc")
    assert (auc.outcome, auc.estimate.defined) == ("too few", False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.pop("format"),
            "format: it has no format number, but this version reads format 3; evaluate the mo",
        ),
        (lambda d: d.update(format=2), "format: it has format 2, but this version reads format 3"),
        (lambda d: d.pop("curves"), "curves: Field required"),
        (lambda d: d["objectives"]["click"]["candidate"].pop("auc"), r"objectives\.click\.candidate\.auc: Field req"),
        (lambda d: d["verdicts"][0].update(outcome="maybe"), r"verdicts\.0\.outcome: Input should be 'passed'"),
        (
            lambda d: d["objectives"]["click"]["candidate"]["auc"].update(value="high"),
            r"objectives\.click\.candidate\.auc\.value: Input should be a valid number",
        ),
    ],
)
def test_a_damaged_or_older_file_is_one_error_that_names_file_and_field(
    change: Callable[[dict[str, object]], object], message: str
) -> None:
    document = first().to_dict()
    change(document)
    with pytest.raises(DocumentError, match=rf"^run/gates\.json: {message}"):
        Evaluation.from_json(json.dumps(document), "run/gates.json")


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[1]", "not a JSON object"), ("", "not JSON")])
def test_a_file_without_an_object_is_an_error(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=rf"^gates\.json: {message}"):
        Evaluation.from_json(text)


def test_it_prints_as_a_table() -> None:
    assert str(first()).splitlines() == [
        "Blessed: 10,000 impressions, 95 % intervals over viewers, no baseline",
        "objective  positives  AUC                   O/E                      NE  gate",
        "click          2,000  0.751 [0.740, 0.762]  1.010 [0.970, 1.050]  0.900  passed",
        "reply              0  –                     0.000 [0.000, 0.500]      –  too few positives to judge: auc",
        "within sessions  sessions  GAUC                  NDCG@10               utility of the top 10  gate",
        "utility               500                        0.550 [0.530, 0.570]  1.234 [1.200, 1.268]   no gate",
        "click                 480  0.651 [0.630, 0.670]  0.520 [0.500, 0.540]",
        "reply                   0  –                     –",
        "too few: reply: auc too few",
    ]
    assert str(compared()).splitlines() == [
        "Not blessed: 10,000 impressions, 90 % intervals over viewers, compared with version 41",
        "objective  positives  AUC                   O/E                      NE  gate",
        "click          2,000  0.751 [0.740, 0.762]  1.010 [0.970, 1.050]  0.900  "
        'refused: o_over_e on device=<tv> & "co"',
        "a<b                1  0.600 [0.000, 1.000]  2.000 [0.000, ∞]      1.100  no gate",
        "within sessions  sessions  GAUC                  NDCG@3                utility of the top 3  gate",
        "utility               500                        0.550 [0.530, 0.570]  1.234 [1.200, 1.268]  no gate",
        "click                 480  0.651 [0.630, 0.670]  0.520 [0.500, 0.540]",
        "a<b                     1  0.750 [0.000, 1.000]  0.631 [0.000, 1.000]",
        'failed: click on device=<tv> & "co": o_over_e failed',
        "failed: a<b on device=ios: o_over_e failed",
        "slices by author were left out: they have too many values",
        "slices by author × <i> were left out: they have too many values",
        "session metrics are computed from a sample of 25 % of the sessions",
        "session metrics leave out 1,200 impressions without a session id",
    ]
    assert str(dropped()).splitlines()[-1] == (
        "not compared with the model now serving, version 7: it predicts ['follow'] & nothing <else>"
    )


def test_it_shows_as_escaped_html_in_a_notebook() -> None:
    html = compared()._repr_html_()
    assert html.startswith(
        "<p>Not blessed: 10,000 impressions, 90 % intervals over viewers, compared with version 41</p>"
    )
    assert '<td style="text-align:left">a&lt;b</td><td style="text-align:right">1</td>' in html
    assert '<td style="text-align:left">0.751 [0.740, 0.762]</td>' in html
    assert "o_over_e on device=&lt;tv&gt; &amp; &quot;co&quot;" in html
    assert "<p>slices by author × &lt;i&gt; were left out: they have too many values</p>" in html
    assert html.count("<tr>") == 3 + 4
    assert not any(unescaped in html for unescaped in ("<tv>", "<i>", "a<b"))
    assert "nothing &lt;else&gt;" in dropped()._repr_html_()
