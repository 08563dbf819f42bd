"""Raw columns as tensors: in Transform's graph, and as its inputs in serving."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import tensorflow as tf

Tensor: TypeAlias = tf.Tensor | tf.SparseTensor


class Columns(Protocol):
    """The feature columns of some rows, as a kind of column reads them to transform them."""

    def numbers(self, names: Sequence[str]) -> tf.Tensor:
        """float32 [batch, names], one number per column; NaN for a missing value."""

    def texts(self, names: Sequence[str]) -> tf.Tensor:
        """string [batch, names], one string per column; "" for a missing value."""

    def lists(self, names: Sequence[str]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """All strings of the columns, one column or one row after the other, possibly with empty ones.

        Returns:
            The row int64, the index of the column in `names` int64, and the string of each; all [strings].
        """

    def dense(self, name: str, default: Any, size: int) -> tf.Tensor:
        """[batch, size], with `default` for missing values."""

    def items(self, name: str) -> tf.Tensor:
        """int64 [batch, items], the items of each row, padded with 0."""

    def key(self, name: str) -> tf.Tensor:
        """string [batch, 1], a category or the id of an entity; "" where missing."""

    def rows(self) -> tf.Tensor:
        """int64 scalar, the batch size."""


class RawColumns:
    """The inputs of Transform's graph, as dense or sparse tensors.

    The batch size is computed only once, because every operation takes time when the graph is traced and when it runs.
    It is computed from a feature, because serving has no labels.

    Args:
        inputs: column → tensor, as read with the schema.
        always_there: a column that is read in training and in serving.
    """

    def __init__(self, inputs: Mapping[str, Tensor], always_there: str) -> None:
        self._inputs = inputs
        first = inputs[always_there]
        self._batch = first.dense_shape[0] if isinstance(first, tf.SparseTensor) else tf.shape(first, tf.int64)[0]
        self._one = tf.stack([self._batch, 1])

    def one(self, name: str, default: Any) -> tf.Tensor:
        """[batch, 1], with `default` for a missing value."""
        return self.dense(name, default, 1)

    def numbers(self, names: Sequence[str]) -> tf.Tensor:
        """See `Columns`."""
        return tf.concat([self.one(name, float("nan")) for name in names], axis=1)

    def texts(self, names: Sequence[str]) -> tf.Tensor:
        """See `Columns`."""
        return tf.concat([self.one(name, "") for name in names], axis=1)

    def lists(self, names: Sequence[str]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """See `Columns`."""
        sparse = [self._sparse(name) for name in names]
        owners = [tf.fill(tf.shape(tensor.values), tf.constant(i, tf.int64)) for i, tensor in enumerate(sparse)]
        rows = tf.concat([tensor.indices for tensor in sparse], axis=0)[:, 0]
        return rows, tf.concat(owners, axis=0), tf.concat([tensor.values for tensor in sparse], axis=0)

    def rows(self) -> tf.Tensor:
        """See `Columns`."""
        return self._batch

    def dense(self, name: str, default: Any, size: int) -> tf.Tensor:
        """See `Columns`."""
        tensor = self._inputs[name]
        if not isinstance(tensor, tf.SparseTensor):
            return tensor
        shape = self._one if size == 1 else tf.stack([self._batch, size])
        return tf.sparse.to_dense(tf.SparseTensor(tensor.indices, tensor.values, shape), default_value=default)

    def items(self, name: str) -> tf.Tensor:
        """See `Columns`."""
        return tf.sparse.to_dense(self._sparse(name), default_value=0)

    def key(self, name: str) -> tf.Tensor:
        """See `Columns`.

        Raises:
            ValueError: the schema lacks the column.
        """
        if name not in self._inputs:
            raise ValueError(
                f"schema: the column {name!r} is missing, by which a history is compared with the candidate; "
                "`python -m pipeline.infer_schema --help` infers a new schema"
            )
        return self.one(name, "")

    def strings(self, name: str) -> tf.SparseTensor:
        """All strings of each row without empty ones, which FeedLogGen does not write."""
        tensor = self._sparse(name)
        return tf.sparse.retain(tensor, tf.not_equal(tensor.values, ""))

    def _sparse(self, name: str) -> tf.SparseTensor:
        tensor = self._inputs[name]
        return tensor if isinstance(tensor, tf.SparseTensor) else tf.sparse.from_dense(tensor)


def as_parsed(values: tf.Tensor, present: tf.Tensor, spec: Any) -> Any:
    """The output of `tf.io.parse_example` for Examples with these values.

    Args:
        values: [batch, values per row].
        present: [batch, values per row], whether the Example has the value.
        spec: the schema's parse spec of the column.
    """
    if isinstance(spec, tf.io.FixedLenFeature):
        return tf.reshape(values, [-1, *spec.shape])
    if values.shape[1] == 1:
        where = tf.where(present)
        shape = tf.stack([tf.shape(values, tf.int64)[0], tf.cast(tf.reduce_any(present), tf.int64)])
        return tf.SparseTensor(where, tf.gather_nd(values, where), shape)
    # Values are shifted to close the gaps that padding may leave between them.
    return tf.ragged.boolean_mask(values, present).to_sparse()
