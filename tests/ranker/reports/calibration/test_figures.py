"""The data that the figures compute before drawing."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import special

from ranker.evaluation.buckets import SCORE_BUCKETS, score_edges
from ranker.evaluation.metrics import Reliability
from ranker.evaluation.scores import ScoreHistogram
from ranker.reports.calibration.inputs import ReportInputs
from ranker.reports.calibration.reliability import MIN_EXPECTED, merged
from ranker.reports.figures.drawing import probability_axis, score_density, shortened, slice_rows, wilson
from ranker.reports.figures.heatmap import certainty, step
from ranker.reports.svg import OE_STEPS


def test_bins_of_a_rare_objective_are_joined_and_nothing_is_lost(inputs: ReportInputs) -> None:
    for curves in inputs.evaluation.curves.values():
        curve = curves.candidate.reliability
        edges, impressions, positives, predicted = merged(curve)
        assert len(edges) <= len(curve.impressions)
        assert impressions.sum() == sum(curve.impressions)
        assert positives.sum() == sum(curve.positives)
        assert predicted.sum() == pytest.approx(sum(curve.predicted))
        assert predicted.min() >= MIN_EXPECTED
        assert edges[0] == 0.0
        assert np.all(np.diff(edges) > 0)


def test_a_curve_with_few_expected_outcomes_is_one_bin() -> None:
    curve = Reliability((0.0, 0.1, 1.0), impressions=(5.0, 5.0), positives=(0.0, 1.0), predicted=(0.1, 0.6))
    assert [values.tolist() for values in merged(curve)] == [[0.0], [10.0], [1.0], [0.7]]


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    lower, upper = wilson(np.array([0.0, 5.0]), np.array([10.0, 10.0]), 0.95)
    assert lower == pytest.approx([0.0, 0.2366], abs=1e-4)
    assert upper == pytest.approx([0.2775, 0.7634], abs=1e-4)


def test_colours_of_o_over_e_are_symmetric_and_deepen() -> None:
    assert step(1.0) == step(1.04) == step(1 / 1.04) == OE_STEPS // 2
    assert [step(value) for value in (0.0, 0.5, 0.7, 0.85, 0.92)] == [0, 0, 1, 2, 3]
    for value in (1.07, 1.15, 1.3, 3.0):
        assert step(value) + step(1 / value) == OE_STEPS - 1


def test_the_wider_the_interval_the_fainter_the_cell() -> None:
    widths = [certainty(1 / w, w) for w in (1.05, 1.2, 1.5, 2.0, 10.0)]
    assert widths[0] == 1.0
    assert widths == sorted(widths, reverse=True)
    assert certainty(0.0, 3.0) == certainty(0.5, math.inf) == widths[-1] < 0.3


def test_slices_are_listed_under_a_heading_per_kind(inputs: ReportInputs) -> None:
    rows, left_out = slice_rows(inputs.evaluation)
    labels = [row.label for row in rows]
    assert labels[0] == "all impressions"
    assert [row.label for row in rows if row.objectives is None] == ["country", "device", "device × country"]
    assert "ios × us" in labels
    assert left_out == 0
    few, left_out = slice_rows(inputs.evaluation, most=3)
    assert len([row for row in few if row.objectives is not None]) == 4
    assert left_out == len(inputs.evaluation.slices) - 3
    smallest_shown = min(row.objectives["click"].candidate.impressions for row in few if row.objectives)
    hidden = [s for s in inputs.evaluation.slices if " × ".join(s.slice.values()) not in {r.label for r in few}]
    assert all(s.impressions <= smallest_shown for s in hidden)


def test_long_labels_are_cut() -> None:
    assert shortened("short") == "short"
    assert shortened("x" * 50, 10) == "x" * 9 + "…"


def test_the_scores_of_a_frequent_outcome_are_spread_over_the_axis() -> None:
    """Half of the scores are between 0.9 and 0.999; their density is of the order of one share per doubling."""
    counts = np.zeros(SCORE_BUCKETS)
    probabilities = special.expit(np.random.default_rng(3).normal(4.0, 1.5, 20_000))
    np.add.at(counts, np.searchsorted(score_edges(), probabilities, side="right") - 1, 1.0)
    edges, density = score_density(ScoreHistogram.of(counts))
    assert density.max() / counts.sum() < 0.3
    axes = Figure().subplots()
    probability_axis(axes, "x", float(edges[0]), float(edges[-1]))
    assert axes.get_xscale() == "logit"
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert {"50%", "95%", "99.9%"} <= set(labels)
    assert len(labels) <= 8
    probability_axis(axes, "x", 0.001, 0.3)
    assert axes.get_xscale() == "log"


def test_densities_and_buckets_hold_every_impression(inputs: ReportInputs) -> None:
    scores = inputs.evaluation.curves["click"].candidate.scores
    edges, density = score_density(scores)
    assert np.sum(density * np.diff(np.log2(edges / (1 - edges)))) == pytest.approx(sum(scores.impressions))
    counts = scores.counts()
    assert counts.shape == (SCORE_BUCKETS,)
    assert counts.sum() == sum(scores.impressions)
    assert counts[scores.first_bucket] == scores.impressions[0] > 0
    assert ScoreHistogram.of(counts) == scores
