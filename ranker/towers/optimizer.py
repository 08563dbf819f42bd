"""The Keras optimizer of the config's choice."""

import keras

from ranker.config.training import Training
from ranker.towers.schedule import WarmupCosine

_UNDECAYED = ("bias", "gamma", "beta", "table")


def make_optimizer(training: Training, rate: WarmupCosine) -> keras.optimizers.Optimizer:
    """The optimizer with its schedule and its clipping.

    AdamW decays the layers' kernels only: biases hold base rates, and a leaf that few rows reach would fade away.
    Adagrad's sums of squares start at 0, as in its paper (Duchi et al., JMLR 2011): Keras' own 0.1 is more than the
    squared gradients of a rare objective ever add up to, and leaves a plain gradient descent.
    """
    clip = training.gradient_clip_norm
    match training.optimizer:
        case "adam":
            return keras.optimizers.Adam(rate, global_clipnorm=clip)
        case "adamw":
            optimizer = keras.optimizers.AdamW(rate, weight_decay=training.weight_decay, global_clipnorm=clip)
            optimizer.exclude_from_weight_decay(var_names=_UNDECAYED)
            return optimizer
        case "adagrad":
            return keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0, global_clipnorm=clip)
