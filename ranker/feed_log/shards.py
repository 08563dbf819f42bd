"""Writes the shards of one work unit, each atomically."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import tensorflow as tf

from ranker.ahead import one_ahead
from ranker.features.log_column import LogColumn
from ranker.feed_log.planning import WorkUnit
from ranker.feed_log.reading import ComputedColumns, read_unit
from ranker.feed_log.tf_example import encode_examples
from ranker.files import atomic_file
from ranker.storage import join


def shard_name(shard: int, shards: int) -> str:
    """The file name of one shard."""
    return f"data_tfrecord-{shard:05d}-of-{shards:05d}"


def write_unit(
    unit: WorkUnit,
    columns: Sequence[LogColumn],
    split_folder: str,
    scratch: str,
    seen: Callable[[pa.RecordBatch], None] | None = None,
    computed: ComputedColumns | None = None,
) -> None:
    """Reads the rows of a unit and writes them as uncompressed TFRecord shards of tf.Examples.

    Args:
        split_folder: where complete shards go.
        scratch: folder of temporary files, on the same file system. Beam reads hidden files of a split's folder too.
        seen: called with every batch of rows, as `read_unit` returns it.
        computed: gives columns that the file lacks.

    Raises:
        FeedLogError: as `read_unit`.
    """

    def encode(batch: pa.RecordBatch) -> pa.BinaryArray:
        if seen is not None:
            seen(batch)
        return encode_examples(batch)

    encoded = one_ahead(map(encode, read_unit(unit, columns, computed=computed)))
    pending = next(encoded)
    for i in range(unit.shards):
        name = shard_name(unit.first_shard + i, unit.shards_in_split)
        wanted = unit.rows * (i + 1) // unit.shards - unit.rows * i // unit.shards
        # A unit that is tried again writes the same shard again.
        target = join(split_folder, name)
        with (
            atomic_file(target, scratch=scratch, durable=False) as path,
            tf.io.TFRecordWriter(str(path)) as writer,
        ):
            while wanted:
                if not len(pending):
                    pending = next(encoded)
                now, pending = pending[:wanted], pending[wanted:]
                _write(writer, now)
                wanted -= len(now)


def _write(writer: tf.io.TFRecordWriter, examples: pa.BinaryArray) -> None:
    for example in examples.to_pylist():
        writer.write(example)
