"""Rows without missing values for XGBoost, and the trees that are grown on them in terms of the features.

XGBoost holds the bin of every value: in four bytes if any value of the matrix is missing, in one if none is. So a
column with missing values is given to it three times:

1. with -1e38 for a missing value, below nearly all others: a split sends it left;
2. with 1e38 for a missing value, above nearly all others: a split sends it right;
3. as whether the value is missing, because the outermost bins of the first two also hold outermost values.

These are the choices that XGBoost has at a split of a column with missing values. They are not quite the same trees: a
sample of the columns draws each of the three by itself, and bins end at other values.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from ranker.forest.boosters import read_model, write_model

# XGBoost's outermost bins end at twice these, which is still finite.
_BELOW, _ABOVE = np.float32(-1e38), np.float32(1e38)


@dataclass(frozen=True)
class CompleteColumns:
    """The columns of a matrix without missing values.

    Attributes:
        features: number of features.
        missing: the features with missing values in any row, in ascending order.

    Example:
        >>> columns = CompleteColumns(3, (1,))
        >>> columns.of(np.array([[5, np.nan, 7], [5, 6, 7]], np.float32))[:, 4].tolist()
        [1.0, 0.0]
    """

    features: int
    missing: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.features + 2 * len(self.missing)

    def of(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The columns, float32 [rows, width].

        Args:
            features: [rows, features], NaN where missing.
        """
        complete = np.empty((len(features), self.width), np.float32)
        complete[:, : self.features] = features
        for number, column in enumerate(self.missing, self.features):
            values = features[:, column]
            lacks = np.isnan(values)
            complete[lacks, column] = _BELOW
            complete[:, number] = np.where(lacks, _ABOVE, values)
            complete[:, number + len(self.missing)] = lacks
        return complete

    def in_features(self, booster: xgb.Booster) -> xgb.Booster:
        """The same trees with splits of the features, which send missing values where the splits of the columns do.

        Args:
            booster: grown on the columns.
        """
        model = read_model(booster)
        model["learner"]["learner_model_param"]["num_feature"] = str(self.features)
        for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
            tree["tree_param"]["num_feature"] = str(self.features)
            for node, left in enumerate(tree["left_children"]):
                if left >= 0:
                    self._rewrite(tree, node)
        return write_model(model)

    def _rewrite(self, tree: dict[str, Any], node: int) -> None:
        """Makes a split of a column one of its feature, in place."""
        column, threshold = tree["split_indices"][node], np.float32(tree["split_conditions"][node])
        if column < self.features:
            if column in self.missing:
                # A feature may have values beyond that of a missing one, so the threshold says which side that is on.
                tree["default_left"][node] = int(threshold > _BELOW)
            return
        copy, number = divmod(column - self.features, len(self.missing))
        tree["split_indices"][node] = self.missing[number]
        if copy == 0:
            tree["default_left"][node] = int(threshold > _ABOVE)
        else:  # all values that are there go left, and missing ones right
            tree["default_left"][node], tree["split_conditions"][node] = 0, float("inf")
