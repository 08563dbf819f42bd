"""Updates the leaf values of a forest with new rows; the tree structure stays the same.

Splits stay useful for weeks, while outcome rates change from one day to the next. A leaf's value is one Newton step. It
is computed from two sums over the leaf's rows, of gradients and of hessians (Chen and Guestrin, "XGBoost: a scalable
tree boosting system", KDD 2016, eq. 5). XGBoost stores the sum of hessians as the leaf's cover, and the sum of
gradients follows from value and cover. So the sums of new rows can be added to those of the old rows.

The old rows' gradients are not recomputed when earlier trees change. Each tree therefore corrects the error that
remains on the new rows, and the forest adapts to them by more than their share of the rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ranker.forest.model import Forest, Leaves
from ranker.forest.refit import LAMBDA, any_engagement, frozen

Batch = tuple[Leaves, NDArray[np.float32]]
WeightedBatch = tuple[Leaves, NDArray[np.float32], NDArray[np.float32]]

_CHUNK_ROWS = 1 << 16  # 130 MB of leaves for 1000 trees


def refreshed(
    forest: Forest,
    batches: Iterable[Batch | WeightedBatch],
    learning_rate: float,
    chunk_rows: int = _CHUNK_ROWS,
) -> Forest:
    """The forest with leaf values and covers that include new rows; structure, leaf ids and fingerprint stay the same.

    Tree by tree in boosting order, with the log-odds from the already updated trees before it:

        value = -learning_rate (G_old + G_new) / (H_old + H_new + lambda)

    The learning rate is that of the tree, as a warm start may grow trees with another one (`ranker.forest.added`).

    Each chunk of rows is a separate update, so memory does not grow with the number of rows. Nothing is random.

    Args:
        forest: a forest as `train_forest` returns it.
        batches: (leaf ids [rows, trees], labels float32 [rows, objectives] of 0 and 1 with NaN where not observed, and
            optionally weights float32 [rows]); read once. With one output and several objectives, the forest predicts
            their union (any engagement).
        learning_rate: that of the trees whose own is not known.
        chunk_rows: batches are joined until they have this many rows. One chunk per day predicts the next day slightly
            better than many chunks.

    Raises:
        ValueError: leaves or labels do not match the forest, or differ in length.
    """
    value, cover = forest.leaf_value.astype(np.float64), forest.leaf_cover.astype(np.float64)
    rates = np.where(np.isnan(forest.tree_rate), learning_rate, forest.tree_rate)
    checked = (
        (batch[0], _targets(forest, batch[0], batch[1]), batch[2] if len(batch) == 3 else _ones(len(batch[0])))
        for batch in batches
    )
    for leaves, targets, weights in _chunks(checked, chunk_rows):
        _count_in(forest, value, cover, leaves, targets, weights, rates)
    return replace(forest, leaf_value=frozen(value), leaf_cover=frozen(cover))


def _ones(rows: int) -> NDArray[np.float32]:
    return np.ones(rows, np.float32)


def _chunks(batches: Iterable[WeightedBatch], rows: int) -> Iterator[WeightedBatch]:
    """The batches joined into chunks of at least `rows` rows; the last chunk may have fewer."""
    waiting: list[WeightedBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(labels) for _, labels, _ in waiting) >= rows:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[WeightedBatch]) -> WeightedBatch:
    leaves, labels, weights = (np.concatenate(column) for column in zip(*batches, strict=True))
    return leaves, labels, weights


def _count_in(
    forest: Forest,
    value: NDArray[np.float64],
    cover: NDArray[np.float64],
    leaves: Leaves,
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    rates: NDArray[np.float64],
) -> None:
    """Updates values and covers in place, given the learning rate of each tree."""
    margins = np.repeat(forest.base_margin.astype(np.float64)[:, None], len(leaves), axis=1)
    by_tree = np.ascontiguousarray(leaves.T)
    observed = ~np.isnan(targets)
    # As in a new forest, the mean weight is 1.
    counted = observed * (weights / max(float(weights.mean(dtype=np.float64)), 1e-30))[:, None].astype(np.float64)
    targets = np.where(observed, targets, 0)
    for tree, output in enumerate(forest.tree_output):
        begin, end = forest.first_leaf[tree], forest.first_leaf[tree + 1]
        leaf = by_tree[tree].astype(np.int64) - begin
        probability = 1.0 / (1.0 + np.exp(-margins[output]))
        weight = counted[:, output]
        gradient = np.bincount(leaf, weight * (probability - targets[:, output]), end - begin)
        hessian = np.bincount(leaf, weight * (probability * (1.0 - probability)), end - begin)
        of_tree = value[begin:end]
        # The formula above with G_old = -value (H_old + lambda) / learning_rate inserted: a leaf without new rows keeps
        # its value bit for bit.
        of_tree -= (of_tree * hessian + rates[tree] * gradient) / (cover[begin:end] + hessian + LAMBDA)
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
        return any_engagement(labels)
    if labels.shape[1] != outputs:
        raise ValueError(f"forest: it predicts {outputs} objectives, but there are labels for {labels.shape[1]}")
    return labels
