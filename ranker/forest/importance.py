"""How much each column contributes to the forest."""

from collections.abc import Sequence

import numpy as np

from ranker.config.columns import FeatureColumn
from ranker.forest.boosters import read_model
from ranker.forest.model import Forest


def gain_shares(forest: Forest, columns: Sequence[FeatureColumn]) -> list[dict[str, float]]:
    """Per output of the forest, each column's share of the gain: by how much its splits lowered the loss.

    A column with several inputs has the sum of theirs. A column that no tree splits on has the share 0.

    Args:
        forest: the forest. A refresh does not change the gains, which are those of when each tree was grown.
        columns: the feature columns, in the order of the forest's inputs.

    Returns:
        By output, column → share; the shares of an output add up to 1, or are all 0 for an output without a split.
        Empty for a forest without trees.
    """
    if not forest.trees:
        return []
    of_input = [column for column, feature in enumerate(columns) for _ in feature.forest_names]
    model = read_model(forest.booster)["learner"]["gradient_booster"]["model"]
    gains = np.zeros((len(forest.base_margin), len(columns)))
    for tree, output in zip(model["trees"], model["tree_info"], strict=True):
        for feature, left, gain in zip(tree["split_indices"], tree["left_children"], tree["loss_changes"], strict=True):
            if left >= 0:
                gains[output, of_input[feature]] += gain
    totals = np.maximum(gains.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return [
        {column.name: float(share) for column, share in zip(columns, shares, strict=True)} for shares in gains / totals
    ]
