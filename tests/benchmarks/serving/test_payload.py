"""Payloads are the sizes of the requests that they describe."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.serving.payload import Payload, figures, payload

TREES = 300


def _payload(candidates: int) -> Payload:
    leaves = np.random.default_rng(0).integers(0, 16, (500, TREES)).astype(np.int32) + 16 * np.arange(
        TREES, dtype=np.int32
    )
    first_leaf = np.arange(0, 16 * TREES + 1, 16, dtype=np.int32)
    examples = [b"x" * 1000] * 500
    return payload(examples, {"votes": np.zeros(500, np.float32)}, leaves, first_leaf, tf.uint8, candidates)


def test_a_dense_tensor_is_a_third_of_the_sparse_one_and_bytes_a_24th() -> None:
    large = _payload(500)

    values = 500 * TREES
    assert large.int64 == pytest.approx(8 * values, abs=100)
    assert large.sparse == pytest.approx(24 * values, abs=250)
    assert large.int32 == pytest.approx(4 * values, abs=100)
    assert large.smallest == pytest.approx(values, abs=100)
    assert large.examples == pytest.approx(500 * 1003, abs=100)
    assert large.features == pytest.approx(4 * 500, abs=100)


def test_the_figures_are_of_the_largest_session() -> None:
    dense, smallest = figures([_payload(1), _payload(500)])

    assert dense.name == "payload_dense_over_sparse"
    assert dense.ratio == pytest.approx(1 / 3, abs=1e-3)
    assert smallest.ratio == pytest.approx(1 / 24, abs=1e-3)
    assert dense.reached
    assert smallest.reached


def test_lists_of_integers_are_as_long_as_their_numbers_need() -> None:
    one = _payload(1)

    # A row of one byte, a tree of one below 128 and of two from there on, and so a leaf below 128 and from there on.
    values = 128 // 16 + 2 * (TREES - 128 // 16)
    assert one.sparse_listed == pytest.approx(TREES + 128 + 2 * (TREES - 128) + values, abs=150)
