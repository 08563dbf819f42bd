"""The served log-odds: a weighted mean of those of the towers and the forest."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

Margins = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True, eq=False)
class Blend:
    """(1 - share) * the towers' log-odds + share * the forest's.

    If the forest has seen the training days, the towers are trained on their own logits. That is so on a cold start,
    and on later days that refresh the forest. If the forest is not refreshed, only the towers can learn the new days,
    so their loss is computed on the blend.

    Attributes:
        margins: leaf ids int32 [batch, trees] → the forest's log-odds [batch, objectives].
        share: the forest's weight, in [0, 1).
    """

    margins: Margins
    share: float

    def __call__(self, logits: tf.Tensor, leaves: tf.Tensor) -> tf.Tensor:
        """The towers' logits [batch, objectives] and the impressions' leaves → the blended logits."""
        return (1.0 - self.share) * logits + self.share * self.margins(leaves)
