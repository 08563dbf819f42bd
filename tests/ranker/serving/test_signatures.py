"""Every way into the model gives the same probabilities, and they are those that training sees."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from tests.ranker.serving.feed import FEATURES, OBJECTIVES, TinyFeed, dense_tensors, feed_rows, serialized

Signatures = Mapping[str, Any]
NAMES = [o.name for o in OBJECTIVES]


@pytest.fixture(scope="module")
def model(saved_model: Path) -> Any:
    """The loaded model, which has to live as long as its signatures are called."""
    return tf.saved_model.load(str(saved_model))


@pytest.fixture(scope="module")
def signatures(model: Any) -> Signatures:
    return model.signatures


@pytest.fixture(scope="module")
def expected(feed: TinyFeed) -> np.ndarray:
    """From what Beam transformed and the forest's own traversal encoded; [rows, objectives]."""
    return feed.probabilities()


def _stacked(scores: Mapping[str, tf.Tensor]) -> np.ndarray:
    assert set(scores) == set(NAMES)
    assert all(scores[name].shape.rank == 1 for name in NAMES)
    return np.stack([scores[name] for name in NAMES], axis=1)


def test_rows_differ_and_miss_values(feed: TinyFeed, expected: np.ndarray) -> None:
    assert np.all(expected.std(axis=0) > 0.02)
    for column in ("hours-old", "votes", "device", "topics"):
        assert any(not row[column] for row in feed.rows)


def test_serving_default_scores_raw_examples_as_training_saw_them(
    feed: TinyFeed, signatures: Signatures, expected: np.ndarray
) -> None:
    scores = signatures["serving_default"](examples=tf.constant(serialized(feed.rows, FEATURES.names)))

    np.testing.assert_allclose(_stacked(scores), expected, atol=1e-6)


def test_keys_and_labels_in_an_example_change_nothing(
    feed: TinyFeed, signatures: Signatures, expected: np.ndarray
) -> None:
    scores = signatures["serving_default"](examples=tf.constant(serialized(feed.rows)))

    np.testing.assert_allclose(_stacked(scores), expected, atol=1e-6)


def test_score_features_agrees(feed: TinyFeed, signatures: Signatures, expected: np.ndarray) -> None:
    np.testing.assert_allclose(_stacked(signatures["score_features"](**dense_tensors(feed.rows))), expected, atol=1e-6)


def test_score_leaves_agrees(feed: TinyFeed, signatures: Signatures, expected: np.ndarray) -> None:
    tensors = {name: tf.constant(values) for name, values in feed.batch().items()}

    np.testing.assert_allclose(_stacked(signatures["score_leaves"](**tensors)), expected, atol=1e-6)


def test_a_value_never_seen_in_training_scores_alike_everywhere(signatures: Signatures) -> None:
    rows = feed_rows(3, seed=9)
    rows[0]["device"], rows[1]["topics"] = [b"watch"], [b"moon", b"art"]

    raw = signatures["serving_default"](examples=tf.constant(serialized(rows)))

    np.testing.assert_allclose(_stacked(raw), _stacked(signatures["score_features"](**dense_tensors(rows))), atol=1e-6)


def test_a_row_of_nothing_but_its_embedding_is_scored(signatures: Signatures) -> None:
    row = {"hours-old": [], "votes": [], "device": [], "topics": [], "picture": [0.1, 0.2, 0.3]}

    raw = _stacked(signatures["serving_default"](examples=tf.constant(serialized([row]))))

    assert np.all((raw > 0) & (raw < 1))
    np.testing.assert_allclose(raw, _stacked(signatures["score_features"](**dense_tensors([row]))), atol=1e-6)


def test_one_row_scores_as_it_does_among_many(feed: TinyFeed, signatures: Signatures, expected: np.ndarray) -> None:
    for i in (0, 7, 57):
        one = signatures["serving_default"](examples=tf.constant(serialized([feed.rows[i]])))
        np.testing.assert_allclose(_stacked(one)[0], expected[i], atol=1e-6)


def test_no_rows_give_no_scores(signatures: Signatures) -> None:
    scores = signatures["serving_default"](examples=tf.constant([], tf.string))

    assert _stacked(scores).shape == (0, len(NAMES))


@pytest.mark.parametrize(("alpha", "lambda_"), [(0.0, 0.0), (1.0, 0.0), (0.3, 0.5)])
def test_rank_weighs_the_groups(
    feed: TinyFeed, signatures: Signatures, expected: np.ndarray, alpha: float, lambda_: float
) -> None:
    ranked = signatures["rank"](**dense_tensors(feed.rows), alpha=tf.constant(alpha), lambda_=tf.constant(lambda_))

    like, click, answer = expected.T
    score = alpha * click + (1 - alpha) * 3.0 * like + lambda_ * 2.0 * answer
    np.testing.assert_allclose(ranked["score"], score, atol=5e-6)
    order = ranked["order"].numpy()
    assert sorted(order) == list(range(len(feed.rows)))
    assert np.all(np.diff(ranked["score"].numpy()[order]) <= 0)


def test_ties_keep_the_order_of_the_request(feed: TinyFeed, signatures: Signatures) -> None:
    ranked = signatures["rank"](**dense_tensors([feed.rows[0]] * 5), alpha=tf.constant(0.5), lambda_=tf.constant(0.1))

    np.testing.assert_array_equal(ranked["order"], np.arange(5))


@pytest.mark.parametrize("leaf", [-1, 10_000])
def test_a_leaf_the_forest_does_not_have_is_refused(feed: TinyFeed, signatures: Signatures, leaf: int) -> None:
    leaves = feed.leaves.copy()
    leaves[3, 2] = leaf
    tensors = {name: tf.constant(values) for name, values in {**feed.batch(), keys.LEAVES: leaves}.items()}

    with pytest.raises(tf.errors.InvalidArgumentError, match=r"leaves: every leaf id must lie in \[0, "):
        signatures["score_leaves"](**tensors)


def test_signatures_say_what_they_take(feed: TinyFeed, signatures: Signatures) -> None:
    inputs = {
        name: {key: (spec.dtype, spec.shape.as_list()) for key, spec in signature.structured_input_signature[1].items()}
        for name, signature in signatures.items()
    }

    features = {
        "hours_old": (tf.float32, [None]),
        "votes": (tf.float32, [None]),
        "device": (tf.string, [None]),
        "topics": (tf.string, [None, None]),
        "picture": (tf.float32, [None, 3]),
    }
    assert inputs == {
        "serving_default": {"examples": (tf.string, [None])},
        "score_features": features,
        "score_leaves": {
            "leaves": (tf.int32, [None, feed.forest.trees]),
            "numeric": (tf.float32, [None, 2]),
            "picture": (tf.float32, [None, 3]),
        },
        "rank": {**features, "alpha": (tf.float32, []), "lambda_": (tf.float32, [])},
    }
