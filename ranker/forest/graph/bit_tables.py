"""A forest as tables for the bit-sliced walk of `ranker.forest.graph.leaves`, which explains them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.forest.model import Forest

MAGNITUDE = 0x7FFFFFFF  # of a float32's bits, all but the sign
MISSING = np.iinfo(np.int32).min
_HIGHEST = np.iinfo(np.int32).max
# A search costs as much as comparing with this many thresholds, one by one.
_FEW = 16
# Thresholds a column, so that a row's place among them fits into a byte.
_COLUMN = 255

Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class BitTables:
    """What a row's way through the forest is read from.

    A condition is a feature, a threshold, and whether a missing value satisfies it; a row goes right at a node where
    it satisfies the node's condition. Features with few thresholds are compared with each of them. Any other feature
    is a column, or several where it has more than 255 thresholds, that a row's value is placed in by searching.
    Outcomes are listed as: the compared thresholds; the features of `present`; then, number by number from 0, the
    columns, whether a row's place in the column is at least that number.

    Attributes:
        compared_feature: int32 [compared].
        compared_rank: int32 [compared], the threshold's rank (see `ranks`).
        present_feature: int32 [present], the features whose missing values satisfy a condition.
        column_feature: int32 [columns].
        column_ranks: int32 [columns, 2^bits], thresholds from the lowest up, filled up with the largest int32.
        outcome: int32 [conditions], the outcome that decides each condition.
        present: int32 [conditions from `missing_fails` on], which of `present_feature` is the condition's.
        missing_fails: the conditions before this one fail for missing values, the others are satisfied by them.
        node_condition: int32 [2^depth - 1, trees] in pre-order; nodes that complete a tree have one condition more
            than there are, which no row satisfies.
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
    """Whole numbers in the order of the floats; NaN has no place in it."""
    bits = values.view(np.int32)
    magnitude = bits & MAGNITUDE
    return np.where(bits < 0, -magnitude, magnitude)


def bit_tables(forest: Forest) -> BitTables:
    """Lays a forest out."""
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
    """The conditions [2^depth - 1, trees], level by level, and the leaves [trees, 2^depth] of the trees made complete.

    Args:
        condition_of_split: int32 [splits + 1]; the last is that of the nodes that are made up.
    """
    # The subtrees that begin at the present level: their tree, place in the level, first split, and range of leaves.
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
        # A subtree with n leaves has n - 1 splits, in pre-order: its own, those of the left side, those of the right.
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
