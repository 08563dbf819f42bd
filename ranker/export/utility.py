"""The ranking score: the weighted sum of all objectives' probabilities."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import get_args

import tensorflow as tf

from ranker.config.objectives import Objective, UtilityGroup


def utility_score(
    probabilities: Mapping[str, tf.Tensor],
    objectives: Sequence[Objective],
    alpha: tf.Tensor,
    lambda_: tf.Tensor,
    weights: Mapping[str, tf.Tensor] = MappingProxyType({}),
) -> tf.Tensor:
    """`alpha * f_p + (1 - alpha) * f_a + lambda * f_o`, the source's multi-objective trade-off; [batch].

    `f_p`, `f_a` and `f_o` are the sums of weight times probability over the passive, active and other objectives. An
    objective with a negative weight lowers the score.

    Args:
        probabilities: objective → [batch].
        objectives: with their groups and weights.
        alpha: scalar, the weight of passive consumption; that of active consumption is 1 minus it.
        lambda_: scalar, the weight of the other objectives.
        weights: objective → scalar, which replaces the config's weight.
    """
    zero = tf.zeros_like(probabilities[objectives[0].name])
    groups = {
        group: sum(
            (weights.get(o.name, o.utility_weight) * probabilities[o.name] for o in objectives if o.group == group),
            zero,
        )
        for group in get_args(UtilityGroup)
    }
    return alpha * groups["passive"] + (1.0 - alpha) * groups["active"] + lambda_ * groups["other"]
