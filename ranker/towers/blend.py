"""The log-odds that are served: the towers' and the forest's, weighed."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

Margins = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True, eq=False)
class Blend:
    """(1 - share) * the towers' log-odds + share * the forest's.

    Towers are trained by themselves where the forest has seen the same days: on a cold start, and on later days that
    refresh it. What a forest that stays as it was grown has missed since, only the towers can make good: so their loss
    is the blend's.

    Attributes:
        margins: leaf ids int32 [batch, trees] → the forest's log-odds [batch, objectives].
        share: the forest's weight, in [0, 1).
    """

    margins: Margins
    share: float

    def __call__(self, logits: tf.Tensor, leaves: tf.Tensor) -> tf.Tensor:
        """The towers' logits [batch, objectives] and the impressions' leaves → the blend's."""
        return (1.0 - self.share) * logits + self.share * self.margins(leaves)
