"""A model with a calibration by a feature: every signature applies the function of the row's value."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.serving import LeafTable
from ranker.export.leaf_tables import make_logits
from ranker.export.saved_model import export_saved_model
from ranker.forest.graph import ForestLeaves
from ranker.registry.manifest import Manifest
from tests.ranker.export.feed import FEATURES, OBJECTIVES, TinyFeed, dense_tensors, feed_rows, serialized

pytestmark = pytest.mark.slow

[DEVICE] = FEATURES.categorical
ALPHA, LAMBDA = 0.4, 0.2


@pytest.fixture(scope="module")
def calibrated(feed: TinyFeed) -> TinyFeed:
    return feed.calibrated()


@pytest.fixture(scope="module")
def model(calibrated: TinyFeed, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The model, exported and loaded."""
    folder: Path = tmp_path_factory.mktemp("calibrated") / "model"
    export_saved_model(calibrated.module(), manifest, str(folder))
    return tf.saved_model.load(str(folder))


@pytest.fixture(scope="module")
def expected(calibrated: TinyFeed) -> np.ndarray:
    return calibrated.probabilities()


def _scores(model: Any, signature: str, tensors: Mapping[str, Any]) -> np.ndarray:
    scores = model.signatures[signature](**{name: tf.constant(tensor) for name, tensor in tensors.items()})
    return np.stack([scores[o.name] for o in OBJECTIVES], axis=1)


def test_rows_have_every_kind_of_key_and_the_key_matters(calibrated: TinyFeed, expected: np.ndarray) -> None:
    codes = calibrated.transformed[keys.CALIBRATION_KEY][:, 0]
    assert set(codes) == set(range(DEVICE.missing_code + 1))
    assert {bool(row["device"]) for row, code in zip(calibrated.rows, codes, strict=True) if code == 4} == {False}

    others = calibrated.batch() | {keys.CALIBRATION_KEY: (codes[:, np.newaxis] + 1) % (DEVICE.missing_code + 1)}
    change = tf.sigmoid(calibrated.network(others)) - tf.sigmoid(calibrated.network(calibrated.batch()))
    assert np.all(np.abs(change).max(axis=0) > 0.02)


@pytest.mark.parametrize("signature", ["score_features", "score_features_xla", "serving_default"])
def test_raw_features_score_as_training_saw_them(
    calibrated: TinyFeed, model: Any, expected: np.ndarray, signature: str
) -> None:
    raw = serialized(calibrated.rows, FEATURES.names)
    tensors = {"examples": raw} if signature == "serving_default" else dense_tensors(calibrated.rows)

    np.testing.assert_allclose(_scores(model, signature, tensors), expected, atol=1e-6)


def test_leaves_and_the_key_score_as_training_saw_them(calibrated: TinyFeed, model: Any, expected: np.ndarray) -> None:
    batch = calibrated.batch()
    local = (calibrated.leaves - calibrated.forest.first_leaf[:-1]).astype(np.uint8)

    np.testing.assert_allclose(_scores(model, "score_leaves", batch), expected, atol=1e-6)
    np.testing.assert_allclose(_scores(model, "score_local_leaves", {**batch, keys.LEAVES: local}), expected, atol=1e-6)


@pytest.mark.parametrize("signature", ["rank", "rank_xla", "rank_weighted"])
def test_ranking_weighs_calibrated_probabilities(
    calibrated: TinyFeed, model: Any, expected: np.ndarray, signature: str
) -> None:
    weights = {f"weight_{o.name}": o.utility_weight for o in OBJECTIVES} if signature == "rank_weighted" else {}
    scalars = {"alpha": ALPHA, "lambda_": LAMBDA, **weights}
    ranked = model.signatures[signature](
        **dense_tensors(calibrated.rows), **{name: tf.constant(value) for name, value in scalars.items()}
    )

    like, click, answer = expected.T
    np.testing.assert_allclose(
        ranked["score"], ALPHA * click + (1 - ALPHA) * 3.0 * like + LAMBDA * 2.0 * answer, atol=5e-6
    )


def test_an_unseen_value_is_calibrated_like_values_outside_the_vocabulary(calibrated: TinyFeed, model: Any) -> None:
    kept = {b"ios", b"android", b"web", b"tv"}
    rows = feed_rows(60, seed=9)
    for row in rows:
        row["device"] = [b"watch"]
    [not_kept] = kept - {
        row["device"][0]
        for row, code in zip(calibrated.rows, calibrated.transformed[keys.CALIBRATION_KEY][:, 0], strict=True)
        if code < DEVICE.vocabulary_size
    }

    watch = _scores(model, "serving_default", {"examples": serialized(rows)})
    for row in rows:
        row["device"] = [not_kept]
    np.testing.assert_array_equal(watch, _scores(model, "score_features", dense_tensors(rows)))


@pytest.mark.parametrize("table", get_args(LeafTable))
def test_every_form_of_the_leaf_table_is_calibrated(calibrated: TinyFeed, table: LeafTable) -> None:
    batch = {name: tf.constant(values) for name, values in calibrated.batch().items()}
    logits = make_logits(calibrated.network, table, ForestLeaves(calibrated.forest))

    np.testing.assert_allclose(
        tf.sigmoid(logits(batch)),
        tf.sigmoid(calibrated.network(batch)),
        atol=5e-3 if table in ("bfloat16", "int8") else 1e-5,
    )


def test_the_key_is_an_input_where_leaves_are(calibrated: TinyFeed, model: Any) -> None:
    inputs = {
        name: signature.structured_input_signature[1].get(keys.CALIBRATION_KEY)
        for name, signature in model.signatures.items()
    }
    taking = {name: (spec.dtype, spec.shape.as_list()) for name, spec in inputs.items() if spec is not None}

    assert taking == {name: (tf.int64, [None, 1]) for name in ("score_leaves", "score_local_leaves")}


@pytest.mark.parametrize("code", [-1, DEVICE.missing_code + 1])
@pytest.mark.parametrize("signature", ["score_leaves", "score_local_leaves"])
def test_a_key_that_the_model_does_not_have_is_refused(
    calibrated: TinyFeed, model: Any, signature: str, code: int
) -> None:
    batch = {name: values[:5].copy() for name, values in calibrated.batch().items()}
    batch[keys.CALIBRATION_KEY][3] = code
    if signature == "score_local_leaves":
        batch[keys.LEAVES] = np.zeros(batch[keys.LEAVES].shape, np.uint8)

    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"calibration_key: every code must lie in \[0, limit\).* \[5\]"
    ):
        _scores(model, signature, batch)


def test_fewer_keys_than_candidates_are_refused(calibrated: TinyFeed, model: Any) -> None:
    batch = {**calibrated.batch(), keys.CALIBRATION_KEY: calibrated.batch()[keys.CALIBRATION_KEY][:7]}

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"fewer rows than the others.*calibration_key"):
        _scores(model, "score_leaves", batch)
