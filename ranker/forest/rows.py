"""The forest's rows, from Transform's examples."""

from collections.abc import Iterator, Sequence

import tensorflow as tf

from ranker import keys
from ranker.examples import parsed_batches
from ranker.forest.train import ForestBatch

_BATCH_ROWS = 16_384


def forest_rows(
    files: Sequence[str], features: int, objectives: int, share: int = 0, shares: int = 1
) -> Iterator[ForestBatch]:
    """One worker's share of the rows, as `train_forest` takes them.

    Args:
        files: TFRecord files of tf.Examples with the tensors `forest_features`, `labels` and `viewer_bucket`.
        features: length of the first.
        objectives: length of the second.
        share: the worker's number, from 0.
        shares: workers. Where there are as many files, each reads its own; otherwise each reads all files and takes
            every so many'th row.

    Raises:
        ValueError: a row without one of the tensors, or with one of another size.
    """
    tensors = {
        keys.FOREST_FEATURES: tf.io.FixedLenFeature([features], tf.float32),
        keys.LABELS: tf.io.FixedLenFeature([objectives], tf.float32),
        keys.VIEWER_BUCKET: tf.io.FixedLenFeature([], tf.int64),
    }
    by_file = len(files) >= shares
    rows = slice(None) if by_file else slice(share, None, shares)
    for batch in parsed_batches(files[share::shares] if by_file else files, tensors, _BATCH_ROWS):
        yield batch[keys.FOREST_FEATURES][rows], batch[keys.LABELS][rows], batch[keys.VIEWER_BUCKET][rows]
