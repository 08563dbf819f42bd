"""The Transform graph: from the feed log's columns to the inputs of the forest and the towers.

The same graph runs over the training days in Beam and inside the SavedModel, so training and serving cannot
differ. The transformation of a column is defined by its kind, in its own file in this folder. The outputs of the graph
are listed in `ranker/keys.py`.

Vocabularies use TFT's sketch, which counts batches in C++: the exact analyzer sends each value through Beam separately
and takes longer than everything else together. The sketch is exact up to a few times the requested size.
"""

from collections.abc import Mapping
from typing import Any, Literal

import tensorflow as tf
import tensorflow_transform as tft

from ranker import keys
from ranker.config.columns import Features, Keys
from ranker.config.documents import from_json
from ranker.config.examination import Examination
from ranker.features.exposure import exposure_values
from ranker.features.registry import feature_kinds
from ranker.features.standardising import finite, standardised
from ranker.features.tensors import RawColumns, Tensor


def preprocessing_fn(inputs: Mapping[str, Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """TFX's entry point; called by its dotted name.

    Args:
        inputs: the feed log's columns as parsed by the schema; a column that may be missing is sparse.
        custom_config: `features` and `keys` as JSON config parts, `objectives` as a list of names; `categorical_input`,
            whether the towers read the categorical features; `calibrated_by`, the categorical feature that is the key
            of the calibration, if there is one; `examination`, the config part as JSON, and `randomised`, the column
            that says whether a position was drawn at random, where there is an examination model.

    Returns:
        The tensors of `ranker/keys.py`, one row per impression.
    """
    features = from_json(Features, custom_config["features"])
    columns = RawColumns(inputs, features.names[0])
    transformed = {name: kind.transform(columns, _vocabulary) for name, kind in feature_kinds(features)}

    forest = [one.forest for one in transformed.values() if one.forest is not None]
    outputs = {keys.FOREST_FEATURES: finite(tf.concat(forest, axis=1))}
    if numbers := [one.numbers for one in transformed.values() if one.numbers is not None]:
        outputs[keys.NUMERIC] = standardised(tf.concat(numbers, axis=1))
    for one in transformed.values():
        outputs.update(one.dense)
    codes = {name: one.codes for name, one in transformed.items() if one.codes is not None}
    if codes and custom_config.get("categorical_input"):
        outputs[keys.CATEGORICAL] = tf.concat(list(codes.values()), axis=1)
    if (by := custom_config.get("calibrated_by")) in codes:
        outputs[keys.CALIBRATION_KEY] = codes[by]
    if custom_config.get("examination"):
        outputs.update(_for_examination(columns, features, codes, custom_config))
    labels = [columns.one(name, 0) for name in custom_config["objectives"]]
    outputs[keys.LABELS] = tf.cast(tf.concat(labels, axis=1), tf.float32)
    viewer = columns.one(from_json(Keys, custom_config["keys"]).viewer, "")
    outputs[keys.VIEWER_BUCKET] = tf.strings.to_hash_bucket_fast(viewer, keys.VIEWER_BUCKETS)
    return outputs


def _for_examination(
    columns: RawColumns, features: Features, codes: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]
) -> dict[str, tf.Tensor]:
    """What the examination model reads: exposure, and which impressions stood at random positions."""
    missing = {one.name: "" if isinstance(one.default, str) else float("nan") for one in features.exposure}
    exposure = [columns.one(name, empty)[:, 0] for name, empty in missing.items()]
    outputs = {keys.EXPOSURE_VALUES: exposure_values(features.exposure, exposure)}
    if by := from_json(Examination, custom_config["examination"]).by:
        outputs[keys.EXAMINED_BY] = tf.concat([codes[name] for name in by], axis=1)
    session = columns.one(from_json(Keys, custom_config["keys"]).session, "")
    randomised = columns.one(custom_config["randomised"], 0) > 0
    outputs[keys.RANDOM_SESSION] = tf.where(randomised, tf.strings.to_hash_bucket_fast(session, 1 << 62), -1)
    return outputs


def _vocabulary(values: tf.SparseTensor, name: str, size: int, rest: Literal["shared", "none"]) -> tf.SparseTensor:
    """See `ranker.features.kind.Vocabulary`."""
    return tft.experimental.compute_and_apply_approximate_vocabulary(
        values,
        default_value=-1,
        top_k=size,
        num_oov_buckets=1 if rest == "shared" else 0,
        vocab_filename=f"vocabulary_{name}",
    )
