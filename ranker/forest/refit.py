"""Refits the leaf values of a forest on all rows once its tree structure is fixed.

While a forest grows, a leaf gets its value from a subsample of the rows, without the held-out viewers of early
stopping. The value also depends on earlier trees, some of which early stopping removes afterwards. With the structure
fixed, every row can count, as in XGBoost's updater `refresh`. Tree by tree in boosting order, a leaf's value is one
Newton step over all its rows (Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD 2016, eq. 5).
"""

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


def refitted(forest: Forest, batches: Iterable[Batch], learning_rate: float, scratch: Path) -> Forest:
    """The forest with leaf values and covers from all rows; structure, leaf ids and fingerprint stay the same.

    In distributed training all processes call this at the same time, each with its share of the rows, and get the same
    values.

    Args:
        forest: a forest trained with logistic loss.
        batches: (features float32 [rows, features], labels float32 [rows, outputs] of 0 and 1); read once.
        learning_rate: the shrinkage that the forest was grown with.
        scratch: folder for a temporary file of one byte per row and tree, two where a tree has more than 256 leaves.
    """
    find_leaves = Traversal(forest)
    parts = []
    with tempfile.TemporaryFile(dir=scratch) as file:
        columns = _LeafColumns(file, forest)
        for features, labels in batches:
            columns.append(find_leaves(features))
            parts.append(labels.astype(np.int8))
        return _refitted(forest, columns, np.ascontiguousarray(np.concatenate(parts).T), learning_rate)


def _refitted(forest: Forest, columns: "_LeafColumns", labels: NDArray[np.int8], learning_rate: float) -> Forest:
    value, cover = np.empty(forest.leaves), np.empty(forest.leaves)
    margins = np.repeat(forest.base_margin.astype(np.float64)[:, None], labels.shape[1], axis=1)
    for tree, output in enumerate(forest.tree_output):
        begin, end = forest.first_leaf[tree], forest.first_leaf[tree + 1]
        leaf = columns.of_tree(tree)
        sums = np.zeros((2, end - begin))
        _add_up(leaf, margins[output], labels[output], sums)
        sums = total(sums.reshape(-1)).reshape(sums.shape)
        value[begin:end] = -learning_rate * sums[0] / (sums[1] + LAMBDA)
        cover[begin:end] = sums[1]
        _move(leaf, value[begin:end], margins[output])
    return replace(forest, leaf_value=frozen(value), leaf_cover=frozen(cover))


class _LeafColumns:
    """Every row's leaf in each tree, in a file that is read one tree at a time.

    Args:
        file: an empty file, open for reading and writing.
        forest: the forest of the leaves. They are stored as leaf numbers within their tree.
    """

    def __init__(self, file: IO[bytes], forest: Forest) -> None:
        self._file = file
        self._first = forest.first_leaf[:-1]
        self._dtype = np.dtype(np.min_scalar_type(int(np.diff(forest.first_leaf).max()) - 1))
        self._blocks: list[tuple[int, int]] = []  # (offset in the file, rows) of each block

    def append(self, leaves: Leaves) -> None:
        """Adds rows: leaf ids [rows, trees], unique within the forest."""
        self._blocks.append((self._file.tell(), len(leaves)))
        within = (leaves - self._first.astype(leaves.dtype)).astype(self._dtype)
        self._file.write(np.ascontiguousarray(within.T).tobytes())

    def of_tree(self, tree: int) -> NDArray[Any]:
        """Leaf numbers within the tree, [rows], in the order in which the rows were added."""
        self._file.flush()
        size = self._dtype.itemsize
        parts = []
        for begin, rows in self._blocks:
            self._file.seek(begin + tree * rows * size)
            parts.append(np.frombuffer(self._file.read(rows * size), self._dtype))
        return np.concatenate(parts)


@compiled
def _add_up(leaf, margin, label, sums):  # type: ignore[no-untyped-def]
    """Adds each row's gradient and hessian to those of its leaf; sums [2, leaves]."""
    for row in range(len(leaf)):
        probability = 1.0 / (1.0 + np.exp(-margin[row]))
        sums[0, leaf[row]] += probability - label[row]
        sums[1, leaf[row]] += probability * (1.0 - probability)


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
