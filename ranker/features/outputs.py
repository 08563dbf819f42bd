"""What the forest, the towers and the examination model read of a row's features, from its columns.

It is a part of Transform's graph, and the served model computes the same on a request's columns.
"""

from collections.abc import Sequence
from itertools import groupby

import tensorflow as tf

from ranker import keys
from ranker.config.columns import Features
from ranker.features.kind import Transformed
from ranker.features.registry import feature_kinds
from ranker.features.standardising import Moments, finite, standardised
from ranker.features.tensors import Columns
from ranker.features.vocabularies import Vocabularies


def feature_outputs(
    features: Features,
    columns: Columns,
    vocabularies: Vocabularies,
    moments: Moments,
    calibrated_by: str | None = None,
    examined_by: Sequence[str] = (),
) -> dict[str, tf.Tensor]:
    """The tensors of `ranker/keys.py` that depend on features alone, one row per impression.

    Args:
        features: the config's.
        columns: of the rows.
        vocabularies: of the columns of strings.
        moments: of the numeric columns, in the order of the config.
        calibrated_by: the categorical feature that is the key of the calibration, if there is one.
        examined_by: the categorical features that examination depends on.
    """
    transformed = [
        kind.transform([feature.column for _, feature in of_kind], columns, vocabularies)
        for kind, of_kind in groupby(feature_kinds(features), lambda named: type(named[1]))
    ]
    forest = [one.forest for one in transformed if one.forest is not None]
    # Whatever a kind adds, the forest reads nothing but the inputs that have a name.
    inputs = tf.ensure_shape(_side_by_side(forest or [_no_inputs(transformed)]), [None, len(features.forest_names)])
    outputs = {keys.FOREST_FEATURES: finite(inputs)}
    if numbers := [one.numbers for one in transformed if one.numbers is not None]:
        outputs[keys.NUMERIC] = standardised(_side_by_side(numbers), moments)
    for one in transformed:
        outputs.update(one.dense)
        if one.ids is not None:
            outputs[keys.HASHED_IDS] = one.ids
    coded = [column.name for column in features.coded]
    if matrices := [one.codes for one in transformed if one.codes is not None]:
        codes = _side_by_side(matrices)
        outputs[keys.CATEGORICAL] = codes
        if calibrated_by in coded:
            outputs[keys.CALIBRATION_KEY] = tf.gather(codes, [coded.index(calibrated_by)], axis=1)
        if examined_by:
            outputs[keys.EXAMINED_BY] = tf.gather(codes, [coded.index(name) for name in examined_by], axis=1)
    return outputs


def _no_inputs(transformed: Sequence[Transformed]) -> tf.Tensor:
    """float32 [rows, 0]: without a forest, features need not have inputs of one."""
    there = (tensor for one in transformed for tensor in (*one.dense.values(), one.ids) if tensor is not None)
    return tf.zeros([tf.shape(next(there))[0], 0])


def _side_by_side(matrices: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.concat(matrices, axis=1) if len(matrices) > 1 else matrices[0]
