"""Frames written in bulk are what TensorFlow writes and reads."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from ranker.tfrecords import Framing

SIZES = [0, 1, 7, 8, 9, 63, 64, 65, 1000, 100_000]


def test_the_bytes_are_tensorflows_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    records = [rng.bytes(size) for size in SIZES]
    path = str(tmp_path / "records")
    with tf.io.TFRecordWriter(path) as writer:
        for record in records:
            writer.write(record)
    assert Framing()(records).tobytes() == Path(path).read_bytes()


def test_batches_append_to_one_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    batches = [[rng.bytes(int(size)) for size in rng.integers(0, 300, count)] for count in (500, 3, 0, 200)]
    framing = Framing()
    path = tmp_path / "records"
    with path.open("wb") as file:
        for batch in batches:
            file.write(framing(batch).tobytes())
    read = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    assert read == [record for batch in batches for record in batch]
