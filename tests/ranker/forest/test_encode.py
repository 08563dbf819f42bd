"""Leaves in place of features, in Arrow."""

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from ranker import keys
from ranker.forest.encode import encode_leaves, feature_matrix
from ranker.forest.model import Forest
from ranker.forest.traverse import Traversal
from tests.ranker.forest.boosters import grow, leaves_by_xgboost, random_features


@pytest.fixture(scope="module")
def forest() -> Forest:
    rng = np.random.default_rng(0)
    return grow(random_features(rng, 500, 5), 1, 4, rng, max_depth=3)


def lists(matrix: NDArray[np.float32]) -> pa.Array:
    return pa.array(list(matrix), pa.large_list(pa.float32()))


def test_leaves_are_one_little_endian_bytes_value_a_row(forest: Forest) -> None:
    features = random_features(np.random.default_rng(1), 100, 5)
    labels = pa.array([[1.0, 0.0]] * 100, pa.large_list(pa.float32()))
    batch = pa.RecordBatch.from_arrays([labels, lists(features)], [keys.LABELS, keys.FOREST_FEATURES])
    encoded = encode_leaves(batch, Traversal(forest))
    assert encoded.schema.names == [keys.LEAVES, keys.LABELS]
    assert encoded.column(1) is labels or encoded.column(1).equals(labels)
    leaves = [np.frombuffer(value, "<u2").tolist() for [value] in encoded.column(0).to_pylist()]
    assert leaves == leaves_by_xgboost(forest, features).tolist()


def test_a_slice_of_a_batch(forest: Forest) -> None:
    features = random_features(np.random.default_rng(2), 10, 5)
    batch = pa.RecordBatch.from_arrays([lists(features)], [keys.FOREST_FEATURES])
    whole, part = (encode_leaves(rows, Traversal(forest)) for rows in (batch, batch.slice(3, 4)))
    assert part.column(0).to_pylist() == whole.column(0).to_pylist()[3:7]


def test_features_are_not_copied() -> None:
    column = lists(np.arange(6, dtype=np.float32).reshape(3, 2))
    batch = pa.RecordBatch.from_arrays([column], [keys.FOREST_FEATURES])
    matrix = feature_matrix(batch, 2)
    assert matrix.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert matrix.__array_interface__["data"][0] == column.values.buffers()[1].address


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (pa.array([[1.0] * 4] * 2, pa.large_list(pa.float32())), "float values, 4 a row"),
        (pa.array([[1.0] * 5, [1.0]], pa.large_list(pa.float32())), "float values, 1 or 5 a row"),
        (pa.array([[1.0] * 5, None], pa.large_list(pa.float32())), "float values, 0 or 5 a row"),
        (pa.array([[1] * 5] * 2, pa.large_list(pa.int64())), "int64 values, 5 a row"),
        (pa.array([1.0, 2.0]), "got double"),
    ],
)
def test_rows_that_do_not_fit_are_refused(column: pa.Array, found: str) -> None:
    batch = pa.RecordBatch.from_arrays([column], [keys.FOREST_FEATURES])
    with pytest.raises(ValueError, match=f"should hold 5 float32 values a row.*{found}"):
        feature_matrix(batch, 5)


def test_a_missing_tensor_is_named() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([[1.0]])], ["other"])
    with pytest.raises(ValueError, match=r"'forest_features' is missing; there are \['other'\]"):
        feature_matrix(batch, 5)
