"""Losses that compare the impressions of a session with each other.

Each takes what the network outputs for the impressions of a batch, and gives the loss per objective, in nats, averaged
over the impressions. Rows of the same session have the same code. Labels lie in [0, 1] and need not be 0 or 1, as
distillation mixes them with the forest's probabilities.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

SessionLoss = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""Outputs [rows, outputs], labels [rows, objectives], codes of sessions [rows] → loss [objectives], or [1] for all."""


def listwise(logits: tf.Tensor, labels: tf.Tensor, sessions: tf.Tensor) -> tf.Tensor:
    """The cross entropy of a session's labels with its probabilities, both divided by their sums over the session.

    Bai et al., "Regression compatible listwise objectives for calibrated ranking with binary relevance" (CIKM 2023).
    True probabilities minimise it and the cross entropy of the impressions alike, unlike a softmax of the log-odds,
    which is minimised by the logarithm of the probabilities.

    Args:
        logits: of each objective; see `SessionLoss`.
        labels: see `SessionLoss`.
        sessions: see `SessionLoss`.
    """
    of_session = tf.matmul(_same(sessions), tf.sigmoid(logits))
    shares = tf.math.log_sigmoid(logits) - tf.math.log(of_session)
    return -tf.reduce_mean(labels * shares, axis=0)


def listwise_utility(weights: Sequence[float]) -> SessionLoss:
    """The same cross entropy for the utility instead of each objective; it is one number for all objectives.

    The utility of an impression is the weighted sum of its labels or probabilities. Objectives with a negative weight
    do not count, as shares have to be positive.

    Args:
        weights: what each objective is worth.
    """
    gains = tf.constant(np.maximum(weights, 0.0) / np.maximum(weights, 0.0).sum(), tf.float32)

    def loss(logits: tf.Tensor, labels: tf.Tensor, sessions: tf.Tensor) -> tf.Tensor:
        expected = tf.linalg.matvec(tf.sigmoid(logits), gains)[:, None]
        shares = tf.math.log(expected) - tf.math.log(tf.matmul(_same(sessions), expected))
        observed = tf.linalg.matvec(labels, gains)[:, None]
        return -tf.reduce_mean(observed * shares, axis=0)

    return loss


def pairwise(logits: tf.Tensor, labels: tf.Tensor, sessions: tf.Tensor) -> tf.Tensor:
    """The logistic loss of the differences of log-odds within sessions (Burges et al., "RankNet", ICML 2005).

    A pair of impressions counts as much as its first one has the label and its second one has not, divided by the
    impressions of the session.

    Args:
        logits: of each objective; see `SessionLoss`.
        labels: see `SessionLoss`.
        sessions: see `SessionLoss`.
    """
    same = _same(sessions)
    weights = same / tf.reduce_sum(same, axis=1, keepdims=True)

    def of_objective(column: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        logit, label = column
        losses = tf.nn.softplus(logit[None, :] - logit[:, None])
        return tf.reduce_sum(weights * losses * label[:, None] * (1 - label[None, :]))

    columns = zip(tf.unstack(logits, axis=1), tf.unstack(labels, axis=1), strict=True)
    return tf.stack([of_objective(column) for column in columns]) / tf.cast(tf.shape(logits)[0], tf.float32)


def joint(outputs: tf.Tensor, labels: tf.Tensor, sessions: tf.Tensor) -> tf.Tensor:
    """The ranking loss of JRC: a session's label tells which of its impressions has it.

    Sheng et al., "Joint optimization of ranking and calibration with contextualized hybrid model" (KDD 2023). An
    objective has an output for having the label, and one for not having it. Their difference is its log-odds. Each is
    compared with the same output of the session's other impressions by a softmax.

    Args:
        outputs: of having the label for every objective, then of not having it; see `SessionLoss`.
        labels: see `SessionLoss`.
        sessions: see `SessionLoss`.
    """
    same = _same(sessions)
    # Without the largest output of its session, exp could overflow, or be 0 for a complete session.
    columns = tf.unstack(outputs, axis=1)
    largest = [tf.reduce_max(tf.where(same > 0, column, column.dtype.min), axis=1) for column in columns]
    outputs = outputs - tf.stop_gradient(tf.stack(largest, axis=1))
    shares = outputs - tf.math.log(tf.matmul(same, tf.exp(outputs)))
    having, lacking = tf.split(shares, 2, axis=1)
    return -tf.reduce_mean(labels * having + (1 - labels) * lacking, axis=0)


def _same(sessions: tf.Tensor) -> tf.Tensor:
    """Float32 [rows, rows], 1 for two impressions of the same session. Batches are small, and products are fast."""
    return tf.cast(sessions[:, None] == sessions[None, :], tf.float32)
