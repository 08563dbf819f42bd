"""Scalars for TensorBoard."""

from collections.abc import Sequence

import tensorflow as tf


class TensorBoardLog:
    """Writes scalars to event files that TensorBoard reads.

    `tf.summary.scalar` is part of the TensorBoard package, which training does not need otherwise; the event format is
    TensorFlow's own.

    Args:
        directory: where the event files go.
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
