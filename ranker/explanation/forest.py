"""The forest's part: TreeSHAP values of its own log-odds (Lundberg et al., 2020), computed by XGBoost."""

import json
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ranker.forest.model import Forest

Doubles = NDArray[np.float64]


def served_booster(forest: Forest) -> xgb.Booster:
    """XGBoost's model with the leaf values that are served.

    A booster keeps the values that it was grown with. Those that are served were fitted on all rows, or refreshed, and
    stand beside it.
    """
    document = json.loads(bytes(forest.booster.save_raw("json")))
    trees: list[dict[str, Any]] = document["learner"]["gradient_booster"]["model"]["trees"]
    for number, tree in enumerate(trees):
        begin, end = forest.first_leaf[number], forest.first_leaf[number + 1]
        for node, value in zip(forest.leaf_node[begin:end], forest.leaf_value[begin:end], strict=True):
            # XGBoost stores a leaf's value where a split has its threshold.
            tree["split_conditions"][node] = float(value)
            tree["base_weights"][node] = float(value)
    return xgb.Booster(model_file=bytearray(json.dumps(document).encode()))


def forest_contributions(booster: xgb.Booster, features: NDArray[np.float32], outputs: int) -> Doubles:
    """TreeSHAP values of the log-odds.

    Args:
        booster: of `served_booster`.
        features: the forest's inputs [rows, inputs], NaN where missing.
        outputs: of the booster.

    Returns:
        [rows, outputs, inputs + 1]; the last one is the mean prediction, the same for every row. They add up to the
        log-odds.
    """
    found = booster.predict(xgb.DMatrix(features), pred_contribs=True)
    return np.asarray(found, np.float64).reshape(len(features), outputs, -1)
