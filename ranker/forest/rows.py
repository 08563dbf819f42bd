"""Reads the forest's training rows from Transform's examples."""

from collections.abc import Iterator, Sequence

import tensorflow as tf

from ranker import keys
from ranker.examples import parsed_batches
from ranker.forest.train import ForestBatch, WeightedForestBatch

_BATCH_ROWS = 16_384


def forest_rows(
    files: Sequence[str], features: int, objectives: int, share: int = 0, shares: int = 1
) -> Iterator[ForestBatch]:
    """One worker's share of the rows without their weights; see `weighted_forest_rows`."""
    for features_, labels, buckets, _ in weighted_forest_rows(files, features, objectives, share, shares):
        yield features_, labels, buckets


def weighted_forest_rows(
    files: Sequence[str], features: int, objectives: int, share: int = 0, shares: int = 1
) -> Iterator[WeightedForestBatch]:
    """One worker's share of the rows, in the form that `train_forest` takes.

    Args:
        files: TFRecord files of tf.Examples with the tensors `forest_features`, `labels` and `viewer_bucket`; without
            `row_weight`, each row weighs 1.
        features: length of `forest_features`.
        objectives: length of `labels`.
        share: the worker's number, from 0.
        shares: number of workers. With at least as many files as workers, each worker reads its own files; otherwise
            each reads all files and takes every `shares`-th row.

    Raises:
        ValueError: a row lacks one of the tensors, or has one of another size.
    """
    tensors = {
        keys.FOREST_FEATURES: tf.io.FixedLenFeature([features], tf.float32),
        keys.LABELS: tf.io.FixedLenFeature([objectives], tf.float32),
        keys.VIEWER_BUCKET: tf.io.FixedLenFeature([], tf.int64),
        keys.ROW_WEIGHT: tf.io.FixedLenFeature([], tf.float32, default_value=1.0),
    }
    by_file = len(files) >= shares
    rows = slice(None) if by_file else slice(share, None, shares)
    for batch in parsed_batches(files[share::shares] if by_file else files, tensors, _BATCH_ROWS):
        yield (
            batch[keys.FOREST_FEATURES][rows],
            batch[keys.LABELS][rows],
            batch[keys.VIEWER_BUCKET][rows],
            batch[keys.ROW_WEIGHT][rows],
        )
