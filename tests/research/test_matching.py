"""Rows are found by their features, missing values included."""

import numpy as np
import pyarrow as pa
import pytest

from research.matching import RowIndex, numeric_features


def test_every_row_is_found_in_any_order() -> None:
    generator = np.random.default_rng(1)
    features = generator.standard_normal((500, 3)).astype(np.float32)
    features[generator.random(features.shape) < 0.2] = np.nan
    order = generator.permutation(500)
    found = RowIndex(features).find(features[order])
    np.testing.assert_array_equal(features[found], features[order])


def test_equal_rows_have_the_first_one_and_the_sign_of_zero_and_nan_does_not_count() -> None:
    features = np.array([[0.0, np.nan], [1.0, 2.0], [1.0, 2.0]], np.float32)
    wanted = np.array([[1.0, 2.0], [-0.0, -np.nan]], np.float32)
    assert RowIndex(features).find(wanted).tolist() == [1, 0]


@pytest.mark.parametrize("value", [-9.0, 0.5, 9.0])
def test_absent_rows_are_counted(value: float) -> None:
    index = RowIndex(np.array([[0.0], [1.0]], np.float32))
    with pytest.raises(ValueError, match="1 of 2 rows"):
        index.find(np.array([[1.0], [value]], np.float32))


def test_columns_become_float32_with_nan() -> None:
    table = pa.table({"a": pa.array([1, None, 3], pa.int32()), "b": pa.array([0.5, 1.5, None], pa.float32())})
    found = numeric_features(table, ["b", "a"])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array([[0.5, 1], [1.5, np.nan], [np.nan, 3]], np.float32))
