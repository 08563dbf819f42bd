"""One shard of transformed examples in, one shard of leaf examples out."""

import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa
import tensorflow as tf
from tfx_bsl.coders import example_coder

from ranker.examples import records
from ranker.forest.encode import encode_leaves, feature_matrix
from ranker.forest.traverse import Traversal
from ranker.tfrecords import Framing

_BATCH_ROWS = 1024

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """A file to encode, the file to write, and a folder on the same file system to write it in."""

    source: str
    target: str
    aside: str


def check_shard(shard: Shard, features: int) -> None:
    """Looks whether the shard's first row, if it has one, has what a forest of `features` features reads.

    Raises:
        ValueError: it has not, or the file is no TFRecord file; the message names the file.
    """
    try:
        for record in records(shard.source, 1).take(1).as_numpy_iterator():
            feature_matrix(example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(record.tolist()), features)
    except (ValueError, tf.errors.DataLossError) as error:
        raise ValueError(f"leaf encoder: {shard.source}: {error}") from error


def encode_shard(shard: Shard, traversal: Traversal) -> int:
    """Encodes a shard; the target appears once it is whole.

    Reading, decoding, encoding and writing work on different batches at the same time.

    Returns:
        Rows encoded.

    Raises:
        ValueError: a shard that is damaged or does not fit the forest; the message names it.
    """
    aside = os.path.join(shard.aside, uuid.uuid4().hex)
    to_examples = example_coder.RecordBatchToExamplesEncoder()
    framing = Framing()
    rows = 0
    try:
        decoded = _ahead(_decoded(shard.source))
        encoded = _ahead(to_examples.encode(encode_leaves(batch, traversal)) for batch in decoded)
        with tf.io.gfile.GFile(aside, "wb") as file:
            file.write(b"")  # creates the file, for a shard without rows too
            for examples in encoded:
                file.write(framing(examples).tobytes())
                rows += len(examples)
    except (ValueError, tf.errors.DataLossError) as error:
        raise ValueError(f"leaf encoder: {shard.source}: {error}") from error
    tf.io.gfile.rename(aside, shard.target, overwrite=True)
    return rows


def _decoded(file: str) -> Iterator[pa.RecordBatch]:
    to_batch = example_coder.ExamplesToRecordBatchDecoder()
    for batch in records(file, _BATCH_ROWS).prefetch(2).as_numpy_iterator():
        yield to_batch.DecodeBatch(batch.tolist())


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, the next one made in another thread while the present one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
