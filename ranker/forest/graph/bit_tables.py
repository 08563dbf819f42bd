"""A forest as tables for the bit-sliced traversal in `ranker.forest.graph.leaves`, which explains them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.forest.model import Forest

MAGNITUDE = 0x7FFFFFFF  # all bits of a float32 except the sign
MISSING = np.iinfo(np.int32).min
_HIGHEST = np.iinfo(np.int32).max
# A search costs as much as comparing with this many single thresholds.
_FEW = 16
# Thresholds per column, so that a row's position among them fits into a byte.
_COLUMN = 255

Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class BitTables:
    """The tables that determine a row's path through the forest.

    A condition is a feature, a threshold, and whether a missing value satisfies it. A row goes right at a node if it
    satisfies the node's condition. Features with few thresholds are compared with each of them. Any other feature
    becomes a column, or several columns if it has more than 255 thresholds; a search finds the position of a row's
    value in a column. Outcomes are listed in this order: the compared thresholds; the features of `present`; then, for
    each number from 0 and each column, whether a row's position in the column is at least that number.

    Attributes:
        compared_feature: int32 [compared].
        compared_rank: int32 [compared], the threshold's rank (see `ranks`).
        present_feature: int32 [present], the features whose missing values satisfy a condition.
        column_feature: int32 [columns].
        column_ranks: int32 [columns, 2^bits], thresholds in ascending order, padded with the largest int32.
        outcome: int32 [conditions], the outcome that determines each condition.
        present: int32 [conditions from `missing_fails` on], which of `present_feature` is the condition's.
        missing_fails: missing values fail the conditions before this one and satisfy the others.
        node_condition: int32 [2^depth - 1, trees] in pre-order; nodes that were added to complete a tree have an
            additional condition, which no row satisfies.
        leaf: int32 [trees * 2^depth], the leaf at the end of each path.
    """

    compared_feature: Ints
    compared_rank: Ints
    present_feature: Ints
    column_feature: Ints
    column_ranks: Ints
    outcome: Ints
    present: Ints
    missing_fails: int
    node_condition: Ints
    leaf: Ints


def ranks(values: NDArray[np.float32]) -> Ints:
    """Integers in the order of the floats; undefined for NaN."""
    bits = values.view(np.int32)
    magnitude = bits & MAGNITUDE
    return np.where(bits < 0, -magnitude, magnitude)


def bit_tables(forest: Forest) -> BitTables:
    """The tables of a forest."""
    rank = ranks(forest.split_threshold)
    conditions, condition_of_split = np.unique(
        np.stack([~forest.split_default_left, forest.split_feature, rank]), axis=1, return_inverse=True
    )
    missing_fails = int((conditions[0] == 0).sum())
    present = np.unique(conditions[1, missing_fails:])
    pairs, pair_of_condition = np.unique(conditions[1:], axis=1, return_inverse=True)
    feature, threshold = pairs
    first, thresholds = np.unique(feature, return_index=True, return_counts=True)[1:]
    place = np.arange(len(feature)) - np.repeat(first, thresholds)
    few = np.repeat(thresholds <= _FEW, thresholds)

    searched = np.flatnonzero(~few)
    begins = searched[place[searched] % _COLUMN == 0]
    column = np.searchsorted(begins, searched, side="right") - 1
    number = place[searched] % _COLUMN + 1
    width = 1 << int(number.max(initial=0)).bit_length()
    column_ranks = np.full((len(begins), width), _HIGHEST, np.int32)
    column_ranks[column, number - 1] = threshold[searched]

    outcome = np.empty(len(feature), np.int64)
    outcome[few] = np.arange(few.sum())
    outcome[searched] = few.sum() + len(present) + number * len(begins) + column
    node_condition, leaf = _complete(
        forest, np.append(condition_of_split.reshape(-1), conditions.shape[1]).astype(np.int32)
    )
    return BitTables(
        compared_feature=feature[few].astype(np.int32),
        compared_rank=threshold[few].astype(np.int32),
        present_feature=present.astype(np.int32),
        column_feature=feature[begins].astype(np.int32),
        column_ranks=column_ranks,
        outcome=outcome[pair_of_condition.reshape(-1)].astype(np.int32),
        present=np.searchsorted(present, conditions[1, missing_fails:]).astype(np.int32),
        missing_fails=missing_fails,
        node_condition=node_condition[_pre_order(len(node_condition))],
        leaf=leaf.reshape(-1),
    )


def _complete(forest: Forest, condition_of_split: Ints) -> tuple[Ints, Ints]:
    """The conditions [2^depth - 1, trees], level by level, and the leaves [trees, 2^depth] of the completed trees.

    Args:
        condition_of_split: int32 [splits + 1]; the last one is that of the added nodes.
    """
    # The subtrees that begin at the current level: their tree, position in the level, first split, and range of leaves.
    tree = np.arange(forest.trees)
    place = np.zeros_like(tree)
    begin, end = forest.first_leaf[:-1].astype(np.int64), forest.first_leaf[1:].astype(np.int64)
    split = begin - tree
    levels: list[NDArray[Any]] = []
    while not levels or (end - begin > 1).any():
        inner = end - begin > 1
        level = np.full((1 << len(levels), forest.trees), condition_of_split[-1])
        level[place[inner], tree[inner]] = condition_of_split[split[inner]]
        levels.append(level)
        # A subtree with n leaves has n - 1 splits, in pre-order: its root's, those on the left, those on the right.
        middle = end.copy()
        middle[inner] = forest.split_left[split[inner], 1]
        tree, place, split, begin, end = (
            np.concatenate(sides)
            for sides in (
                (tree, tree[inner]),
                (2 * place, 2 * place[inner] + 1),
                (split + 1, (split + middle - begin)[inner]),
                (begin, middle[inner]),
                (middle, end[inner]),
            )
        )
    leaf = np.zeros((forest.trees, 1 << len(levels)), np.int32)
    leaf[tree, place] = begin
    return np.concatenate(levels), leaf


def _pre_order(nodes: int) -> list[int]:
    """The nodes of a complete tree, numbered level by level, in pre-order."""
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        if 2 * node + 2 < nodes:
            stack += [2 * node + 2, 2 * node + 1]
    return order
