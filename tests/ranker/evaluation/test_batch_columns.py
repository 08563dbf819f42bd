"""Columns are read from Arrow batches, and an invalid column is an error that names it."""

import numpy as np
import pyarrow as pa
import pytest

from ranker.config.exploration import Exploration
from ranker.evaluation.batch_columns import read_exploration, read_labels, read_strings


def _batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def test_missing_values_null_or_empty_are_the_empty_string() -> None:
    batch = _batch(device=pa.array([[b"ios"], None, [], [b"web"]], pa.large_list(pa.large_binary())))
    assert read_strings(batch, "device").tolist() == [b"ios", b"", b"", b"web"]


def test_several_values_in_one_row_are_an_error() -> None:
    batch = _batch(device=pa.array([[b"ios", b"web"]], pa.large_list(pa.large_binary())))
    with pytest.raises(ValueError, match=r"'device'.*one value per impression"):
        read_strings(batch, "device")


def test_labels_are_read_as_they_are() -> None:
    batch = _batch(click=pa.array([[1], [0], [1]], pa.large_list(pa.int64())))
    assert read_labels(batch, ["click"]).tolist() == [[1, 0, 1]]
    gaps = _batch(click=pa.array([[1], None, [0], []], pa.large_list(pa.int64())))
    np.testing.assert_array_equal(read_labels(gaps, ["click"]), [[1, np.nan, 0, np.nan]])


@pytest.mark.parametrize("rows", [[[1], [0, 1]], [[1], [2]], [[-1]]])
def test_a_label_that_is_not_0_or_1_is_an_error(rows: list[list[int] | None]) -> None:
    batch = _batch(click=pa.array(rows, pa.large_list(pa.int64())))
    with pytest.raises(ValueError, match="label column 'click'"):
        read_labels(batch, ["click"])


def test_a_missing_column_is_an_error() -> None:
    with pytest.raises(ValueError, match="no column 'share', only \\['click'\\]"):
        read_labels(_batch(click=pa.array([[1]], pa.large_list(pa.int64()))), ["share"])


def test_what_was_shown_at_random_needs_its_position_and_chance() -> None:
    columns = {
        "slot": pa.array([[1.0], [2.0], None]),
        "is_randomised": pa.array([[1], [1], [0]]),
        "propensity": pa.array([[0.5], [0.5], None]),
    }
    found = read_exploration(_batch(**columns), Exploration(), "slot", "day 1")
    assert found["randomised"].tolist() == [True, True, False]
    np.testing.assert_array_equal(found["position"], [1.0, 2.0, np.nan])
    np.testing.assert_array_equal(found["propensity"], [0.5, 0.5, np.nan])
    for name in ("slot", "propensity"):
        gap = _batch(**(columns | {name: pa.array([[0.5], None, None])}))
        with pytest.raises(ValueError, match=f"^day 1: 1 rows with 'is_randomised' 1 lack '{name}'; what was shown at"):
            read_exploration(gap, Exploration(), "slot", "day 1")
