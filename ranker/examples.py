"""Reading TFRecord files of tf.Examples as tensors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray

_READ_BYTES = 1 << 20


def example_files(folder: str) -> list[str]:
    """The files of one split, sorted by name.

    Raises:
        ValueError: the folder is missing or empty.
    """
    files = sorted(tf.io.gfile.glob(f"{folder.rstrip('/')}/*"))
    if not files:
        raise ValueError(f"examples: {folder} holds no files")
    return files


def records(file: str, batch_rows: int, every: int = 1) -> tf.data.Dataset:
    """Batches of every n-th serialised record [rows] from one file, decompressed if its name ends in .gz."""
    compression = "GZIP" if file.endswith(".gz") else ""
    rows = tf.data.TFRecordDataset(file, compression, buffer_size=_READ_BYTES)
    return (rows if every == 1 else rows.shard(every, 0)).batch(batch_rows)


def parsed_batches(
    files: Sequence[str], tensors: Mapping[str, tf.io.FixedLenFeature], batch_rows: int, every: int = 1
) -> Iterator[dict[str, NDArray[Any]]]:
    """The named tensors of every n-th row in order, `batch_rows` rows at a time; other tensors are not parsed.

    Args:
        files: TFRecord files of tf.Examples.
        tensors: name → its type and shape.
        batch_rows: rows per batch.
        every: 1 for all rows; n for each file's first row and every n-th after it.

    Raises:
        ValueError: a row lacks one of the tensors, or has one of another size; the message names file and tensor.
    """
    for file in files:
        batches = records(file, batch_rows, every).map(lambda batch: tf.io.parse_example(batch, tensors)).prefetch(1)
        try:
            yield from batches.as_numpy_iterator()
        except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
            sizes = ", ".join(f"{name} {tensor.dtype.name} {tensor.shape}" for name, tensor in tensors.items())
            raise ValueError(f"examples: {file} does not hold [{sizes}] in every row: {error.message}") from error
