"""Negative downsampling for the towers' training, with an exact correction.

If an objective's negatives are kept with probability r, the odds among the kept rows are 1/r times the true odds. There
are two corrections. Each kept negative is weighted by 1/r, which leaves the expected loss unchanged. Or the loss is
computed on the log-odds plus log(1/r), so that the log-odds themselves stay the true ones (King and Zeng, "Logistic
regression in rare events data", 2001). The offset is part of the loss and not of the network. So a network that is
exported, continued the next day or blended with the forest needs no correction.

The seed and a row's position in the files determine which rows and negatives are kept. So every epoch and the counting
pass keep the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from ranker import keys
from ranker.config.training import Sampling

_SEED = 0x5A3  # distinct from the seeds of shuffling


@dataclass(frozen=True)
class Sampler:
    """Samples rows and negatives as the config says.

    Attributes:
        impressions: share kept of the rows without any positive.
        negatives: [objectives], share kept of each objective's negatives.
        correction: as in `ranker.config.training.Sampling`.
        seed: of the random choice.
        scale: [objectives], factors that make the mean weight over the kept rows 1.
    """

    impressions: float
    negatives: tuple[float, ...]
    correction: str
    seed: int
    scale: tuple[float, ...]

    @property
    def log_odds(self) -> np.ndarray:
        """[objectives], what dropping negatives adds to the log-odds in the loss."""
        kept = np.array(self.negatives) if self.correction == "shift" else np.ones(len(self.negatives))
        return -np.log(kept).astype(np.float32)

    def __call__(self, rows: dict[str, tf.Tensor], block: tf.Tensor) -> dict[str, tf.Tensor]:
        """The kept rows of a block, with `keys.LOSS_WEIGHTS` and `keys.LOGIT_OFFSET`.

        Args:
            rows: tensors [rows, …], among them `keys.LABELS`; `keys.LOSS_WEIGHTS` are multiplied, if they are there.
            block: int64 scalar, the block's index among all blocks.
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
        if keys.LOSS_WEIGHTS in rows:
            weights *= rows[keys.LOSS_WEIGHTS]
        added = {keys.LOSS_WEIGHTS: weights * tf.constant(self.scale), keys.LOGIT_OFFSET: offset}
        return {name: tf.boolean_mask(tensor, kept) for name, tensor in {**rows, **added}.items()}

    def scaled(self, scale: np.ndarray) -> "Sampler":
        """The same sampler with other factors of the weights, [objectives]."""
        return replace(self, scale=tuple(float(factor) for factor in scale))


def make_sampler(sampling: Sampling, objectives: Sequence[str], seed: int) -> Sampler | None:
    """The sampler of a config, with weights not yet scaled; None where the config drops nothing."""
    if not sampling.is_on:
        return None
    negatives = tuple(sampling.negatives.get(name, 1.0) for name in objectives)
    return Sampler(sampling.impressions, negatives, sampling.correction, seed, (1.0,) * len(objectives))
