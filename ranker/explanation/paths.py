"""Divides what a leaf's embedding adds to the towers' logits among the splits that lead to the leaf.

The towers read a vector per leaf. In an explanation, the baseline of a tree is the mean of its leaves' vectors,
weighted by their cover. Along the path from the root to a leaf, the mean of the leaves that are still possible changes
at each split, from the baseline to the leaf's own vector. The change at a split belongs to the feature that it looks at
(Saabas, 2014). So the parts add up exactly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.forest.model import Forest

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LeafPaths:
    """The splits above each leaf.

    Attributes:
        features: int32 [leaves, depth], the forest's input that each split on the path looks at; 0 beyond the path.
        changes: [leaves, depth, size], by how much each split changes the mean vector; 0 beyond the path.
        baseline: [trees, size], the mean vector of each tree.
    """

    features: NDArray[np.int32]
    changes: Doubles
    baseline: Doubles

    @staticmethod
    def of(forest: Forest, vectors: NDArray[np.float32]) -> "LeafPaths":
        """The paths of a forest.

        Args:
            forest: the splits.
            vectors: [leaves, size], the embedding of each leaf.
        """
        cover = np.maximum(forest.leaf_cover.astype(np.float64), 1e-9)
        summed = np.concatenate([np.zeros((1, vectors.shape[1])), np.cumsum(vectors * cover[:, None], axis=0)])
        covers = np.concatenate([[0.0], np.cumsum(cover)])

        def mean(begin: int, end: int) -> Doubles:
            # A single leaf's own vector, without the rounding of sums over the whole forest.
            if end - begin == 1:
                return vectors[begin].astype(np.float64)
            of_node: Doubles = (summed[end] - summed[begin]) / (covers[end] - covers[begin])
            return of_node

        paths: list[list[tuple[int, Doubles]]] = [[] for _ in range(forest.leaves)]
        baseline = [mean(begin, end) for begin, end in zip(forest.first_leaf[:-1], forest.first_leaf[1:], strict=True)]
        ends = [int(forest.first_leaf[1])]
        tree = 0
        for feature, (begin, middle) in zip(forest.split_feature, forest.split_left.tolist(), strict=True):
            while begin >= forest.first_leaf[tree + 1]:
                tree += 1
                ends = [int(forest.first_leaf[tree + 1])]
            # Splits come in pre-order: the ends of the nodes that are still open, the innermost last.
            while ends[-1] <= begin:
                ends.pop()
            node, left, right = mean(begin, ends[-1]), mean(begin, middle), mean(middle, ends[-1])
            for leaf in range(begin, ends[-1]):
                paths[leaf].append((int(feature), (left if leaf < middle else right) - node))
            ends.append(middle)
        depth = max(map(len, paths), default=0)
        features = np.zeros((forest.leaves, max(depth, 1)), np.int32)
        changes = np.zeros((forest.leaves, max(depth, 1), vectors.shape[1]))
        for leaf, path in enumerate(paths):
            for step, (feature, change) in enumerate(path):
                features[leaf, step], changes[leaf, step] = feature, change
        return LeafPaths(features, changes, np.stack(baseline))

    def divided(self, leaves: NDArray[np.int32], gradients: Doubles, inputs: int) -> Doubles:
        """What each of the forest's inputs adds by the leaves' vectors, [rows, inputs].

        Args:
            leaves: [rows, trees].
            gradients: [rows, trees, size], of an output by the leaves' vectors.
            inputs: of the forest.
        """
        parts = np.einsum("rts,rtds->rtd", gradients, self.changes[leaves])
        rows = len(leaves)
        at = np.arange(rows)[:, None, None] * inputs + self.features[leaves]
        summed = np.bincount(at.ravel(), parts.ravel(), minlength=rows * inputs)
        return np.asarray(summed, np.float64).reshape(rows, inputs)
