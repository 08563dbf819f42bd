"""A vector per id, from two small tables."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from ranker.config.columns import HashedId

TABLE = "id_table"
"""The name of the tables' weights, by which the optimizer knows them."""

_DEVIATION = 0.05
"""Of a number of an untrained vector: near the vector of a missing id, which is 0, yet not 0, as a product of two
zeros has no gradient."""


class IdEmbedding(keras.layers.Layer):
    """The vector of an id: the sum of a row of each of two tables; 0 for a missing id.

    In training, the vectors of a share of the rows are 0. They are not scaled up elsewhere, as the other layers see the
    vectors of known ids in the same size when they predict.

    Args:
        column: sizes and dropout.
        number: of the column, for the name.
        seed: of the initial numbers and of the dropout.
    """

    def __init__(self, column: HashedId, number: int, seed: int) -> None:
        super().__init__(name=f"ids_{number}")
        self.buckets = column.buckets
        self._dropout = column.dropout
        self._seeds = keras.random.SeedGenerator(seed) if column.dropout else None
        initializer = keras.initializers.RandomNormal(stddev=_DEVIATION * 0.5**0.5, seed=seed)
        # The second table is below the first one.
        self.table: Any = self.add_weight(
            shape=(2 * column.buckets, column.dimension), initializer=initializer, name=TABLE
        )

    def call(self, codes: tf.Tensor, training: bool = False) -> tf.Tensor:
        """int64 [batch, 2], as Transform writes them → float32 [batch, dimension]."""
        known = self.known(codes)
        if training and self._seeds is not None:
            kept = keras.random.uniform(ops.shape(known), seed=self._seeds) >= self._dropout
            known = known * ops.cast(kept, known.dtype)
        return ops.sum(ops.take(self.table, self.rows(codes), axis=0), axis=1) * known

    def known(self, codes: tf.Tensor) -> tf.Tensor:
        """float32 [batch, 1], 1 where there is an id."""
        return ops.cast(codes[:, :1] < self.buckets, "float32")

    def rows(self, codes: tf.Tensor) -> tf.Tensor:
        """The rows of the weight, int64 [batch, 2]; some row where there is no id."""
        return ops.minimum(codes, self.buckets - 1) + ops.convert_to_tensor([0, self.buckets], "int64")


def multiplied_pairs(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """The pairs of id columns whose vectors are multiplied with each other: those of the same size."""
    return [(a, b) for a, b in combinations(range(len(sizes)), 2) if sizes[a] == sizes[b]]
