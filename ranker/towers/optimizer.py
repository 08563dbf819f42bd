"""The Keras optimizer that the config selects."""

import keras

from ranker.config.training import Training

_UNDECAYED = ("bias", "gamma", "beta", "embeddings")


def make_optimizer(
    training: Training, rate: keras.optimizers.schedules.LearningRateSchedule | float
) -> keras.optimizers.Optimizer:
    """The optimizer with its learning-rate schedule and gradient clipping.

    AdamW decays only the layers' kernels: biases hold base rates, and the embeddings of rare leaves would decay to 0.
    Adagrad's sums of squares start at 0, as in its paper (Duchi et al., JMLR 2011). Keras' default of 0.1 exceeds the
    total squared gradients of a rare objective, so that Adagrad would act as plain gradient descent.
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
