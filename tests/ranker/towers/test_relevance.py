"""Examination × relevance, computed in log-odds."""

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.towers.relevance import examined, relevance_shift


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def test_log_odds_of_the_product() -> None:
    logits = np.array([[-20.0, -3.0], [0.0, 2.0], [5.0, 12.0], [-1.0, 40.0]], np.float32)
    log_examination = np.log(np.array([[1.0], [0.5], [0.1], [0.9]], np.float32))
    found = examined(tf.constant(logits), {keys.LOG_EXAMINATION: tf.constant(log_examination)})
    np.testing.assert_allclose(
        tf.sigmoid(found), np.exp(log_examination) * sigmoid(logits.astype(np.float64)), rtol=1e-5
    )


def test_without_examination_nothing_changes() -> None:
    logits = tf.constant([[0.5, -2.0]])
    assert examined(logits, {}) is logits
    np.testing.assert_array_equal(examined(logits, {keys.LOG_EXAMINATION: tf.zeros([1, 1])}), logits)


def test_the_gradient_is_that_of_the_product() -> None:
    logits, log_examination = tf.Variable([[-2.0], [0.3], [8.0]]), tf.constant([[-1.0], [-0.2], [0.0]])
    labels = tf.constant([[1.0], [0.0], [0.0]])
    with tf.GradientTape() as tape:
        product = examined(logits, {keys.LOG_EXAMINATION: log_examination})
        loss = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, product))
    r, e, y = sigmoid(logits.numpy()), np.exp(log_examination.numpy()), labels.numpy()
    np.testing.assert_allclose(tape.gradient(loss, logits), (e * r - y) / (1 - e * r) * (1 - r), rtol=1e-4)


def test_the_forests_log_odds_are_shifted_to_relevance() -> None:
    rng = np.random.default_rng(1)
    relevance = rng.normal([-2.0, 0.0], 1.0, (50_000, 2))
    log_examination = np.log(rng.uniform(0.2, 1.0, (50_000, 1)))
    labels = rng.random(relevance.shape) < np.exp(log_examination) * sigmoid(relevance)
    # The forest has learnt the same differences, and that about 0.6 of the items are looked at.
    margins = relevance + np.array([-0.6, -1.1])
    batches = [
        {
            keys.LEAVES: tf.constant(margins[begin : begin + 1000], tf.float32),
            keys.LOG_EXAMINATION: tf.constant(log_examination[begin : begin + 1000], tf.float32),
            keys.LABELS: tf.constant(labels[begin : begin + 1000], tf.float32),
        }
        for begin in range(0, 50_000, 1000)
    ]
    shift, mean = relevance_shift(batches, lambda leaves: leaves)
    np.testing.assert_allclose(shift, [0.6, 1.1], atol=0.06)
    assert mean == pytest.approx(0.6, abs=0.01)
    expected = (np.exp(log_examination) * sigmoid(margins + shift)).sum(axis=0)
    np.testing.assert_allclose(expected, labels.sum(axis=0), rtol=1e-4)


def test_without_outcomes_the_relevance_is_that_of_the_forests_predictions() -> None:
    log_odds, log_examination = np.array([[-1.0], [0.5], [-2.0]]), np.log([[0.3], [0.9], [0.6]])
    batch = {
        keys.LEAVES: tf.constant(log_odds, tf.float32),
        keys.LOG_EXAMINATION: tf.constant(log_examination, tf.float32),
        keys.LABELS: tf.zeros([3, 1]),
        keys.LOSS_WEIGHTS: tf.zeros([3, 1]),
    }
    shift, _ = relevance_shift([batch], lambda leaves: leaves)
    found = (np.exp(log_examination) * sigmoid(log_odds + shift)).sum()
    assert found == pytest.approx(sigmoid(log_odds).sum(), rel=1e-4)
