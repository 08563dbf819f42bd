"""The feature columns of a request, with all columns of a kind read as one tensor.

`RawColumns` converts one column after the other, because Transform's graph has an input per column. For 40 columns
these are hundreds of operations, which cost more for one candidate than scoring it. Here their number does not depend
on the number of columns.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import tensorflow as tf

from ranker.config.columns import Features
from ranker.features.registry import feature_kinds
from ranker.features.tensors import Columns, RawColumns

_ROWS = "rows"
_LIST = ("rows", "owners", "values")
_KEY = "key"


def joined(features: Features, columns: Columns) -> dict[str, tf.Tensor]:
    """What the kinds of the features read of the columns: a few tensors, whatever the columns were made from."""
    tensors = {_ROWS: columns.rows()}
    for kind, group in groupby(feature_kinds(features), lambda named: type(named[1])):
        of_kind = list(group)
        names = [name for name, _ in of_kind]
        match kind.reads:
            case "numbers":
                tensors[kind.name] = tf.ensure_shape(columns.numbers(names), [None, len(names)])
            case "texts":
                tensors[kind.name] = tf.ensure_shape(columns.texts(names), [None, len(names)])
            case "lists":
                parts = zip(_LIST, columns.lists(names), strict=True)
                tensors |= {f"{kind.name}.{part}": tf.ensure_shape(tensor, [None]) for part, tensor in parts}
            case "dense":
                sizes = {name: one.log_column.size for name, one in of_kind}
                tensors |= {f"{kind.name}.{name}": columns.dense(name, 0.0, sizes[name]) for name in names}
            case "items":
                tensors |= {f"{kind.name}.{name}": columns.items(name) for name in names}
                tensors |= {f"{_KEY}.{one.column.of}": columns.key(one.column.of) for _, one in of_kind}
    return tensors


class JoinedColumns:
    """The columns that `joined` made these tensors of.

    Args:
        features: the same.
        tensors: its result.
    """

    def __init__(self, features: Features, tensors: Mapping[str, tf.Tensor]) -> None:
        self._tensors = tensors
        self._kind = {name: kind.name for name, kind in feature_kinds(features)}

    def numbers(self, names: Sequence[str]) -> tf.Tensor:
        """See `Columns`; `names` are all columns of a kind."""
        return self._tensors[self._kind[names[0]]]

    def texts(self, names: Sequence[str]) -> tf.Tensor:
        """See `Columns`; `names` are all columns of a kind."""
        return self._tensors[self._kind[names[0]]]

    def lists(self, names: Sequence[str]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """See `Columns`; `names` are all columns of a kind."""
        rows, owners, values = (self._tensors[f"{self._kind[names[0]]}.{part}"] for part in _LIST)
        return rows, owners, values

    def dense(self, name: str, default: Any, size: int) -> tf.Tensor:
        """See `Columns`."""
        return self._tensors[f"{self._kind[name]}.{name}"]

    def items(self, name: str) -> tf.Tensor:
        """See `Columns`."""
        return self._tensors[f"{self._kind[name]}.{name}"]

    def key(self, name: str) -> tf.Tensor:
        """See `Columns`."""
        return self._tensors[f"{_KEY}.{name}"]

    def rows(self) -> tf.Tensor:
        """See `Columns`."""
        return self._tensors[_ROWS]


class RequestColumns:
    """A request's columns; the same as `RawColumns` for the equivalent tensors.

    Args:
        inputs: column → a list per row as a ragged tensor with row splits of int64; or numbers or strings, [batch] or
            [batch, 1], NaN or "" where missing; or lists of strings [batch, values], padded with ""; or a vector
            [batch, size], or items [batch, items], padded with 0. A column of vectors may be sparse.
        rows: int64 scalar, the batch size.
    """

    def __init__(self, inputs: Mapping[str, Any], rows: tf.Tensor) -> None:
        self._inputs = inputs
        self._batch = rows

    def numbers(self, names: Sequence[str]) -> tf.Tensor:
        """See `Columns`."""
        return self._singles(names, float("nan"))

    def texts(self, names: Sequence[str]) -> tf.Tensor:
        """See `Columns`."""
        return self._singles(names, "")

    def lists(self, names: Sequence[str]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """See `Columns`."""
        tensors = [self._inputs[name] for name in names]
        if any(isinstance(tensor, tf.RaggedTensor) for tensor in tensors):
            return self._ragged_lists([self._ragged(tensor) for tensor in tensors])
        values = tf.concat(tensors, axis=1)
        shape = tf.shape(values, tf.int64)
        column = tf.concat(
            [tf.fill(tf.shape(tensor)[1:], tf.constant(i, tf.int64)) for i, tensor in enumerate(tensors)], axis=0
        )
        rows = tf.broadcast_to(tf.range(shape[0])[:, tf.newaxis], shape)
        owners = tf.broadcast_to(column, shape)
        return tf.reshape(rows, [-1]), tf.reshape(owners, [-1]), tf.reshape(values, [-1])

    def dense(self, name: str, default: Any, size: int) -> tf.Tensor:
        """See `Columns`."""
        tensor = self._inputs[name]
        if isinstance(tensor, tf.RaggedTensor):
            tensor = tensor.to_sparse()
        return RawColumns({name: tensor}, name).dense(name, default, size)

    def items(self, name: str) -> tf.Tensor:
        """See `Columns`."""
        tensor = self._inputs[name]
        return tensor.to_tensor(0) if isinstance(tensor, tf.RaggedTensor) else tensor

    def key(self, name: str) -> tf.Tensor:
        """See `Columns`."""
        return self.texts([name])

    def rows(self) -> tf.Tensor:
        """See `Columns`."""
        return self._batch

    def _singles(self, names: Sequence[str], missing: Any) -> tf.Tensor:
        """[batch, names], one value per column."""
        tensors = [self._inputs[name] for name in names]
        if any(isinstance(tensor, tf.RaggedTensor) for tensor in tensors):
            return self._ragged_singles([self._ragged(tensor) for tensor in tensors], names, missing)
        return tf.stack([tensor if tensor.shape.rank == 1 else tensor[:, 0] for tensor in tensors], axis=1)

    def _ragged_singles(self, columns: Sequence[tf.RaggedTensor], names: Sequence[str], missing: Any) -> tf.Tensor:
        values = tf.concat([*(column.values for column in columns), tf.constant([missing])], axis=0)
        splits = tf.stack([column.row_splits for column in columns], axis=1)
        begins, ends = splits[:-1], splits[1:]
        check = tf.raw_ops.Assert(
            condition=tf.reduce_all(ends <= begins + 1),
            data=[
                tf.constant(f"{', '.join(names)}: a row has more than one value, but these columns have one at most")
            ],
        )
        with tf.control_dependencies([check]):
            first = begins + tf.cumsum(splits[-1], exclusive=True)
        last = tf.size(values, tf.int64) - 1
        return tf.gather(values, tf.where(begins < ends, first, last))

    def _ragged_lists(self, columns: Sequence[tf.RaggedTensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        values = tf.concat([column.values for column in columns], axis=0)
        splits = tf.stack([column.row_splits for column in columns])
        # The end of each row's values, over the rows of the first column, then of the second, and so on.
        ends = tf.reshape(splits[:, 1:] + tf.cumsum(splits[:, -1:], exclusive=True), [-1])
        cells = tf.searchsorted(ends, tf.range(tf.size(values, tf.int64)), side="right", out_type=tf.int64)
        return cells % self._batch, cells // self._batch, values

    def _ragged(self, tensor: Any) -> tf.RaggedTensor:
        """A dense column as a ragged tensor."""
        if isinstance(tensor, tf.RaggedTensor):
            return tensor
        each = 1 if tensor.shape.rank == 1 else tf.shape(tensor, tf.int64)[1]
        splits = tf.range(self._batch + 1) * each
        return tf.RaggedTensor.from_row_splits(tf.reshape(tensor, [-1]), splits, validate=False)
