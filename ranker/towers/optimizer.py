"""The Keras optimizer that the config selects."""

from typing import Any

import keras
from keras import ops

from ranker.config.training import Training
from ranker.towers.ids import TABLE

_UNDECAYED = ("bias", "gamma", "beta", "embeddings", TABLE)


class OwnTables:
    """A Keras optimizer that updates the tables of ids at a rate of their own and decays them.

    Args:
        *arguments: of the optimizer.
        training: of the config; the tables' decay refers to its learning rate.
        **settings: of the optimizer.
    """

    def __init__(self, *arguments: Any, training: Training, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._tables, self._peak = training.id_tables, training.learning_rate

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """See Keras."""
        if TABLE in variable.name:
            if self._tables.decay:
                # Only the rows of a batch: the others have nothing to unlearn, and would be forgotten meanwhile.
                touched = ops.any(ops.not_equal(gradient, 0.0), axis=1, keepdims=True)
                kept = 1.0 - self._tables.decay * learning_rate / self._peak
                variable.assign(variable * ops.where(touched, kept, 1.0))
            learning_rate = learning_rate * self._tables.learning_rate_factor
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]


class OwnTablesAdam(OwnTables, keras.optimizers.Adam): ...


class OwnTablesAdamW(OwnTables, keras.optimizers.AdamW): ...


class OwnTablesAdagrad(OwnTables, keras.optimizers.Adagrad): ...


def make_optimizer(
    training: Training, rate: keras.optimizers.schedules.LearningRateSchedule | float
) -> keras.optimizers.Optimizer:
    """The optimizer with its learning-rate schedule and gradient clipping.

    AdamW decays only the layers' kernels: biases hold base rates, and the embeddings of rare leaves would decay to 0.
    Adagrad's sums of squares start at 0, as in its paper (Duchi et al., JMLR 2011). Keras' default of 0.1 exceeds the
    total squared gradients of a rare objective, so that Adagrad would act as plain gradient descent.
    The tables of ids have a rate and a decay of their own, `training.id_tables`.
    """
    clip = training.gradient_clip_norm
    match training.optimizer:
        case "adam":
            return OwnTablesAdam(rate, training=training, global_clipnorm=clip)
        case "adamw":
            decay = training.weight_decay
            optimizer = OwnTablesAdamW(rate, training=training, weight_decay=decay, global_clipnorm=clip)
            optimizer.exclude_from_weight_decay(var_names=_UNDECAYED)
            return optimizer
        case "adagrad":
            return OwnTablesAdagrad(rate, training=training, initial_accumulator_value=0.0, global_clipnorm=clip)
