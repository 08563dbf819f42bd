"""The ranking score by hand."""

import numpy as np
import tensorflow as tf

from ranker.config.objectives import Objective
from ranker.export.utility import utility_score


def test_weights_and_groups() -> None:
    objectives = [
        Objective("click", tower="passive", utility_weight=2.0),
        Objective("dwell", tower="passive", utility_weight=0.5),
        Objective("share", tower="active", utility_weight=10.0),
        Objective("reply", tower="active", utility_group="other"),
    ]
    probabilities = {
        "click": tf.constant([0.5, 0.1]),
        "dwell": tf.constant([0.2, 0.4]),
        "share": tf.constant([0.01, 0.05]),
        "reply": tf.constant([0.001, 0.2]),
    }

    score = utility_score(probabilities, objectives, tf.constant(0.25), tf.constant(4.0))

    np.testing.assert_allclose(score, [0.25 * 1.1 + 0.75 * 0.1 + 0.004, 0.25 * 0.4 + 0.75 * 0.5 + 0.8], rtol=1e-6)


def test_a_group_without_objectives_counts_nothing() -> None:
    objectives = [Objective("click", tower="passive")]

    score = utility_score({"click": tf.constant([0.5])}, objectives, tf.constant(0.5), tf.constant(9.0))

    np.testing.assert_allclose(score, [0.25])
