"""Refits the leaf values of a forest on all rows once its tree structure is fixed.

While a forest grows, a leaf gets its value from a subsample of the rows, without the held-out viewers of early
stopping. The value also depends on earlier trees, some of which early stopping removes afterwards. With the structure
fixed, every row can count, as in XGBoost's updater `refresh`. Tree by tree in boosting order, a leaf's value is one
Newton step over all its rows (Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016, eq. 5).
"""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ranker.compiled import compiled
from ranker.forest.model import Forest, Leaves
from ranker.forest.together import total
from ranker.forest.traverse import Traversal

LAMBDA = 1.0  # XGBoost's default L2 penalty, which `train` leaves as it is

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
WeightedBatch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
ContinuedBatch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def any_engagement(labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whether a row has any positive, [rows, 1]; NaN where no label is observed.

    Args:
        labels: 0 or 1, NaN where not observed, [rows, objectives].
    """
    most = np.where(np.isnan(labels), np.float32(-1.0), labels).max(axis=1, keepdims=True)
    return np.where(most < 0, np.float32(np.nan), most)


def refitted(
    forest: Forest, batches: Iterable[Batch | WeightedBatch | ContinuedBatch], learning_rate: float, scratch: Path
) -> Forest:
    """The forest with leaf values and covers from all rows; structure, leaf ids and fingerprint stay the same.

    The trees get the learning rate that a refresh (`ranker.forest.refresh`) needs.

    In distributed training all processes call this at the same time, each with its share of the rows, and get the same
    values.

    Args:
        forest: a forest trained with logistic loss.
        batches: (features float32 [rows, features], labels float32 [rows, outputs] of 0 and 1 with NaN where not
            observed, optionally weights float32 [rows], and optionally log-odds float32 [rows, outputs] of trees before
            this forest's, which are added to its own); read once.
        learning_rate: the shrinkage that the forest was grown with.
        scratch: folder for temporary files of one byte per row and tree, two where a tree has more than 256 leaves, and
            twelve bytes per row and output. The rows are read from there, one batch at a time, so memory does not grow
            with their number.

    Raises:
        ValueError: there are no rows.
    """
    find_leaves = Traversal(forest)
    with tempfile.TemporaryFile(dir=scratch) as leaves, tempfile.TemporaryFile(dir=scratch) as margins:
        rows = _Rows(forest, leaves, margins)
        for batch in batches:
            weights = batch[2] if len(batch) > 2 else np.ones(len(batch[1]), np.float32)
            before = batch[3] if len(batch) > 3 and batch[3].size else None
            rows.append(find_leaves(batch[0]), batch[1], weights, before)
        if not rows.blocks:
            raise ValueError("forest: there are no rows to refit the leaf values on")
        return _refitted(forest, rows, learning_rate)


def _refitted(forest: Forest, rows: "_Rows", learning_rate: float) -> Forest:
    value, cover = np.empty(forest.leaves), np.empty(forest.leaves)
    last: dict[int, int] = {}  # output → its last tree, whose values the log-odds do not have yet
    for tree, output in enumerate(forest.tree_output.tolist()):
        begin, end = forest.first_leaf[tree], forest.first_leaf[tree + 1]
        sums = np.zeros((2, end - begin))
        for block in range(rows.blocks):
            margin = rows.margin(block, output)
            if output in last:
                before = last[output]
                of_before = value[forest.first_leaf[before] : forest.first_leaf[before + 1]]
                _move(rows.leaf(block, before), of_before, margin)
                rows.put_margin(block, output, margin)
            _add_up(rows.leaf(block, tree), margin, *rows.label(block, output), sums)
        sums = total(sums.reshape(-1)).reshape(sums.shape)
        value[begin:end] = -learning_rate * sums[0] / (sums[1] + LAMBDA)
        cover[begin:end] = sums[1]
        last[output] = tree
    rates = np.full(forest.trees, learning_rate)
    rates.setflags(write=False)
    return replace(forest, leaf_value=frozen(value), leaf_cover=frozen(cover), tree_rate=rates)


class _Rows:
    """Leaves, labels and log-odds of all rows, on disk, in the blocks in which they were added; one block's column is
    in memory at a time.

    Args:
        forest: the forest of the leaves.
        leaves: an empty binary file, open for reading and writing; gets, per block, leaf numbers within their tree
            [trees, rows], labels int8 [outputs, rows], and weights float32 [outputs, rows], 0 where not observed.
        margins: another one; gets float64 [outputs, rows] per block.
    """

    def __init__(self, forest: Forest, leaves: IO[bytes], margins: IO[bytes]) -> None:
        self._forest = forest
        self._leaves = leaves
        self._margins = margins
        self._dtype = np.dtype(np.min_scalar_type(int(np.diff(forest.first_leaf).max()) - 1))
        self._rows: list[int] = []
        self._begins: list[tuple[int, int]] = []  # where each block begins, in either file

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        return len(self._rows)

    def append(
        self,
        leaves: Leaves,
        labels: NDArray[np.float32],
        weights: NDArray[np.float32],
        before: NDArray[np.float32] | None,
    ) -> None:
        """Adds a block.

        Args:
            leaves: ids [rows, trees], unique within the forest.
            labels: [rows, outputs].
            weights: [rows].
            before: log-odds of trees before the forest's, [rows, outputs]; None where there are none.
        """
        self._rows.append(len(leaves))
        self._begins.append((self._leaves.seek(0, os.SEEK_END), self._margins.seek(0, os.SEEK_END)))
        within = (leaves - self._forest.first_leaf[:-1].astype(leaves.dtype)).astype(self._dtype)
        self._leaves.write(np.ascontiguousarray(within.T).tobytes())
        observed = ~np.isnan(labels)
        self._leaves.write(np.ascontiguousarray(np.where(observed, labels, 0).T.astype(np.int8)).tobytes())
        self._leaves.write(np.ascontiguousarray((observed * weights[:, None]).T.astype(np.float32)).tobytes())
        start = np.repeat(self._forest.base_margin.astype(np.float64)[:, None], len(leaves), axis=1)
        self._margins.write((start if before is None else start + before.T).tobytes())

    def leaf(self, block: int, tree: int) -> NDArray[Any]:
        """Leaf numbers within the tree, [rows]."""
        rows, begin = self._rows[block], self._begins[block][0]
        return _column(self._leaves, begin + tree * rows * self._dtype.itemsize, rows, self._dtype)

    def label(self, block: int, output: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """Labels and weights, [rows] each."""
        rows, begin = self._rows[block], self._begins[block][0]
        begin += self._forest.trees * rows * self._dtype.itemsize
        labels = _column(self._leaves, begin + output * rows, rows, np.dtype(np.int8))
        begin += len(self._forest.base_margin) * rows + output * rows * 4
        return labels, _column(self._leaves, begin, rows, np.dtype(np.float32))

    def margin(self, block: int, output: int) -> NDArray[np.float64]:
        """Log-odds [rows]; changes count only once `put_margin` has written them."""
        rows, begin = self._rows[block], self._begins[block][1]
        dtype = np.dtype(np.float64)
        return _column(self._margins, begin + output * rows * dtype.itemsize, rows, dtype)

    def put_margin(self, block: int, output: int, margin: NDArray[np.float64]) -> None:
        """Replaces log-odds."""
        rows, begin = self._rows[block], self._begins[block][1]
        self._margins.seek(begin + output * rows * margin.itemsize)
        self._margins.write(margin.tobytes())


def _column(file: IO[bytes], begin: int, rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    file.seek(begin)
    return np.frombuffer(bytearray(file.read(rows * dtype.itemsize)), dtype)


@compiled
def _add_up(leaf, margin, label, weight, sums):  # type: ignore[no-untyped-def]
    """Adds each row's gradient and hessian to those of its leaf; sums [2, leaves]."""
    for row in range(len(leaf)):
        probability = 1.0 / (1.0 + np.exp(-margin[row]))
        sums[0, leaf[row]] += weight[row] * (probability - label[row])
        sums[1, leaf[row]] += weight[row] * (probability * (1.0 - probability))


@compiled
def _move(leaf, value, margin):  # type: ignore[no-untyped-def]
    """Adds each row's new value to its log-odds."""
    for row in range(len(leaf)):
        margin[row] += value[leaf[row]]


def frozen(array: NDArray[np.float64]) -> NDArray[np.float32]:
    """The numbers as a forest holds them: float32 and read-only."""
    rounded = array.astype(np.float32)
    rounded.setflags(write=False)
    return rounded
