"""The learning rate over a run: a linear warm-up, then a cosine decay, by Keras' `CosineDecay`.

The source found that ramping the rate up removed most of the run-to-run variance of sparse objectives; LiRank (2024,
section 3.6) that a longer warm-up stopped divergence and allowed a higher peak.
"""

from keras.optimizers.schedules import CosineDecay, LearningRateSchedule

from ranker.config.training import Training


def make_schedule(training: Training, steps: int) -> LearningRateSchedule:
    """The rate of every step of a run, with steps counted from 0.

    The warm-up takes `warmup_fraction` of the steps, in equal increments: its first step has one increment, not the
    rate 0, and its last step has the full rate. The run's last step has `final_learning_rate_fraction` of it. Without
    a warm-up, and in a run of one step, the first step has the full rate.

    Args:
        training: peak rate, warm-up and decay.
        steps: steps of the whole run.

    Example:
        >>> rate = make_schedule(Training(learning_rate=0.01, warmup_fraction=0.2), steps=10)
        >>> [round(float(rate(step)), 4) for step in range(3)]
        [0.005, 0.01, 0.0096]
    """
    # Keras counts warm-up steps from the initial rate on, which here is that of the first step.
    warmup_steps = max(round(training.warmup_fraction * steps), 1)
    warms_up = warmup_steps > 1
    return CosineDecay(
        initial_learning_rate=training.learning_rate / warmup_steps,
        decay_steps=max(steps - warmup_steps, 1),
        alpha=training.final_learning_rate_fraction,
        warmup_target=training.learning_rate if warms_up else None,
        warmup_steps=warmup_steps - 1,
    )
