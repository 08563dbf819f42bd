"""Leaving negatives out of the towers' training, and making up for it exactly.

Of an objective whose negatives are kept with probability r, the odds among the rows kept are 1/r times the true ones.
Either each negative kept counts 1/r times, which leaves the expected loss as it was; or the loss is taken of the
log-odds plus log(1/r), so that the log-odds themselves stay the true ones (King and Zeng, "Logistic regression in rare
events data", 2001). The offset is part of the loss and not of the network: what is exported, continued the next day or
blended with the forest needs no correction.

Which rows and negatives are kept follows from the seed and a row's place among the files, so that every epoch, and the
pass that counts, agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.config.training import Sampling

_SEED = 0x5A3  # apart from the seeds that rows are shuffled by


@dataclass(frozen=True)
class Sampler:
    """A config's sampling, for the objectives of a model.

    Attributes:
        impressions: share kept of the rows without any positive.
        negatives: [objectives], share kept of each one's negatives.
        correction: as in `ranker.config.training.Sampling`.
        seed: of the choice.
        scale: [objectives], factors that make the weights 1 on average over the rows kept.
    """

    impressions: float
    negatives: tuple[float, ...]
    correction: str
    seed: int
    scale: tuple[float, ...]

    @property
    def log_odds(self) -> np.ndarray:
        """[objectives], what leaving negatives out adds to the log-odds that the loss is of."""
        kept = np.array(self.negatives) if self.correction == "shift" else np.ones(len(self.negatives))
        return -np.log(kept).astype(np.float32)

    def __call__(self, rows: dict[str, tf.Tensor], block: tf.Tensor) -> dict[str, tf.Tensor]:
        """The rows kept of a block, with `keys.LOSS_WEIGHTS` and `keys.LOGIT_OFFSET`.

        Args:
            rows: tensors [rows, …], among them `keys.LABELS`.
            block: int64 scalar, the block's place among all blocks.
        """
        labels = rows[keys.LABELS]
        chance = tf.random.stateless_uniform(
            [tf.shape(labels)[0], len(self.negatives) + 1],
            seed=tf.stack([tf.constant(self.seed + _SEED, tf.int64), block]),
        )
        positive = labels > 0
        engaged = tf.reduce_any(positive, axis=1)
        counted = tf.logical_or(positive, chance[:, 1:] < self.negatives)
        weights = tf.cast(counted, tf.float32)
        if self.correction == "weights":
            weights *= tf.where(positive, 1.0, 1.0 / tf.constant(self.negatives))
            weights *= tf.where(engaged, 1.0, 1.0 / self.impressions)[:, tf.newaxis]
        offset = tf.broadcast_to(tf.constant(self.log_odds), tf.shape(labels))
        kept = tf.logical_or(engaged, chance[:, 0] < self.impressions)
        added = {keys.LOSS_WEIGHTS: weights * tf.constant(self.scale), keys.LOGIT_OFFSET: offset}
        return {name: tf.boolean_mask(tensor, kept) for name, tensor in {**rows, **added}.items()}

    def scaled(self, rows: int, weights: np.ndarray) -> "Sampler":
        """The same with weights of 1 on average.

        Args:
            rows: that were kept.
            weights: [objectives], what they weighed in sum.
        """
        return replace(self, scale=tuple(float(factor) for factor in rows / weights))


def make_sampler(sampling: Sampling, objectives: Sequence[str], seed: int) -> Sampler | None:
    """What a config asks for, before anything was counted; None where it leaves nothing out."""
    if not sampling.is_on:
        return None
    negatives = tuple(sampling.negatives.get(name, 1.0) for name in objectives)
    return Sampler(sampling.impressions, negatives, sampling.correction, seed, (1.0,) * len(objectives))
