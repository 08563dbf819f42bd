"""Stops a training whose loss is NaN or infinite, or far above the loss of predicting the base rates."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_WINDOW_IMPRESSIONS = 10_000
_TOLERATED = 5.0
_REMEDY = (
    "Try a lower training.learning_rate, a larger training.warmup_fraction, or a smaller training.gradient_clip_norm."
)


class TrainingDivergedError(RuntimeError):
    """The loss became NaN or infinite, or exploded; the message says where and what to try."""


@dataclass(frozen=True)
class Position:
    """The position of a step in the training."""

    step: int
    steps: int
    epoch: int
    learning_rate: float

    def __str__(self) -> str:
        return f"at step {self.step} of {self.steps} (epoch {self.epoch}, learning rate {self.learning_rate:.3g})"


def check_inputs(finite: np.ndarray, float_inputs: Sequence[str], position: Position) -> None:
    """Checks the inputs of one step.

    The loss may not reveal NaN: on CPU a ReLU turns it into 0, and only the weights are corrupted.

    Args:
        finite: bool [float inputs], whether all values of the step's batch were finite.
        float_inputs: the names of the inputs.
        position: of the step.

    Raises:
        ValueError: an input holds NaN or infinity.
    """
    if bad := [name for name, good in zip(float_inputs, finite, strict=True) if not good]:
        raise ValueError(
            f"towers: the input {', '.join(bad)} holds NaN or infinity in the batch {position}; check its column in "
            "the feed log"
        )


def check_losses(losses: np.ndarray, objectives: Sequence[str], position: Position) -> None:
    """Checks the losses of one step.

    Args:
        losses: [objectives].
        objectives: the names of the objectives.
        position: of the step.

    Raises:
        TrainingDivergedError: a loss is NaN or infinite.
    """
    if bad := [f"{name}: {loss}" for name, loss in zip(objectives, losses, strict=True) if not np.isfinite(loss)]:
        raise TrainingDivergedError(
            f"towers: the loss is not a number {position}, for {', '.join(bad)}. "
            f"The batch's inputs are finite. {_REMEDY}"
        )


class ExplosionWatch:
    """Compares the loss over the latest impressions with the loss of predicting the base rates.

    It averages over a window, because one positive of a rare objective makes the loss of a small batch many times the
    average.

    Args:
        base_rate_loss: sum over the objectives, in nats per impression.
    """

    def __init__(self, base_rate_loss: float) -> None:
        self._limit = _TOLERATED * base_rate_loss
        self._base_rate_loss = base_rate_loss
        self._window: deque[tuple[float, int]] = deque()
        self._impressions = 0

    def add(self, losses: np.ndarray, rows: np.ndarray) -> None:
        """Adds steps: the summed loss and the impressions of each step, both [steps]."""
        for loss, count in zip(losses.tolist(), rows.tolist(), strict=True):
            self._window.append((loss, count))
            self._impressions += count
            while self._impressions - self._window[0][1] >= _WINDOW_IMPRESSIONS:
                self._impressions -= self._window.popleft()[1]

    def check(self, position: Position) -> None:
        """Checks the window once it is full, or at the end of training.

        Raises:
            TrainingDivergedError: the mean loss over the window exceeds the limit.
        """
        if self._impressions < _WINDOW_IMPRESSIONS and position.step < position.steps:
            return
        mean = sum(loss * count for loss, count in self._window) / self._impressions
        if mean > self._limit:
            raise TrainingDivergedError(
                f"towers: the loss exploded to {mean:.4g} {position}; that of predicting the base rates is "
                f"{self._base_rate_loss:.4g}. {_REMEDY}"
            )
