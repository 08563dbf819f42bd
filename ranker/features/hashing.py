"""Ids of the feed log as the hashes of `ranker.features.history_items`."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from ranker.features.history_items import value_hashes

Ints = npt.NDArray[np.int64]


def hashes_of(column: pa.ListArray) -> Ints:
    """int64 [rows] from lists with at most one string each; 0 for a row without one.

    Example:
        >>> hashes_of(pa.array([[b"a1"], None])).tolist()
        [37536296786762031, 0]
    """
    hashes = np.zeros(len(column), np.int64)
    there = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False) > 0
    encoded = column.flatten().dictionary_encode()
    if len(encoded):
        # TensorFlow takes objects of Python, so each id is made one only once.
        distinct = value_hashes(tf.constant(encoded.dictionary.to_pylist(), tf.string)).numpy()
        hashes[there] = distinct[encoded.indices.to_numpy(zero_copy_only=False)]
    return hashes
