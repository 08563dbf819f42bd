"""The evaluation as JSON holds every metric, the verdicts that matter, and no NaN."""

import json

import numpy as np
import pytest

from ranker.config.gates import Gate, Gates
from ranker.evaluation.buckets import score_edges
from ranker.evaluation.document import Baseline, evaluation_document
from ranker.evaluation.gates import judge
from ranker.evaluation.intervals import OutcomeCounts, o_over_e_interval
from ranker.evaluation.summary import BASELINE, CANDIDATE, summarize
from tests.ranker.evaluation.simulated import OBJECTIVES, accumulate, simulate

GATES = Gates(objective=Gate(min_auc=0.55, o_over_e=(0.8, 1.25)), slice=Gate(o_over_e=(0.5, 2.0)))


def test_the_document_holds_metrics_of_both_models_and_every_slice() -> None:
    data = simulate(rows=8000, seed=11)
    slices = list(summarize(accumulate(data, {CANDIDATE: data.probabilities, BASELINE: data.probabilities})))
    verdicts = judge(slices, GATES)
    document = evaluation_document(slices, verdicts, Baseline("17"), 0.95, [("author",)])
    assert document["blessed"] is True
    assert document["confidence"] == 0.95
    assert document["baseline"] == {"version": "17", "dropped": None}
    share = document["objectives"]["share"]
    assert share["positives"] == int(data.labels[1].sum())
    assert share["auc_lower"] < share["auc"] < share["auc_upper"]
    assert share["baseline"]["auc"] == share["auc"]
    assert share["auc_drop"] == 0.0
    assert document["slices_dropped"] == [["author"]]
    assert {"device": "ios", "country": "us"} in [entry["slice"] for entry in document["slices"]]
    assert sum(document["slice_verdicts"].values()) == sum(1 for v in verdicts if v.slice)
    assert all(verdict["slice"] == "" or verdict["outcome"] == "failed" for verdict in document["verdicts"])


def test_the_interval_at_any_confidence_follows_from_the_document() -> None:
    data = simulate(rows=4000, seed=14)
    slices = list(summarize(accumulate(data, {CANDIDATE: data.probabilities}), confidence=0.99))
    share = evaluation_document(slices, judge(slices, GATES), Baseline(), 0.99)["objectives"]["share"]
    counts = OutcomeCounts(
        observed=share["positives"],
        expected=share["mean_prediction"] * share["impressions"],
        impressions=share["impressions"],
        groups=share["viewer_groups"],
        variance=share["o_over_e_variance"],
    )
    interval = o_over_e_interval(counts, 0.99)
    assert (interval.lower, interval.upper) == pytest.approx((share["o_over_e_lower"], share["o_over_e_upper"]))


def test_the_curves_of_both_models_cover_all_impressions() -> None:
    data = simulate(rows=3000, seed=13)
    models = {CANDIDATE: data.probabilities, BASELINE: data.probabilities**2}
    slices = list(summarize(accumulate(data, models)))
    curves = evaluation_document(slices, judge(slices, GATES), Baseline("17"), 0.95)["curves"]
    for objective, probabilities in zip(OBJECTIVES, data.probabilities, strict=True):
        for model, scores in ((CANDIDATE, probabilities), (BASELINE, probabilities**2)):
            histogram = curves[objective][model]["scores"]
            expected, _ = np.histogram(scores, histogram["edges"])
            assert histogram["impressions"] == expected.tolist()
            assert sum(histogram["impressions"]) == 3000
            first = histogram["first_bucket"]
            assert histogram["edges"] == score_edges()[first : first + len(histogram["edges"])].tolist()
            curve = curves[objective][model]["reliability"]
            assert sum(curve["predicted"]) == pytest.approx(scores.sum())
            assert sum(curve["positives"]) == data.labels[OBJECTIVES.index(objective)].sum()


def test_the_document_writes_what_is_undefined_as_null() -> None:
    data = simulate(rows=200, seed=41)
    data.labels[1] = False
    slices = list(summarize(accumulate(data, {CANDIDATE: data.probabilities})))
    document = evaluation_document(slices, judge(slices, GATES), Baseline(), 0.95)
    json.dumps(document, allow_nan=False)
    share = document["objectives"]["share"]
    assert share["auc"] is None
    assert share["normalized_entropy"] is None
    assert share["o_over_e"] == 0.0
    assert share["o_over_e_upper"] > 0.0


def test_a_slice_gate_that_failed_is_listed_and_one_that_passed_is_only_counted() -> None:
    data = simulate(rows=8000, seed=12)
    broken = data.probabilities.copy()
    broken[0, data.columns["device"] == b"ios"] *= 0.2
    slices = list(summarize(accumulate(data, {CANDIDATE: broken}, slices=(("device",),))))
    document = evaluation_document(slices, judge(slices, GATES), Baseline("3", "it predicts other things"), 0.95)
    assert document["blessed"] is False
    assert document["baseline"]["dropped"] == "it predicts other things"
    listed = [verdict for verdict in document["verdicts"] if verdict["slice"]]
    assert [(verdict["objective"], verdict["slice"]) for verdict in listed] == [("click", "device=ios")]
    assert listed[0]["limit"] == [0.5, 2.0]
    assert document["slice_verdicts"] == {"passed": 5, "failed": 1}
