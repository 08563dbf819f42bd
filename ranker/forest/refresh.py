"""New values for the leaves of a forest that keeps its trees.

Splits stay good for weeks while outcome rates move from one day to the next. A leaf's value is one Newton step from two
sums over its rows, of gradients and of hessians (Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD
2016, eq. 5). XGBoost keeps the hessians' as the leaf's cover, and value and cover tell the gradients'. So the sums of
new rows can be added to those of the old ones as if all of them had met in the same leaf. The old rows' gradients stay
what they were while the trees before move, so tree after tree makes up for what the new rows still miss: the forest
follows them by more than their share.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ranker.forest.model import Forest, Leaves
from ranker.forest.refit import LAMBDA, frozen

Batch = tuple[Leaves, NDArray[np.float32]]

_CHUNK_ROWS = 1 << 16  # 130 MB of leaves for 1000 trees


def refreshed(forest: Forest, batches: Iterable[Batch], learning_rate: float, chunk_rows: int = _CHUNK_ROWS) -> Forest:
    """The forest with values and covers that count new rows in; structure, leaf ids and fingerprint are the same.

    Tree by tree in boosting order, with the log-odds that the trees before it now give:

        value = -learning_rate (G_old + G_new) / (H_old + H_new + lambda)

    Each chunk of rows is an update by itself, so memory does not grow with the rows. Nothing is drawn at random.

    Args:
        forest: a forest of probabilities, as `train_forest` gives it.
        batches: (leaf ids [rows, trees], labels float32 [rows, objectives] of 0 and 1); read once. A forest with one
            output for several objectives is that of their union.
        learning_rate: the shrinkage that the forest was grown with.
        chunk_rows: batches are joined until they have so many rows. A day in one chunk predicts the next a little
            better than a day in many.

    Raises:
        ValueError: leaves or labels that do not fit the forest, or of different lengths.
    """
    value, cover = forest.leaf_value.astype(np.float64), forest.leaf_cover.astype(np.float64)
    checked = ((leaves, _targets(forest, leaves, labels)) for leaves, labels in batches)
    for leaves, targets in _chunks(checked, chunk_rows):
        _count_in(forest, value, cover, leaves, targets, learning_rate)
    return replace(forest, leaf_value=frozen(value), leaf_cover=frozen(cover))


def _chunks(batches: Iterable[Batch], rows: int) -> Iterator[Batch]:
    """The batches joined to chunks of at least `rows` rows; the last one may have fewer."""
    waiting: list[Batch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(labels) for _, labels in waiting) >= rows:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[Batch]) -> Batch:
    return np.concatenate([leaves for leaves, _ in batches]), np.concatenate([labels for _, labels in batches])


def _count_in(
    forest: Forest,
    value: NDArray[np.float64],
    cover: NDArray[np.float64],
    leaves: Leaves,
    targets: NDArray[np.float32],
    learning_rate: float,
) -> None:
    """Updates values and covers in place."""
    margins = np.repeat(forest.base_margin.astype(np.float64)[:, None], len(leaves), axis=1)
    by_tree = np.ascontiguousarray(leaves.T)
    for tree, output in enumerate(forest.tree_output):
        begin, end = forest.first_leaf[tree], forest.first_leaf[tree + 1]
        leaf = by_tree[tree].astype(np.int64) - begin
        probability = 1.0 / (1.0 + np.exp(-margins[output]))
        gradient = np.bincount(leaf, probability - targets[:, output], end - begin)
        hessian = np.bincount(leaf, probability * (1.0 - probability), end - begin)
        of_tree = value[begin:end]
        # The formula above with G_old = -value (H_old + lambda) / learning_rate filled in: without new rows in a leaf,
        # its value stays what it is to the last bit.
        of_tree -= (of_tree * hessian + learning_rate * gradient) / (cover[begin:end] + hessian + LAMBDA)
        cover[begin:end] += hessian
        margins[output] += of_tree[leaf]


def _targets(forest: Forest, leaves: Leaves, labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Labels [rows, outputs]."""
    if leaves.shape != (len(labels), forest.trees):
        raise ValueError(
            f"forest: a refresh with {len(labels)} rows of labels needs leaves [{len(labels)}, {forest.trees}], "
            f"got {list(leaves.shape)}"
        )
    outputs = len(forest.base_margin)
    if outputs == 1:
        return labels.max(axis=1, keepdims=True)
    if labels.shape[1] != outputs:
        raise ValueError(f"forest: it predicts {outputs} objectives, but there are labels for {labels.shape[1]}")
    return labels
