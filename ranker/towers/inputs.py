"""The tensors of one batch for the towers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ranker import keys
from ranker.config.columns import Features, HashedId
from ranker.config.towers import Towers

TowerBatch = Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class TowerInputs:
    """Sizes of the tensors that the towers read.

    Attributes:
        trees: leaves per row, one per tree of the forest; with 0 there is no tensor of leaves.
        leaves: leaves of all trees; a leaf id lies in [0, leaves).
        numeric: normalised numeric features per row; 0 where the towers read none.
        dense: column name → size of the dense embedding, or of the numbers of a history, in the order of concatenation.
        categorical: number of codes of each categorical feature; empty where the towers read none.
        ids: the columns of ids.
        calibration_keys: number of values of the calibration key, each in [0, calibration_keys); 0 without a key.
    """

    trees: int
    leaves: int
    numeric: int
    dense: Mapping[str, int]
    calibration_keys: int = 0
    categorical: tuple[int, ...] = ()
    ids: tuple[HashedId, ...] = ()

    def tensor_specs(self) -> dict[str, tf.TensorSpec]:
        """Name → dtype and shape of every tensor of a batch, except the labels."""
        specs = {}
        if self.trees:
            specs[keys.LEAVES] = tf.TensorSpec([None, self.trees], tf.int32, name=keys.LEAVES)
        if self.numeric:
            specs[keys.NUMERIC] = tf.TensorSpec([None, self.numeric], tf.float32, name=keys.NUMERIC)
        for name, size in self.dense.items():
            specs[name] = tf.TensorSpec([None, size], tf.float32, name=name)
        if self.categorical:
            specs[keys.CATEGORICAL] = tf.TensorSpec([None, len(self.categorical)], tf.int64, name=keys.CATEGORICAL)
        if self.ids:
            specs[keys.HASHED_IDS] = tf.TensorSpec([None, 2 * len(self.ids)], tf.int64, name=keys.HASHED_IDS)
        if self.calibration_keys:
            specs[keys.CALIBRATION_KEY] = tf.TensorSpec([None, 1], tf.int64, name=keys.CALIBRATION_KEY)
        return specs


def calibration_keys(features: Features, towers: Towers) -> int:
    """Number of values of the calibration key, including missing; 0 without a key."""
    by = towers.calibrated_by(features)
    return by.codes if by else 0


def category_codes(features: Features, towers: Towers) -> tuple[int, ...]:
    """Number of codes of each categorical feature that the towers read, including those for rare and missing values."""
    return tuple(column.codes for column in features.coded) if towers.categorical_embedding_size else ()


def tower_inputs(
    transformed: Mapping[str, Any], features: Features, towers: Towers, trees: int, leaves: int
) -> TowerInputs:
    """Reads the sizes from the spec of Transform's outputs.

    Args:
        transformed: feature name → `tf.io.FixedLenFeature`, as `TFTransformOutput.transformed_feature_spec()` gives.
        features: the config's columns.
        towers: defines which of them the towers read.
        trees: trees of the forest.
        leaves: leaves of the forest.

    Raises:
        ValueError: Transform did not write a dense embedding as a vector of fixed size, or did not write the codes or
            the ids.
    """
    sizes = {}
    for name in features.vectors:
        shape = getattr(transformed.get(name), "shape", None)
        if shape is None or len(shape) != 1:
            raise ValueError(
                f"transform graph: the vector {name!r} is not among its outputs as a vector of fixed size; "
                f"it writes {sorted(transformed)}"
            )
        sizes[name] = int(shape[0])
    codes = calibration_keys(features, towers)
    if codes and keys.CALIBRATION_KEY not in transformed:
        raise ValueError(
            f"transform graph: {keys.CALIBRATION_KEY!r}, which the calibration needs, is not among its outputs; "
            f"it writes {sorted(transformed)}"
        )
    categorical = category_codes(features, towers)
    if categorical and keys.CATEGORICAL not in transformed:
        raise ValueError(
            f"transform graph: {keys.CATEGORICAL!r}, which the towers read, is not among its outputs; it writes "
            f"{sorted(transformed)}"
        )
    if features.ids and keys.HASHED_IDS not in transformed:
        raise ValueError(
            f"transform graph: {keys.HASHED_IDS!r}, which the towers read, is not among its outputs; it writes "
            f"{sorted(transformed)}"
        )
    width = int(transformed[keys.NUMERIC].shape[0]) if towers.numeric_input and keys.NUMERIC in transformed else 0
    return TowerInputs(trees, leaves, width, sizes, codes, categorical, features.ids)
