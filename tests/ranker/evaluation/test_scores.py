"""Score histograms keep the buckets from the first to the last occupied one, and lose no impression."""

import numpy as np

from ranker.evaluation.buckets import SCORE_BUCKETS, score_edges
from ranker.evaluation.scores import ScoreHistogram


def test_a_histogram_runs_from_the_first_to_the_last_occupied_bucket() -> None:
    counts = np.zeros(SCORE_BUCKETS)
    counts[[5, 8]] = [3.0, 4.0]
    histogram = ScoreHistogram.of(counts)
    assert histogram.first_bucket == 5
    assert histogram.impressions == (3.0, 0.0, 0.0, 4.0)
    assert list(histogram.edges) == score_edges()[5:10].tolist()
    assert histogram.counts().tolist() == counts.tolist()


def test_the_ends_of_the_range_and_no_impressions_are_histograms_too() -> None:
    everything = np.ones(SCORE_BUCKETS)
    assert ScoreHistogram.of(everything).edges[::SCORE_BUCKETS] == (0.0, 1.0)
    assert ScoreHistogram.of(everything).counts().tolist() == everything.tolist()
    nothing = ScoreHistogram.of(np.zeros(SCORE_BUCKETS))
    assert (nothing.first_bucket, nothing.impressions) == (0, (0.0,))
    assert nothing.counts().sum() == 0
