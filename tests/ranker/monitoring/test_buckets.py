"""Buckets of numbers keep their order and need no range; buckets of categories are the same in every process."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranker.monitoring.buckets import (
    CATEGORY_BUCKETS,
    NUMBER_BUCKETS,
    category_bucket,
    number_bucket,
    number_edges,
)

number = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(number, number)
def test_a_larger_number_is_never_in_a_lower_bucket(one: float, other: float) -> None:
    low, high = sorted((one, other))
    buckets = number_bucket(np.array([low, high], np.float32))
    assert 0 <= buckets[0] <= buckets[1] < NUMBER_BUCKETS


@given(number)
def test_a_number_lies_between_its_bucket_s_edges(value: float) -> None:
    edges = number_edges()
    bucket = number_bucket(np.array([value], np.float32))[0]
    assert edges[bucket] <= value
    assert not edges[bucket + 1] <= value


@pytest.mark.parametrize("value", [1e-6, 0.3, 17.0, 4e5])
def test_numbers_seven_percent_apart_are_in_different_buckets(value: float) -> None:
    apart = number_bucket(np.array([value, value * 1.07, -value, -value * 1.07], np.float32))
    assert len(set(apart.tolist())) == 4


def test_both_zeros_are_one() -> None:
    assert len(set(number_bucket(np.array([0.0, -0.0], np.float32)).tolist())) == 1


def test_a_categorys_bucket_does_not_depend_on_the_batch() -> None:
    values = np.array([b"ios", b"web", b"ios", b"\xff"], dtype=object)
    buckets, names = category_bucket(values)
    assert buckets[0] == buckets[2] != buckets[1]
    assert buckets.max() < CATEGORY_BUCKETS
    assert names[int(buckets[1])] == "web"
    assert category_bucket(values[1:2])[0][0] == buckets[1]
    nothing, no_names = category_bucket(values[:0])
    assert (nothing.shape, no_names) == ((0,), {})


def test_the_name_of_a_shared_bucket_does_not_depend_on_the_order() -> None:
    many = np.array([f"value-{i}".encode() for i in range(5000)], dtype=object)
    assert category_bucket(many)[1] == category_bucket(many[::-1])[1]
