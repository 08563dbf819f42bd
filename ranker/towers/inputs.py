"""What one batch for the towers consists of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ranker import keys

Batch = Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class TowerInputs:
    """Sizes of the tensors that the towers read.

    Attributes:
        trees: leaves per row, one for each tree of the forest.
        leaves: leaves in the whole forest; a leaf id lies in [0, leaves).
        numeric: normalised numeric features per row; 0 where the towers read none.
        dense: size of each dense embedding by its column's name, in the order in which they are concatenated.
    """

    trees: int
    leaves: int
    numeric: int
    dense: Mapping[str, int]

    def tensor_specs(self) -> dict[str, tf.TensorSpec]:
        """Name → dtype and shape of every tensor of a batch, without the labels."""
        specs = {keys.LEAVES: tf.TensorSpec([None, self.trees], tf.int32, name=keys.LEAVES)}
        if self.numeric:
            specs[keys.NUMERIC] = tf.TensorSpec([None, self.numeric], tf.float32, name=keys.NUMERIC)
        for name, size in self.dense.items():
            specs[name] = tf.TensorSpec([None, size], tf.float32, name=name)
        return specs


def tower_inputs(
    transformed: Mapping[str, Any], dense: tuple[str, ...], numeric: bool, trees: int, leaves: int
) -> TowerInputs:
    """Reads the sizes off the spec of what Transform wrote.

    Args:
        transformed: feature name → `tf.io.FixedLenFeature`, as `TFTransformOutput.transformed_feature_spec()` gives.
        dense: names of the dense embeddings, in the config's order.
        numeric: whether the towers are to read the numeric features, if there are any.
        trees: trees of the forest.
        leaves: leaves of the forest.

    Raises:
        ValueError: a dense embedding that Transform did not write as a vector of fixed size.
    """
    sizes = {}
    for name in dense:
        shape = getattr(transformed.get(name), "shape", None)
        if shape is None or len(shape) != 1:
            raise ValueError(
                f"transform graph: the dense embedding {name!r} is not among its outputs as a vector of fixed size; "
                f"it writes {sorted(transformed)}"
            )
        sizes[name] = int(shape[0])
    width = int(transformed[keys.NUMERIC].shape[0]) if numeric and keys.NUMERIC in transformed else 0
    return TowerInputs(trees=trees, leaves=leaves, numeric=width, dense=sizes)
