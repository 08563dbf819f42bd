"""The Transform graph: from the feed log's columns to what the forest and the towers read.

The same graph runs over the training days in Beam and inside the SavedModel, so there is nothing to keep in step
between training and serving. What it emits is listed in `ranker/keys.py`.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import tensorflow as tf
import tensorflow_transform as tft

from pipeline.config import Categorical, DenseEmbedding, Features, Keys, MultiValued, from_json
from ranker import keys

Tensor: TypeAlias = tf.Tensor | tf.SparseTensor


def preprocessing_fn(inputs: Mapping[str, Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """TFX's entry point; called by its dotted name.

    Args:
        inputs: the feed log's columns as parsed by the schema; a column that may be missing is sparse.
        custom_config: `features` and `keys` as JSON config parts, `objectives` as a list of names.

    Returns:
        The tensors of `ranker/keys.py`, one row per impression.
    """
    features = from_json(Features, custom_config["features"])
    viewer = from_json(Keys, custom_config["keys"]).viewer

    numeric = [_column(inputs[name], float("nan")) for name in features.numeric]
    forest = [_finite(column) for column in numeric]
    forest += [_frequency_rank(inputs[f.name], f) for f in features.categorical]
    for multi_valued in features.multi_valued:
        forest += _multi_hot(inputs[multi_valued.name], multi_valued)

    outputs = {keys.FOREST_FEATURES: tf.concat(forest, axis=1)}
    if numeric:
        outputs[keys.NUMERIC] = _normalised(tf.concat(numeric, axis=1))
    for dense in features.dense:
        outputs[dense.name] = _dense(inputs[dense.name], dense)
    outputs[keys.LABELS] = tf.concat(
        [tf.cast(_column(inputs[name], -1), tf.float32) for name in custom_config["objectives"]], axis=1
    )
    outputs[keys.VIEWER_BUCKET] = tf.strings.to_hash_bucket_fast(_column(inputs[viewer], ""), keys.VIEWER_BUCKETS)
    return outputs


def _column(tensor: Tensor, default: Any) -> tf.Tensor:
    """[batch, 1], with `default` where the value is missing."""
    if isinstance(tensor, tf.SparseTensor):
        rows = tf.SparseTensor(tensor.indices, tensor.values, [tensor.dense_shape[0], 1])
        tensor = tf.sparse.to_dense(rows, default_value=tf.cast(default, tensor.dtype))
    return tf.reshape(tensor, [-1, 1])


def _finite(column: tf.Tensor) -> tf.Tensor:
    """Infinities, which XGBoost refuses, become the largest floats; NaN stays NaN, which is how it sees a gap."""
    limit = column.dtype.max
    return tf.where(tf.math.is_inf(column), tf.sign(column) * limit, column)


def _normalised(numeric: tf.Tensor) -> tf.Tensor:
    """Signed log, then mean 0 and variance 1 over the values present; 0 where missing.

    The log tames the heavy tails of counts. One analyzer serves all columns: moments of the values present come from
    the means of (present, value, value²), which Beam accumulates in a single pass.
    """
    present = tf.cast(~tf.math.is_nan(numeric), tf.float32)
    finite = tf.where(present > 0, _finite(numeric), tf.zeros_like(numeric))
    logs = tf.sign(finite) * tf.math.log1p(tf.abs(finite))
    columns = numeric.shape[1]
    means = tft.mean(tf.concat([present, logs, logs * logs], axis=1), reduce_instance_dims=False)
    share, first, second = (means[i * columns : (i + 1) * columns] for i in range(3))
    mean = tf.math.divide_no_nan(first, share)
    variance = tf.maximum(tf.math.divide_no_nan(second, share) - mean * mean, 0.0)
    return present * tf.math.divide_no_nan(logs - mean, tf.sqrt(variance))


def _frequency_rank(tensor: Tensor, feature: Categorical) -> tf.Tensor:
    """The value's rank by frequency over the training days, NaN where missing; values not kept share one last rank."""
    column = _column(tensor, "")
    codes = tft.compute_and_apply_vocabulary(
        _non_empty(column),
        top_k=feature.vocabulary_size,
        num_oov_buckets=1,
        vocab_filename=f"vocabulary_{feature.name}",
    )
    return _column(tf.SparseTensor(codes.indices, tf.cast(codes.values, tf.float32), codes.dense_shape), float("nan"))


def _multi_hot(tensor: Tensor, feature: MultiValued) -> list[tf.Tensor]:
    """How many values the row has, and one 0/1 column for each value kept."""
    size = feature.vocabulary_size
    if not isinstance(tensor, tf.SparseTensor):
        tensor = tf.sparse.from_dense(tensor)
    codes = tft.compute_and_apply_vocabulary(
        tensor, top_k=size, default_value=-1, vocab_filename=f"vocabulary_{feature.name}"
    )
    dense = tf.sparse.to_dense(codes, default_value=tf.constant(-1, codes.dtype))
    hot = tf.reduce_max(tf.one_hot(dense, size), axis=1)
    # Over no value at all the maximum is -inf.
    hot = tf.ensure_shape(tf.maximum(hot, 0.0), [None, size])
    present = tf.SparseTensor(tensor.indices, tf.ones_like(tensor.values, tf.float32), tensor.dense_shape)
    count = tf.reshape(tf.sparse.reduce_sum(present, axis=1), [-1, 1])
    return [count, hot]


def _dense(tensor: Tensor, feature: DenseEmbedding) -> tf.Tensor:
    """The embedding [batch, size]; zeros where missing."""
    if isinstance(tensor, tf.SparseTensor):
        tensor = tf.sparse.to_dense(
            tf.SparseTensor(tensor.indices, tensor.values, [tensor.dense_shape[0], feature.size])
        )
    return tf.ensure_shape(tensor, [None, feature.size])


def _non_empty(column: tf.Tensor) -> tf.SparseTensor:
    """[batch, 1] strings as a sparse tensor without the empty ones."""
    indices = tf.where(tf.not_equal(column, ""))
    return tf.SparseTensor(indices, tf.gather_nd(column, indices), tf.shape(column, out_type=tf.int64))
