"""The Transform graph: from the feed log's columns to the inputs of the forest and the towers.

The same graph runs over the training days in Beam and inside the SavedModel, so training and serving cannot
differ. The transformation of a column is defined by its kind, in its own file in this folder. The outputs of the graph
are listed in `ranker/keys.py`.

The graph contains the vocabularies and moments of the training days as constants; `ranker.features.analysis` computes
them. So it has no analyzers, and TFT traces it only to write it.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ranker import keys
from ranker.config.columns import Features, Keys
from ranker.config.documents import from_json
from ranker.config.examination import Examination
from ranker.features.analysis import Analysis
from ranker.features.exposure import exposure_values
from ranker.features.keys_and_labels import NOT_OBSERVED
from ranker.features.outputs import feature_outputs
from ranker.features.tensors import RawColumns, Tensor
from ranker.features.vocabularies import Vocabularies, tracked_table


def preprocessing_fn(
    inputs: Mapping[str, Tensor], custom_config: Mapping[str, Any], analysis: Analysis, vocabulary_file: str
) -> dict[str, tf.Tensor]:
    """TFT's preprocessing function; called by its dotted name.

    Args:
        inputs: the feed log's columns as parsed by the schema; a column that may be missing is sparse.
        custom_config: `features` and `keys` as JSON config parts, `objectives` as a list of names; `categorical_input`,
            whether the towers read the categorical features; `calibrated_by`, the categorical feature that is the key
            of the calibration, if there is one; `examination`, the config part as JSON, and `randomised`, the column
            that says whether a position was drawn at random, where there is an examination model; `weighted`, whether
            impressions differ in weight.
        analysis: of the training days.
        vocabulary_file: path of the file of their vocabularies.

    Returns:
        The tensors of `ranker/keys.py`, one row per impression.
    """
    features = from_json(Features, custom_config["features"])
    examination = custom_config.get("examination")
    columns = RawColumns(inputs, features.names[0])
    outputs = feature_outputs(
        features,
        columns,
        Vocabularies(analysis.vocabularies, lambda: tracked_table(vocabulary_file)),
        analysis.moments,
        custom_config.get("calibrated_by"),
        from_json(Examination, examination).by if examination else (),
    )
    if not custom_config.get("categorical_input"):
        outputs.pop(keys.CATEGORICAL, None)
    if examination:
        outputs.update(_for_examination(columns, features, custom_config))
    labels = tf.concat([columns.one(name, NOT_OBSERVED) for name in custom_config["objectives"]], axis=1)
    outputs[keys.LABELS] = tf.where(labels == NOT_OBSERVED, float("nan"), tf.cast(labels, tf.float32))
    if custom_config.get("weighted"):
        outputs[keys.ROW_WEIGHT] = columns.one(keys.ROW_WEIGHT, 1.0)
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
