"""A profile counts every value once, for any division of the day into batches."""

import numpy as np
import pytest

from ranker.monitoring.buckets import category_bucket, infinite_buckets, number_bucket
from tests.ranker.monitoring.days import batch, day, profile


def test_every_kind_is_counted_correctly() -> None:
    found = profile(
        batch(
            {
                "age": [[1.0], [2.5], None],
                "device": [[b"ios"], None, [b"ios"]],
                "topics": [[b"a", b"b"], [b"a"], None],
                "content": [[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 2.0]],
            }
        )
    )
    assert found.rows == 3
    age, device, topics, content = (found.features[name] for name in ("age", "device", "topics", "content"))
    assert (age.missing, age.total, age.counts.sum()) == (1, 3.5, 2)
    assert np.flatnonzero(age.counts).tolist() == number_bucket(np.array([1.0, 2.5], np.float32)).tolist()
    ios = int(category_bucket(np.array([b"ios"], dtype=object))[0][0])
    assert (device.missing, device.counts[ios], device.names) == (1, 2, {ios: "ios"})
    assert (topics.missing, sorted(topics.counts[topics.counts > 0].tolist())) == (1, [1, 2])
    assert content.total == pytest.approx(5.0 + 0.0 + 2.0)
    assert content.counts[number_bucket(np.array([5.0], np.float32))[0]] == 1


def test_infinite_numbers_have_buckets_and_no_part_in_the_mean() -> None:
    infinite = {"device": [None] * 3, "topics": [None] * 3, "content": [[1.0, 0.0, 0.0]] * 3}
    age = profile(batch({"age": [[np.inf], [2.0], [-np.inf]], **infinite})).features["age"]
    assert (age.total, age.mean, age.counts.sum()) == (2.0, 2.0, 3)
    assert age.counts[infinite_buckets()].tolist() == [1, 1]
    assert profile(batch({"age": [[np.inf]] * 3, **infinite})).features["age"].mean is None


def test_batches_do_not_change_it() -> None:
    whole = day(rows=500, seed=1)
    one, pieces = profile(whole), profile(whole.slice(0, 123), whole.slice(123, 0), whole.slice(123))
    assert pieces.rows == one.rows
    for name, feature in one.features.items():
        assert pieces.features[name].counts.tolist() == feature.counts.tolist()
        assert pieces.features[name].missing == feature.missing
        assert pieces.features[name].total == pytest.approx(feature.total)
        assert pieces.features[name].names == feature.names


def test_days_add_up() -> None:
    first, second = day(rows=300, seed=1), day(rows=200, seed=2)
    total = profile(first)
    total.merge(profile(second))
    both = profile(first, second)
    assert total.rows == 500
    for name, feature in both.features.items():
        assert total.features[name].counts.tolist() == feature.counts.tolist()
        assert total.features[name].missing == feature.missing


def test_a_column_that_is_all_missing_is_counted() -> None:
    found = profile(day(rows=40, age=[None] * 40))
    assert found.features["age"].missing == 40
    assert found.features["age"].counts.sum() == 0
