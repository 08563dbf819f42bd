"""A sparse table of sums by integer key, which stores every histogram of this package."""

import numpy as np

from ranker.evaluation.buckets import Floats, Ints

_PENDING_ROWS = 1 << 18


class CellTable:
    """Sums rows of `width` floats by key.

    It stores one row per distinct key. So a slice with a hundred impressions takes a hundred cells, not a complete
    histogram. Adding and merging commute, up to the rounding of float64 sums; counts are exact up to 2**53.

    Args:
        width: floats per key.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._keys: Ints = np.empty(0, np.int64)
        self._sums: Floats = np.empty((0, width))
        self._pending: list[tuple[Ints, Floats]] = []
        self._pending_rows = 0

    def add(self, keys: Ints, values: Floats) -> None:
        """Adds `values` [n, width] to the cells of `keys` [n]; a key may occur several times."""
        self._append(*_sum_by_key(keys, values))

    def merge(self, other: "CellTable") -> None:
        """Adds every cell of `other`."""
        self._append(*other.items())

    def items(self) -> tuple[Ints, Floats]:
        """All keys [k], ascending and distinct, and their sums [k, width]."""
        if self._pending:
            keys = np.concatenate([self._keys, *(keys for keys, _ in self._pending)])
            sums = np.concatenate([self._sums, *(sums for _, sums in self._pending)])
            self._keys, self._sums = _sum_by_key(keys, sums)
            self._pending, self._pending_rows = [], 0
        return self._keys, self._sums

    def rekeyed(self, keys: Ints) -> "CellTable":
        """The same sums under other `keys`, one per row of `items()`; cells with a negative key are dropped."""
        table = CellTable(self._width)
        kept = keys >= 0
        table.add(keys[kept], self.items()[1][kept])
        return table

    def _append(self, keys: Ints, sums: Floats) -> None:
        self._pending.append((keys, sums))
        self._pending_rows += len(keys)
        # Compacting only when the table may have doubled keeps the amortised cost per added row constant.
        if self._pending_rows > max(_PENDING_ROWS, len(self._keys)):
            self.items()


def _sum_by_key(keys: Ints, values: Floats) -> tuple[Ints, Floats]:
    if len(keys) == 0:
        return keys, values
    order = np.argsort(keys)
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.add.reduceat(values[order], starts, axis=0)
