"""Held-out viewers have their share of every objective's positives."""

import numpy as np
import pytest

from ranker.forest.holdout import bucket_counts, held_out_buckets, observed_counts
from ranker.keys import VIEWER_BUCKETS

FIRST = np.arange(VIEWER_BUCKETS) < 100
ROWS = 20_000


def rows(seed: int, *positives: int) -> tuple[np.ndarray, np.ndarray]:
    """Viewer buckets and labels of impressions; each label has exactly so many positives."""
    random = np.random.default_rng(seed)
    labels = np.zeros((ROWS, len(positives)), np.float32)
    for label, number in enumerate(positives):
        labels[random.choice(ROWS, number, replace=False), label] = 1.0
    return random.integers(VIEWER_BUCKETS, size=ROWS), labels


def shares(counts: np.ndarray, held: np.ndarray) -> np.ndarray:
    share: np.ndarray = counts[:, held].sum(axis=1) / counts.sum(axis=1)
    return share


@pytest.mark.parametrize("seed", range(20))
def test_every_objective_has_its_share_of_positives_on_both_sides(seed: int) -> None:
    positives = (10, 20, 57, 300, 4_000)
    counts = bucket_counts(*rows(seed, *positives))
    held = held_out_buckets(counts, 0.1)
    assert held.sum() == 100
    of_rows, *of_positives = shares(counts, held)
    assert of_rows == pytest.approx(0.1, abs=0.02)
    for number, share in zip(positives, of_positives, strict=True):
        assert abs(share - of_rows) * number < max(0.75, 0.2 * of_rows * number)


def test_by_chance_alone_twenty_positives_are_often_out_of_proportion() -> None:
    """What the exchange is for: without it, none of 20 positives is held out in about one of eight draws."""
    by_chance = [bucket_counts(*rows(seed, 20))[1, FIRST].sum() for seed in range(200)]
    assert 10 <= by_chance.count(0) <= 45
    exchanged = [bucket_counts(*rows(seed, 20)) for seed in range(30)]
    assert {int(counts[1, held_out_buckets(counts, 0.1)].sum()) for counts in exchanged} == {2}


def test_the_first_buckets_are_held_out_where_chance_gave_every_objective_its_share() -> None:
    counts = np.ones((3, VIEWER_BUCKETS), np.int64)
    counts[0] = 20
    np.testing.assert_array_equal(held_out_buckets(counts, 0.1), FIRST)


def test_the_order_of_rows_and_how_they_are_split_do_not_matter() -> None:
    buckets, labels = rows(3, 15, 40)
    shuffled = np.random.default_rng(0).permutation(ROWS)
    split = bucket_counts(buckets[:700], labels[:700]) + bucket_counts(buckets[700:], labels[700:])
    expected = held_out_buckets(bucket_counts(buckets, labels), 0.1)
    np.testing.assert_array_equal(held_out_buckets(bucket_counts(buckets[shuffled], labels[shuffled]), 0.1), expected)
    np.testing.assert_array_equal(held_out_buckets(split, 0.1), expected)


def test_positives_that_are_all_held_out_by_chance_come_back_to_training() -> None:
    buckets, labels = rows(4, 0, 500)
    labels[np.flatnonzero(buckets < 100)[:20], 0] = 1.0
    counts = bucket_counts(buckets, labels)
    assert counts[1, ~FIRST].sum() == 0
    held = held_out_buckets(counts, 0.1)
    assert 1 <= counts[1, held].sum() <= 3


@pytest.mark.parametrize("bucket", [5, 500])
def test_a_viewer_with_all_positives_is_trained_on(bucket: int) -> None:
    """A viewer is held out completely or not at all, so there is no share to give."""
    buckets, labels = rows(5, 0)
    labels[np.flatnonzero(buckets == bucket), 0] = 1.0
    assert not held_out_buckets(bucket_counts(buckets, labels), 0.1)[bucket]


def test_scarce_negatives_are_shared_out_as_well() -> None:
    buckets, labels = rows(6, 20)
    held = held_out_buckets(bucket_counts(buckets, np.float32(1.0) - labels), 0.1)
    assert 1 < labels[held[buckets]].sum() < 4


@pytest.mark.parametrize("share", [0.1, 0.8])
def test_a_label_that_was_not_observed_is_no_negative(share: float) -> None:
    """Of a label that is mostly positive, the few negatives are shared out, not the gaps."""
    found = set()
    for seed in range(10):
        buckets, negative = rows(seed, 20)
        gone = (np.random.default_rng(seed).random((ROWS, 1)) > share) & (negative == 0)
        labels = np.where(gone, np.nan, 1.0 - negative).astype(np.float32)
        held = held_out_buckets(bucket_counts(buckets, labels), 0.1, observed_counts(buckets, labels))
        found.add(int(negative[held[buckets]].sum()))
    assert found == {2}


def test_nothing_is_exchanged_without_rows_positives_or_held_out_viewers() -> None:
    np.testing.assert_array_equal(held_out_buckets(np.zeros((3, VIEWER_BUCKETS), np.int64), 0.1), FIRST)
    assert not held_out_buckets(bucket_counts(*rows(1, 20)), 0.0).any()
    np.testing.assert_array_equal(held_out_buckets(bucket_counts(*rows(1, 0)), 0.1), FIRST)


@pytest.mark.parametrize("buckets", [(500, 700), (3, 7), (2, 400, 900), (999, 998, 997, 996)])
def test_from_two_viewers_on_there_is_one_on_each_side(buckets: tuple[int, ...]) -> None:
    """The first hundred buckets have no viewer, or all."""
    viewers = np.repeat(buckets, [100 * (i + 1) for i in range(len(buckets))])
    labels = (np.arange(len(viewers)) % 3 == 0).astype(np.float32)[:, None]
    counts = bucket_counts(viewers, labels)
    held = held_out_buckets(counts, 0.1)
    assert 0 < counts[0, held].sum() < len(viewers)
    assert counts[0, held].sum() == 100  # the smallest viewer is nearest to a tenth of the rows


def test_a_single_viewer_cannot_be_on_both_sides() -> None:
    counts = bucket_counts(np.full(50, 500), np.ones((50, 1), np.float32))
    np.testing.assert_array_equal(held_out_buckets(counts, 0.1), FIRST)
