"""Record batches of transformed examples with their forest features replaced by leaves, without copying either."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ranker import keys
from ranker.forest.model import Leaves
from ranker.forest.traverse import Traversal


def encode_leaves(batch: pa.RecordBatch, traversal: Traversal) -> pa.RecordBatch:
    """Replaces the column `forest_features` by `leaves`; all other columns stay as they are.

    Args:
        batch: rows with a column `forest_features` of float32 lists, one value per feature and NaN where missing.
        traversal: of the forest to encode with.

    Returns:
        The rows with `leaves` first: a list of one bytes value, the row's leaf numbers as little-endian uint16, or
        uint32 where the forest has more than 65,536 leaves.

    Raises:
        ValueError: no such column, or a row with another number of features.
    """
    leaves = traversal(feature_matrix(batch, traversal.features))
    others = [name for name in batch.schema.names if name != keys.FOREST_FEATURES]
    return pa.RecordBatch.from_arrays(
        [_bytes_column(leaves), *(batch.column(name) for name in others)], [keys.LEAVES, *others]
    )


def feature_matrix(batch: pa.RecordBatch, features: int) -> NDArray[np.float32]:
    """The column `forest_features` as a float32 matrix [rows, features] over Arrow's memory.

    Raises:
        ValueError: no such column, or a row with another number of features.
    """
    if keys.FOREST_FEATURES not in batch.schema.names:
        raise ValueError(f"the tensor {keys.FOREST_FEATURES!r} is missing; there are {sorted(batch.schema.names)}")
    lists = batch.column(keys.FOREST_FEATURES)
    found = f"{lists.type}"
    if pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type):
        values = lists.flatten()
        sizes = np.unique(lists.value_lengths().fill_null(0).to_numpy())
        if pa.types.is_float32(values.type) and set(sizes) <= {features}:
            return values.to_numpy().reshape(-1, features)
        found = f"{values.type} values, {' or '.join(map(str, sizes))} a row"
    raise ValueError(
        f"{keys.FOREST_FEATURES!r} should hold {features} float32 values a row, as the forest reads; got {found}"
    )


def _bytes_column(matrix: Leaves) -> pa.Array:
    """A list column with one bytes value per row of the matrix, over the matrix's own memory."""
    matrix = matrix.astype(matrix.dtype.newbyteorder("<"), order="C", copy=False)
    rows = len(matrix)
    ends = np.arange(rows + 1) * matrix.shape[1] * matrix.itemsize
    values = pa.Array.from_buffers(
        pa.large_binary(), rows, [None, pa.py_buffer(ends.astype(np.int64)), pa.py_buffer(matrix)]
    )
    return pa.LargeListArray.from_arrays(pa.array(np.arange(rows + 1), pa.int64()), values)
