"""The Transform graph: from the feed log's columns to the inputs of the forest and the towers.

The same graph runs over the training days in Beam and inside the SavedModel, so training and serving cannot
differ. The transformation of a column is defined by its kind, in its own file in this folder. The outputs of the graph
are listed in `ranker/keys.py`.

The graph contains the vocabularies and moments of the training days as constants; `ranker.features.analysis` computes
them. So it has no analyzers, and TFT traces it only to write it.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import tensorflow as tf

from ranker import keys
from ranker.config.columns import Features, Keys
from ranker.config.documents import from_json
from ranker.config.examination import Examination
from ranker.features.analysis import Analysis
from ranker.features.exposure import exposure_values
from ranker.features.registry import feature_kinds
from ranker.features.standardising import finite, standardised
from ranker.features.tensors import RawColumns, Tensor
from ranker.features.vocabularies import Vocabularies


def preprocessing_fn(
    inputs: Mapping[str, Tensor], custom_config: Mapping[str, Any], analysis: Analysis, vocabulary_file: str
) -> dict[str, tf.Tensor]:
    """TFT's preprocessing function; called by its dotted name.

    Args:
        inputs: the feed log's columns as parsed by the schema; a column that may be missing is sparse.
        custom_config: `features` and `keys` as JSON config parts, `objectives` as a list of names; `categorical_input`,
            whether the towers read the categorical features; `calibrated_by`, the categorical feature that is the key
            of the calibration, if there is one; `examination`, the config part as JSON, and `randomised`, the column
            that says whether a position was drawn at random, where there is an examination model.

        analysis: of the training days.
        vocabulary_file: path of the file of their vocabularies.

    Returns:
        The tensors of `ranker/keys.py`, one row per impression.
    """
    features = from_json(Features, custom_config["features"])
    columns = RawColumns(inputs, features.names[0])
    vocabularies = Vocabularies(analysis.vocabularies, vocabulary_file)
    transformed = [
        kind.transform([feature.column for _, feature in of_kind], columns, vocabularies)
        for kind, of_kind in groupby(feature_kinds(features), lambda named: type(named[1]))
    ]

    forest = [one.forest for one in transformed if one.forest is not None]
    outputs = {keys.FOREST_FEATURES: finite(tf.concat(forest, axis=1))}
    if numbers := [one.numbers for one in transformed if one.numbers is not None]:
        outputs[keys.NUMERIC] = standardised(tf.concat(numbers, axis=1), analysis.moments)
    for one in transformed:
        outputs.update(one.dense)
    matrices = [one.codes for one in transformed if one.codes is not None]
    if matrices and custom_config.get("categorical_input"):
        outputs[keys.CATEGORICAL] = tf.concat(matrices, axis=1)
    coded = [column.name for column in features.columns if column.codes]
    if (by := custom_config.get("calibrated_by")) in coded:
        outputs[keys.CALIBRATION_KEY] = _codes_of([by], coded, matrices)
    if custom_config.get("examination"):
        outputs.update(_for_examination(columns, features, custom_config))
        if examined_by := from_json(Examination, custom_config["examination"]).by:
            outputs[keys.EXAMINED_BY] = _codes_of(examined_by, coded, matrices)
    labels = [columns.one(name, 0) for name in custom_config["objectives"]]
    outputs[keys.LABELS] = tf.cast(tf.concat(labels, axis=1), tf.float32)
    viewer = columns.one(from_json(Keys, custom_config["keys"]).viewer, "")
    outputs[keys.VIEWER_BUCKET] = tf.strings.to_hash_bucket_fast(viewer, keys.VIEWER_BUCKETS)
    return outputs


def _for_examination(columns: RawColumns, features: Features, custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """What the examination model reads: exposure, and which impressions stood at random positions."""
    missing = {one.name: "" if isinstance(one.default, str) else float("nan") for one in features.exposure}
    exposure = [columns.one(name, empty)[:, 0] for name, empty in missing.items()]
    outputs = {keys.EXPOSURE_VALUES: exposure_values(features.exposure, exposure)}
    session = columns.one(from_json(Keys, custom_config["keys"]).session, "")
    randomised = columns.one(custom_config["randomised"], 0) > 0
    outputs[keys.RANDOM_SESSION] = tf.where(randomised, tf.strings.to_hash_bucket_fast(session, 1 << 62), -1)
    return outputs


def _codes_of(names: Sequence[str], coded: Sequence[str], matrices: Sequence[tf.Tensor]) -> tf.Tensor:
    """int64 [batch, names], of the columns `coded` of which the matrices consist."""
    return tf.gather(tf.concat(matrices, axis=1), [coded.index(name) for name in names], axis=1)
