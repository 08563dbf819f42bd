"""The learning rate over a run: a linear warm-up, then a cosine decay.

The source found that ramping the rate up removed most of the run-to-run variance of sparse objectives; LiRank (2024,
section 3.6) that a longer warm-up stopped divergence and allowed a higher peak.
"""

import math
from typing import Any

import keras
from keras import ops


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Rate of every step of a run of `steps` steps.

    The warm-up's last step has the full rate `peak`, and the run's last step has `peak * final_fraction`.

    Args:
        peak: the rate at the end of the warm-up.
        steps: steps of the whole run.
        warmup_fraction: share of the steps over which the rate climbs from zero; 0 starts at the peak.
        final_fraction: what the cosine decay leaves of the peak at the last step.
    """

    def __init__(self, peak: float, steps: int, warmup_fraction: float, final_fraction: float) -> None:
        self.peak = peak
        self.steps = steps
        self.warmup_fraction = warmup_fraction
        self.final_fraction = final_fraction
        self.warmup_steps = round(warmup_fraction * steps)

    def __call__(self, step: Any) -> Any:
        """Rate of step number `step`, counted from 0."""
        nth = ops.cast(step, "float32") + 1.0
        climb = nth / max(self.warmup_steps, 1)
        done = (nth - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        cosine = 0.5 * (1.0 + ops.cos(math.pi * ops.clip(done, 0.0, 1.0)))
        decay = self.final_fraction + (1.0 - self.final_fraction) * cosine
        return self.peak * ops.where(nth <= self.warmup_steps, climb, decay)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup_fraction": self.warmup_fraction,
            "final_fraction": self.final_fraction,
        }
