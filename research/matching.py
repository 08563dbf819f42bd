"""Finds rows by their features.

Transform keeps no ids. A row of its outputs is found in another table by its numeric features.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def numeric_features(table: pa.Table | pa.RecordBatch, names: Sequence[str]) -> NDArray[np.float32]:
    """Columns of a feed log as float32 [rows, names]; NaN if missing."""
    columns = [table.column(name).to_numpy(zero_copy_only=False) for name in names]
    return np.stack([column.astype(np.float32) for column in columns], axis=1)


class RowIndex:
    """An index of rows by their features.

    Args:
        features: float32 [rows, features], NaN if missing.

    Example:
        >>> index = RowIndex(np.array([[1.0, np.nan], [2.0, 0.0]], np.float32))
        >>> index.find(np.array([[2.0, -0.0], [1.0, np.nan]], np.float32)).tolist()
        [1, 0]
    """

    def __init__(self, features: NDArray[np.float32]) -> None:
        keys = _keys(features)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def find(self, wanted: NDArray[np.float32]) -> NDArray[np.int64]:
        """For each row [wanted] the first indexed row with equal features.

        Raises:
            ValueError: a row is not in the index; the message says how many.
        """
        keys = _keys(wanted)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        if absent := int((self._keys[places] != keys).sum()):
            raise ValueError(f"{absent} of {len(keys)} rows have features that no indexed row has")
        found: NDArray[np.int64] = self._order[places]
        return found


def _keys(features: NDArray[np.float32]) -> NDArray[np.void]:
    """One comparable value per row; all NaNs are equal, and so are 0 and -0."""
    plain = np.ascontiguousarray(np.where(np.isnan(features), np.float32(np.nan), features) + np.float32(0))
    return plain.view(f"V{plain.dtype.itemsize * plain.shape[1]}").reshape(-1)
