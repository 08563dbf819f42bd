"""Rows of a feed log as the tensors of a signature that takes an input per column.

Writing tf.Examples costs a batch scorer a third of a model call, and reading them in the graph a fifth. The signature
`score_features` computes the same function of the columns themselves.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from numpy.typing import NDArray

from ranker.export.names import input_name


def request_tensors(lists: pa.RecordBatch, specs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
    """The columns of some rows as inputs of a signature.

    Args:
        lists: columns of lists of float32, int64 or binary, as `feed_log.conversion.to_lists` makes them. Columns that
            the signature does not take are ignored.
        specs: input name → its spec: [batch] for one value per row, [batch, size] for a vector, [batch, None] for
            lists.

    Returns:
        Input name → tensor. A missing number is NaN, a missing text ""; a missing vector is 0; lists are padded with ""
        or 0.

    Raises:
        ValueError: a row has more values than its input takes.
    """
    names = {column: input_name(column) for column in lists.schema.names}
    return {name: _tensor(column, lists.column(column), specs[name]) for column, name in names.items() if name in specs}


def most_cells(lists: pa.RecordBatch, specs: Mapping[str, tf.TensorSpec]) -> int:
    """Rows times the longest list, of the column of lists that pads to the largest tensor; 0 without such a column."""
    longest = 0
    for column in lists.schema.names:
        spec = specs.get(input_name(column))
        if spec is not None and spec.shape.rank == 2 and spec.shape[1] is None:
            longest = max(longest, pc.max(pc.list_value_length(lists.column(column))).as_py() or 0)
    return longest * lists.num_rows


def _tensor(column: str, lists: pa.ListArray, spec: tf.TensorSpec) -> tf.Tensor:
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    width = 1 if spec.shape.rank == 1 else spec.shape[1]
    if width is None:
        width = max(1, int(sizes.max(initial=0)))
    elif (too_many := sizes > width).any():
        raise ValueError(f"column {column!r}: a row has {sizes[too_many][0]} values, and its input takes {width}")
    there = np.arange(width) < sizes[:, np.newaxis]
    values = lists.flatten()
    if spec.dtype == tf.string:
        tensor = _texts(values, there)
    else:
        missing = np.nan if spec.dtype == tf.float32 and spec.shape.rank == 1 else 0
        filled = np.full(there.shape, missing, spec.dtype.as_numpy_dtype)
        filled[there] = values.to_numpy()
        tensor = tf.constant(filled)
    return tensor[:, 0] if spec.shape.rank == 1 else tensor


def _texts(values: pa.Array, there: NDArray[np.bool_]) -> tf.Tensor:
    """The values where they are there, row by row, else ""; each distinct value passes through Python once only."""
    encoded = values.dictionary_encode()
    codes = np.zeros(there.shape, np.int32)
    codes[there] = encoded.indices.to_numpy() + 1
    return tf.gather(tf.constant([b"", *encoded.dictionary.to_pylist()], tf.string), codes)
