"""The course of one training run: what a report draws, and what TensorBoard shows."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import tensorflow as tf


@dataclass
class TrainingHistory:
    """One entry per chunk of steps.

    Attributes:
        objectives: in the order of `objective_losses`.
        step: steps finished at the end of the chunk.
        impressions: impressions seen until then, over all epochs.
        loss: sum of the objectives' cross entropies in nats, averaged over the chunk's impressions.
        objective_losses: the same per objective; [chunks, objectives].
        learning_rate: of the chunk's last step.
        base_rate_loss: the loss of a model that predicts every objective's base rate.
        rows_per_second: impressions per second over the whole loop, without the calls that compile.
        seconds: wall-clock seconds of the whole loop.
    """

    objectives: list[str]
    base_rate_loss: float
    step: list[int] = field(default_factory=list)
    impressions: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    objective_losses: list[list[float]] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    rows_per_second: float = 0.0
    seconds: float = 0.0

    def to_json(self) -> str:
        """All of it as one JSON object."""
        return json.dumps(asdict(self), indent=1)


class TensorBoardLog:
    """Writes scalars to event files that TensorBoard reads.

    `tf.summary.scalar` lives in the TensorBoard package, which training has no other use for; the event format is
    TensorFlow's own.
    """

    def __init__(self, directory: str) -> None:
        self._writer = tf.summary.create_file_writer(directory)

    def scalars(self, step: int, names: Sequence[str], values: Sequence[float]) -> None:
        """One point of each named curve."""
        with self._writer.as_default():
            for name, value in zip(names, values, strict=True):
                metadata = tf.compat.v1.SummaryMetadata(
                    plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"),
                    data_class="DATA_CLASS_SCALAR",
                )
                tf.summary.write(name, tf.constant(value, tf.float32), step=step, metadata=metadata)

    def close(self) -> None:
        """Flushes and closes the file."""
        self._writer.close()
