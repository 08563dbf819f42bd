"""Score buckets keep the order of scores, and viewer groups are stable."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ranker.evaluation.buckets import (
    COARSE_BUCKETS,
    FINE_BUCKETS,
    SCORE_BUCKETS,
    VIEWER_GROUPS,
    coarse_bucket,
    fine_bucket,
    lower_edges,
    score_counts,
    score_edges,
    viewer_groups,
)

probability = st.floats(0.0, 1.0)


@given(probability, probability)
def test_a_larger_probability_is_never_in_a_lower_bucket(one: float, other: float) -> None:
    low, high = sorted((one, other))
    buckets = fine_bucket(np.array([low, high]))
    assert buckets[0] <= buckets[1]
    assert buckets.min() >= 0
    assert buckets.max() < FINE_BUCKETS
    coarse = coarse_bucket(buckets)
    assert coarse[0] <= coarse[1] < COARSE_BUCKETS


def test_the_ends_and_the_middle_are_where_they_belong() -> None:
    assert fine_bucket(np.array([0.0, 0.5, 1.0])).tolist() == [0, FINE_BUCKETS // 2, FINE_BUCKETS - 1]


def test_rare_probabilities_and_those_near_one_are_resolved_within_half_a_percent() -> None:
    for p in (1e-5, 3e-3, 0.2, 0.49):
        apart = np.array([p, p * 1.005])
        assert np.diff(fine_bucket(apart))[0] > 0
        assert np.diff(fine_bucket(1.0 - apart))[0] < 0


def test_edges_bound_their_buckets() -> None:
    edges = lower_edges()
    assert edges.shape == (FINE_BUCKETS,)
    # The bucket of one half contains only this value, so it has the same lower edge as the next.
    assert np.flatnonzero(np.diff(edges) <= 0).tolist() == [FINE_BUCKETS // 2]
    sample = np.random.default_rng(0).random(10_000) ** 3
    bucket = fine_bucket(sample)
    assert np.all(edges[bucket] <= sample)
    inside = bucket < FINE_BUCKETS - 1
    assert np.all(sample[inside] <= edges[bucket[inside] + 1])


def test_score_buckets_hold_the_impressions_between_their_edges() -> None:
    edges = score_edges()
    assert edges.shape == (SCORE_BUCKETS + 1,)
    assert np.all(np.diff(edges) > 0)
    sample = np.random.default_rng(0).random(10_000) ** 3
    counts = np.bincount(fine_bucket(sample), minlength=FINE_BUCKETS).astype(np.float64)
    expected, _ = np.histogram(sample, edges)
    assert score_counts(counts).tolist() == expected.tolist()


def test_a_viewers_group_does_not_depend_on_the_batch() -> None:
    viewers = np.array([b"a", b"b", b"a", b"\xff"], dtype=object)
    groups = viewer_groups(viewers)
    assert groups[0] == groups[2]
    assert viewer_groups(viewers[1:2])[0] == groups[1]
    assert viewer_groups(viewers[:0]).shape == (0,)


def test_viewers_are_spread_evenly_over_the_groups() -> None:
    many = np.array([str(i).encode() for i in range(32_000)], dtype=object)
    sizes = np.bincount(viewer_groups(many), minlength=VIEWER_GROUPS)
    assert len(sizes) == VIEWER_GROUPS
    assert sizes.min() > 850
    assert sizes.max() < 1150
