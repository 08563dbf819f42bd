"""Impressions whose outcomes follow a rule that the towers can learn."""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.config.columns import HashedId
from ranker.config.objectives import Objective
from ranker.towers.data import LabelCounts
from ranker.towers.inputs import TowerInputs

TREES, LEAVES_PER_TREE, NUMERIC, DENSE = 12, 8, 3, 5
INPUTS = TowerInputs(trees=TREES, leaves=TREES * LEAVES_PER_TREE, numeric=NUMERIC, dense={"content": DENSE})
OBJECTIVES = (
    Objective(name="like", tower="active"),
    Objective(name="click", tower="passive"),
    Objective(name="share", tower="active"),
    Objective(name="dwell", tower="passive"),
)
CALIBRATION_KEYS = 3
CATEGORIES = (4, 3)
IDS = (HashedId("viewer", buckets=5, dimension=2, dropout=0.0), HashedId("author", buckets=3, dimension=2, dropout=0.0))
KEYED_INPUTS = replace(INPUTS, calibration_keys=CALIBRATION_KEYS, categorical=CATEGORIES, ids=IDS)


@dataclass(frozen=True)
class Impressions:
    """Rows as arrays; `labels` float32 [rows, objectives] in the order of OBJECTIVES."""

    leaves: np.ndarray
    numeric: np.ndarray
    content: np.ndarray
    labels: np.ndarray

    def tensors(self) -> dict[str, np.ndarray]:
        """All rows as one batch."""
        return {
            keys.LEAVES: self.leaves,
            keys.NUMERIC: self.numeric,
            "content": self.content,
            keys.LABELS: self.labels,
        }

    def batches(self, batch_size: int, epochs: int = 1) -> tf.data.Dataset:
        """In order, unshuffled, with the codes for towers that read them."""
        return tf.data.Dataset.from_tensor_slices(keyed(self.tensors())).batch(batch_size).repeat(epochs)

    def counts(self) -> LabelCounts:
        """Of all rows."""
        return LabelCounts(len(self.labels), self.labels.sum(axis=0))

    def with_labels(self, labels: np.ndarray) -> "Impressions":
        """The same rows with other outcomes."""
        return replace(self, labels=labels.astype(np.float32))


def keyed(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of rows, a calibration key, two categorical features and two ids, which follow from the leaves.

    Each id is missing in some rows.
    """
    leaves = tensors[keys.LEAVES].astype(np.int64)
    ids = []
    for i, column in enumerate(IDS):
        rows = leaves[:, 2 * i : 2 * i + 2] % (column.buckets + 1)
        missing = (rows == column.buckets).any(axis=1, keepdims=True)
        ids.append(np.where(missing, column.buckets, rows))
    return {
        **tensors,
        keys.CALIBRATION_KEY: leaves[:, :1] % CALIBRATION_KEYS,
        keys.CATEGORICAL: leaves[:, : len(CATEGORIES)] % CATEGORIES,
        keys.HASHED_IDS: np.concatenate(ids, axis=1),
    }


def impressions(rows: int, seed: int) -> Impressions:
    """Outcomes depend on the leaves, one numeric feature and one direction of the dense embedding."""
    rule = np.random.default_rng(0)
    leaf_effects = rule.normal(scale=0.4, size=(INPUTS.leaves, len(OBJECTIVES)))
    direction = rule.normal(scale=0.4, size=(DENSE, len(OBJECTIVES)))
    rng = np.random.default_rng(seed)
    first_leaf = np.arange(TREES) * LEAVES_PER_TREE
    leaves = (rng.integers(0, LEAVES_PER_TREE, (rows, TREES)) + first_leaf).astype(np.int32)
    numeric = rng.normal(size=(rows, NUMERIC)).astype(np.float32)
    content = rng.normal(size=(rows, DENSE)).astype(np.float32)
    logits = np.array([-2.0, -0.5, -3.0, 0.0]) + leaf_effects[leaves].sum(axis=1) + content @ direction
    logits += 0.5 * numeric[:, :1]
    labels = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    return Impressions(leaves, numeric, content, labels.astype(np.float32))
