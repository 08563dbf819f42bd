"""The Transform graph: from the feed log's columns to what the forest and the towers read.

The same graph runs over the training days in Beam and inside the SavedModel, so there is nothing to keep in step
between training and serving. What it emits is listed in `ranker/keys.py`.

Vocabularies come from TFT's sketch, which counts whole batches in C++: the exact analyzer sends every value through
Beam by itself and takes longer than everything else together. The sketch is exact up to a few times the size asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf
import tensorflow_transform as tft

from ranker import keys
from ranker.config.columns import Categorical, Features, Keys, MultiValued
from ranker.config.documents import from_json

Tensor: TypeAlias = tf.Tensor | tf.SparseTensor


def preprocessing_fn(inputs: Mapping[str, Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """TFX's entry point; called by its dotted name.

    Args:
        inputs: the feed log's columns as parsed by the schema; a column that may be missing is sparse.
        custom_config: `features` and `keys` as JSON config parts, `objectives` as a list of names; `categorical_input`,
            whether the towers read the categorical features; `calibrated_by`, the categorical feature that calibration
            differs by, if there is one.

    Returns:
        The tensors of `ranker/keys.py`, one row per impression.
    """
    features = from_json(Features, custom_config["features"])
    columns = _Columns(inputs, features.names[0])

    numeric = [columns.one(name, float("nan")) for name in features.numeric]
    codes = {f: _codes(columns.non_empty(f.name), f) for f in features.categorical}
    categorical = [_or_missing(column, tf.float32, float("nan")) for column in codes.values()]
    multi_valued = [part for f in features.multi_valued for part in _multi_hot(columns.sparse(f.name), f)]

    outputs = {keys.FOREST_FEATURES: tf.concat([*_finite(numeric), *categorical, *multi_valued], axis=1)}
    if numeric:
        outputs[keys.NUMERIC] = _normalised(tf.concat(numeric, axis=1))
    for dense in features.dense:
        outputs[dense.name] = tf.ensure_shape(columns.dense(dense.name, 0.0, dense.size), [None, dense.size])
    if codes and custom_config.get("categorical_input"):
        known = [_or_missing(column, tf.int64, feature.missing_code) for feature, column in codes.items()]
        outputs[keys.CATEGORICAL] = tf.concat(known, axis=1)
    for feature, column in codes.items():
        if feature.name == custom_config.get("calibrated_by"):
            outputs[keys.CALIBRATION_KEY] = _or_missing(column, tf.int64, feature.missing_code)
    labels = [columns.one(name, 0) for name in custom_config["objectives"]]
    outputs[keys.LABELS] = tf.cast(tf.concat(labels, axis=1), tf.float32)
    viewer = columns.one(from_json(Keys, custom_config["keys"]).viewer, "")
    outputs[keys.VIEWER_BUCKET] = tf.strings.to_hash_bucket_fast(viewer, keys.VIEWER_BUCKETS)
    return outputs


class _Columns:
    """The raw columns, dense or sparse as asked for.

    The batch size is taken from the graph once, as TFT traces the graph over and over and each operation counts; and
    from a feature, as labels are not there when serving.
    """

    def __init__(self, inputs: Mapping[str, Tensor], always_there: str) -> None:
        self._inputs = inputs
        first = inputs[always_there]
        self._batch = first.dense_shape[0] if isinstance(first, tf.SparseTensor) else tf.shape(first, tf.int64)[0]
        self._one = tf.stack([self._batch, 1])

    def one(self, name: str, default: Any) -> tf.Tensor:
        """[batch, 1], with `default` where the value is missing."""
        return self.dense(name, default, 1)

    def dense(self, name: str, default: Any, size: int) -> tf.Tensor:
        """[batch, size], with `default` where a value is missing."""
        tensor = self._inputs[name]
        if not isinstance(tensor, tf.SparseTensor):
            return tensor
        shape = self._one if size == 1 else tf.stack([self._batch, size])
        return tf.sparse.to_dense(tf.SparseTensor(tensor.indices, tensor.values, shape), default_value=default)

    def sparse(self, name: str) -> tf.SparseTensor:
        """The values of each row, however many; a dense column's zeros and empty strings stand for nothing."""
        tensor = self._inputs[name]
        return tensor if isinstance(tensor, tf.SparseTensor) else tf.sparse.from_dense(tensor)

    def non_empty(self, name: str) -> tf.SparseTensor:
        """[batch, 1] strings, an empty one counting as missing."""
        tensor = self.sparse(name)
        kept = tf.sparse.retain(tensor, tf.not_equal(tensor.values, ""))
        return tf.SparseTensor(kept.indices, kept.values, self._one)


def _finite(columns: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Infinities, which XGBoost refuses, become the largest floats; NaN stays NaN, which is how it sees a gap."""
    if not columns:
        return []
    joined = tf.concat(columns, axis=1)
    limit = tf.where(joined > 0, joined.dtype.max, joined.dtype.min)
    return [tf.where(tf.math.is_inf(joined), limit, joined)]


def _normalised(numeric: tf.Tensor) -> tf.Tensor:
    """Signed log, then mean 0 and variance 1 over the values present; 0 where missing.

    The log tames the heavy tails of counts. One analyzer serves all columns: moments of the values present come from
    the means of (present, value, value²), which Beam accumulates in a single pass.
    """
    present = tf.cast(~tf.math.is_nan(numeric), tf.float32)
    [finite] = _finite([tf.where(present > 0, numeric, 0.0)])
    logs = tf.sign(finite) * tf.math.log1p(tf.abs(finite))
    columns = numeric.shape[1]
    means = tft.mean(tf.concat([present, logs, logs * logs], axis=1), reduce_instance_dims=False)
    share, first, second = (means[i * columns : (i + 1) * columns] for i in range(3))
    mean = tf.math.divide_no_nan(first, share)
    variance = tf.maximum(tf.math.divide_no_nan(second, share) - mean * mean, 0.0)
    return present * tf.math.divide_no_nan(logs - mean, tf.sqrt(variance))


def _codes(column: tf.SparseTensor, feature: Categorical) -> tf.SparseTensor:
    """Each value's rank by frequency over the training days, int64; values not kept share one last rank."""
    return tft.experimental.compute_and_apply_approximate_vocabulary(
        column, top_k=feature.vocabulary_size, num_oov_buckets=1, vocab_filename=f"vocabulary_{feature.name}"
    )


def _or_missing(codes: tf.SparseTensor, dtype: tf.DType, missing: float) -> tf.Tensor:
    """[batch, 1], with `missing` where there is no code."""
    typed = tf.SparseTensor(codes.indices, tf.cast(codes.values, dtype), codes.dense_shape)
    return tf.ensure_shape(tf.sparse.to_dense(typed, default_value=tf.constant(missing, dtype)), [None, 1])


def _multi_hot(column: tf.SparseTensor, feature: MultiValued) -> list[tf.Tensor]:
    """How many values the row has, and one 0/1 column for each value kept."""
    size = feature.vocabulary_size
    codes = tft.experimental.compute_and_apply_approximate_vocabulary(
        column, top_k=size, default_value=-1, vocab_filename=f"vocabulary_{feature.name}"
    )
    dense = tf.sparse.to_dense(codes, default_value=tf.constant(-1, codes.dtype))
    # Over no value at all the maximum is -inf.
    hot = tf.ensure_shape(tf.maximum(tf.reduce_max(tf.one_hot(dense, size), axis=1), 0.0), [None, size])
    present = tf.SparseTensor(column.indices, tf.ones_like(column.values, tf.float32), column.dense_shape)
    return [tf.reshape(tf.sparse.reduce_sum(present, axis=1), [-1, 1]), hot]
