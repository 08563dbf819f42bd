"""The losses against their definitions, pair by pair and session by session."""

import numpy as np
import pytest
import tensorflow as tf

from research.ranking.session_losses import SessionLoss, joint, listwise, listwise_utility, pairwise

LABELS = np.array([[1, 0], [0, 1], [0, 0.5], [1, 1], [0, 1], [1, 0]], np.float32)
SESSIONS = np.array([7, 2, 7, 2, 2, 9], np.int32)
OUTPUTS = np.random.default_rng(3).normal(0, 2, (6, 4)).astype(np.float32)
LOGITS = OUTPUTS[:, :2]


def sessions() -> list[np.ndarray]:
    return [np.flatnonzero(code == SESSIONS) for code in (2, 7, 9)]


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def value(loss: SessionLoss, outputs: np.ndarray) -> np.ndarray:
    found: np.ndarray = loss(tf.constant(outputs), tf.constant(LABELS), tf.constant(SESSIONS)).numpy()
    return found


def gradient(loss: SessionLoss, outputs: np.ndarray, labels: np.ndarray, codes: np.ndarray) -> np.ndarray:
    variable = tf.Variable(outputs)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss(variable, tf.constant(labels), tf.constant(codes)))
    found: np.ndarray = tape.gradient(total, variable).numpy()
    return found


def test_listwise_is_the_cross_entropy_of_shares_of_a_session() -> None:
    p, expected = sigmoid(LOGITS), np.zeros(2)
    for rows in sessions():
        expected -= (LABELS[rows] * np.log(p[rows] / p[rows].sum(axis=0))).sum(axis=0)
    assert value(listwise, LOGITS) == pytest.approx(expected / len(LABELS), rel=1e-5)


def test_true_probabilities_minimise_listwise() -> None:
    at_truth = gradient(listwise, LOGITS, sigmoid(LOGITS), SESSIONS)
    assert at_truth == pytest.approx(np.zeros_like(at_truth), abs=1e-6)
    assert np.abs(gradient(listwise, LOGITS, LABELS, SESSIONS)).max() > 0.01


def test_listwise_of_the_utility_compares_weighted_sums() -> None:
    p, weights, expected = sigmoid(LOGITS), [3.0, 1.0], 0.0
    gains, utility = LABELS @ weights / 4, p @ weights
    for rows in sessions():
        expected -= (gains[rows] * np.log(utility[rows] / utility[rows].sum())).sum()
    assert value(listwise_utility(weights), LOGITS) == pytest.approx([expected / len(LABELS)], rel=1e-5)
    at_truth = gradient(listwise_utility(weights), LOGITS, p, SESSIONS)
    assert at_truth == pytest.approx(np.zeros_like(at_truth), abs=1e-6)


def test_objectives_of_a_negative_weight_do_not_count_in_the_utility() -> None:
    with_hide = value(listwise_utility([3.0, -1.0]), LOGITS)
    alone = listwise(LOGITS[:, :1], tf.constant(LABELS[:, :1]), tf.constant(SESSIONS)).numpy()
    assert with_hide == pytest.approx(alone, rel=1e-5)


def test_pairwise_is_the_logistic_loss_of_all_pairs_of_a_session() -> None:
    expected = np.zeros(2)
    for rows in sessions():
        for first in rows:
            for second in rows:
                loss = np.log1p(np.exp(LOGITS[second] - LOGITS[first]))
                expected += loss * LABELS[first] * (1 - LABELS[second]) / len(rows)
    # An impression with a label of 0.5 is a pair with itself, which no order of impressions changes.
    assert value(pairwise, LOGITS) == pytest.approx(expected / len(LABELS), rel=1e-5)


def test_joint_compares_each_output_with_the_same_output_of_the_session() -> None:
    expected = np.zeros(2)
    for rows in sessions():
        shares = np.log(np.exp(OUTPUTS[rows]) / np.exp(OUTPUTS[rows]).sum(axis=0))
        expected -= (LABELS[rows] * shares[:, :2] + (1 - LABELS[rows]) * shares[:, 2:]).sum(axis=0)
    assert value(joint, OUTPUTS) == pytest.approx(expected / len(LABELS), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "outputs"), [(listwise, 2), (listwise_utility([3.0, 1.0]), 2), (pairwise, 2), (joint, 4)]
)
def test_sessions_of_one_impression_teach_nothing(loss: SessionLoss, outputs: int) -> None:
    of_all = gradient(loss, OUTPUTS[:, :outputs], LABELS, np.arange(6, dtype=np.int32))
    assert of_all == pytest.approx(np.zeros_like(of_all), abs=1e-7)


def test_large_outputs_are_finite() -> None:
    assert np.isfinite(value(joint, 100 * OUTPUTS)).all()
    assert np.isfinite(gradient(joint, 100 * OUTPUTS, LABELS, SESSIONS)).all()
