"""All signatures give the same probabilities, which are those of training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from tests.ranker.export.feed import FEATURES, OBJECTIVES, TinyFeed, dense_tensors, feed_rows, serialized

Signatures = Mapping[str, Any]
NAMES = [o.name for o in OBJECTIVES]


@pytest.fixture(scope="module")
def model(saved_model: Path) -> Any:
    """The loaded model, which must be referenced as long as its signatures are called."""
    return tf.saved_model.load(str(saved_model))


@pytest.fixture(scope="module")
def signatures(model: Any) -> Signatures:
    return model.signatures


@pytest.fixture(scope="module")
def expected(feed: TinyFeed) -> np.ndarray:
    """The expected probabilities [rows, objectives], from Beam's transformed rows and the forest's own traversal."""
    return feed.probabilities()


def _stacked(scores: Mapping[str, tf.Tensor]) -> np.ndarray:
    assert set(scores) == set(NAMES)
    assert all(scores[name].shape.rank == 1 for name in NAMES)
    return np.stack([scores[name] for name in NAMES], axis=1)


def test_rows_differ_and_miss_values(feed: TinyFeed, expected: np.ndarray) -> None:
    assert np.all(expected.std(axis=0) > 0.02)
    for column in ("hours-old", "votes", "device", "topics"):
        assert any(not row[column] for row in feed.rows)


@pytest.mark.slow
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


def test_score_local_leaves_agrees(feed: TinyFeed, signatures: Signatures, expected: np.ndarray) -> None:
    local = (feed.leaves - feed.forest.first_leaf[:-1]).astype(np.uint8)
    tensors = {name: tf.constant(values) for name, values in {**feed.batch(), keys.LEAVES: local}.items()}

    np.testing.assert_allclose(_stacked(signatures["score_local_leaves"](**tensors)), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1, 32, 33, 400])
def test_compiled_signatures_agree(feed: TinyFeed, signatures: Signatures, expected: np.ndarray, rows: int) -> None:
    tensors = dense_tensors(feed.rows[:rows])
    trade_off = {"alpha": tf.constant(0.4), "lambda_": tf.constant(0.2)}

    np.testing.assert_allclose(_stacked(signatures["score_features_xla"](**tensors)), expected[:rows], atol=1e-6)
    plain, compiled = (signatures[name](**tensors, **trade_off) for name in ("rank", "rank_xla"))
    np.testing.assert_allclose(compiled["score"], plain["score"], atol=5e-6)
    np.testing.assert_array_equal(np.sort(compiled["order"]), np.arange(rows))


def test_a_value_never_seen_in_training_scores_alike_everywhere(signatures: Signatures) -> None:
    rows = feed_rows(3, seed=9)
    rows[0]["device"], rows[1]["topics"] = [b"watch"], [b"moon", b"art"]

    raw = signatures["serving_default"](examples=tf.constant(serialized(rows)))

    np.testing.assert_allclose(_stacked(raw), _stacked(signatures["score_features"](**dense_tensors(rows))), atol=1e-6)


def test_a_row_with_only_its_embedding_is_scored(signatures: Signatures) -> None:
    row = {"hours-old": [], "votes": [], "device": [], "topics": [], "picture": [0.1, 0.2, 0.3]}

    raw = _stacked(signatures["serving_default"](examples=tf.constant(serialized([row]))))

    assert np.all((raw > 0) & (raw < 1))
    np.testing.assert_allclose(raw, _stacked(signatures["score_features"](**dense_tensors([row]))), atol=1e-6)


def test_one_row_scores_as_it_does_among_many(feed: TinyFeed, signatures: Signatures, expected: np.ndarray) -> None:
    for i in (0, 7, 57):
        one = signatures["serving_default"](examples=tf.constant(serialized([feed.rows[i]])))
        np.testing.assert_allclose(_stacked(one)[0], expected[i], atol=1e-6)


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


def test_weights_of_a_request_replace_the_configs(feed: TinyFeed, signatures: Signatures, expected: np.ndarray) -> None:
    weights = {"weight_like": 0.5, "weight_click": 2.0, "weight_answer": 0.0}
    trade_off = {"alpha": 0.25, "lambda_": 4.0, **weights}
    ranked = signatures["rank_weighted"](
        **dense_tensors(feed.rows), **{name: tf.constant(value) for name, value in trade_off.items()}
    )

    like, click, _ = expected.T
    np.testing.assert_allclose(ranked["score"], 0.25 * 2.0 * click + 0.75 * 0.5 * like, atol=5e-6)


def test_ties_keep_the_order_of_the_request(feed: TinyFeed, signatures: Signatures) -> None:
    # The same candidate in another position may differ in the last bit, so that only weights of zero tie for sure.
    nothing = {f"weight_{objective.name}": tf.constant(0.0) for objective in OBJECTIVES}
    ranked = signatures["rank_weighted"](
        **dense_tensors(feed.rows[:20]), alpha=tf.constant(0.5), lambda_=tf.constant(0.1), **nothing
    )

    np.testing.assert_array_equal(ranked["order"], np.arange(20))


def test_equal_candidates_have_equal_scores_up_to_the_last_bits(feed: TinyFeed, signatures: Signatures) -> None:
    ranked = signatures["rank"](**dense_tensors([feed.rows[0]] * 5), alpha=tf.constant(0.5), lambda_=tf.constant(0.1))

    np.testing.assert_allclose(ranked["score"], np.repeat(ranked["score"][:1], 5), rtol=1e-6)
    assert sorted(ranked["order"].numpy()) == list(range(5))


def test_signatures_have_the_expected_inputs(feed: TinyFeed, signatures: Signatures) -> None:
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
    rank = {**features, "alpha": (tf.float32, []), "lambda_": (tf.float32, [])}
    assert inputs == {
        "serving_default": {"examples": (tf.string, [None])},
        "score_features": features,
        "score_leaves": {
            "leaves": (tf.int32, [None, feed.forest.trees]),
            "numeric": (tf.float32, [None, 2]),
            "categorical": (tf.int64, [None, 1]),
            "picture": (tf.float32, [None, 3]),
        },
        "score_local_leaves": {
            "leaves": (tf.uint8, [None, feed.forest.trees]),
            "numeric": (tf.float32, [None, 2]),
            "categorical": (tf.int64, [None, 1]),
            "picture": (tf.float32, [None, 3]),
        },
        "score_features_xla": features,
        "rank": rank,
        "rank_xla": rank,
        "rank_weighted": {**rank, **{f"weight_{name}": (tf.float32, []) for name in NAMES}},
    }
