"""Reading TFRecord files of tf.Examples."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ranker.examples import example_files, parsed_batches, records

TENSORS = {"x": tf.io.FixedLenFeature([2], tf.float32), "n": tf.io.FixedLenFeature([], tf.int64)}


def write(path: Path, rows: int, first: int = 0, width: int = 2) -> str:
    """Rows n = first, first + 1, … with x = [n, n, …]."""
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for n in range(first, first + rows):
            features = {
                "x": tf.train.Feature(float_list=tf.train.FloatList(value=[n] * width)),
                "n": tf.train.Feature(int64_list=tf.train.Int64List(value=[n])),
                "unread": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a", b"b"])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return str(path)


def test_rows_come_in_order_from_plain_empty_and_gzipped_files(tmp_path: Path) -> None:
    files = [write(tmp_path / "a", 5), write(tmp_path / "b", 0), write(tmp_path / "c.gz", 4, first=5)]
    batches = list(parsed_batches(files, TENSORS, batch_rows=3))
    assert [len(batch["n"]) for batch in batches] == [3, 2, 3, 1]
    np.testing.assert_array_equal(np.concatenate([batch["n"] for batch in batches]), np.arange(9))
    x = np.concatenate([batch["x"] for batch in batches])
    np.testing.assert_array_equal(x, np.repeat(np.arange(9.0), 2).reshape(9, 2))
    assert set(batches[0]) == {"x", "n"}


def test_of_every_file_each_nth_row_can_be_read(tmp_path: Path) -> None:
    files = [write(tmp_path / "a", 5), write(tmp_path / "b.gz", 4, first=5)]
    batches = list(parsed_batches(files, TENSORS, batch_rows=2, every=2))
    np.testing.assert_array_equal(np.concatenate([batch["n"] for batch in batches]), [0, 2, 4, 5, 7])


def test_records_are_the_bytes_as_written(tmp_path: Path) -> None:
    plain, zipped = write(tmp_path / "a", 3), write(tmp_path / "a.gz", 3)
    read = [next(iter(records(file, 10).as_numpy_iterator())).tolist() for file in (plain, zipped)]
    assert read[0] == read[1]
    assert tf.train.Example.FromString(read[0][2]).features.feature["n"].int64_list.value == [2]


def test_files_of_a_split(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path / name, 1)
    assert example_files(f"{tmp_path}/") == [str(tmp_path / "a"), str(tmp_path / "b")]
    with pytest.raises(ValueError, match="holds no files"):
        example_files(str(tmp_path / "missing"))


def test_rows_without_the_tensors_are_an_error_that_names_file_and_tensor(tmp_path: Path) -> None:
    good, wide = write(tmp_path / "good", 3), write(tmp_path / "wide", 3, width=3)
    with pytest.raises(ValueError, match=r"wide does not hold \[x float32 \[2\], n int64 \[\]\]"):
        list(parsed_batches([good, wide], TENSORS, 10))
    with pytest.raises(ValueError, match="absent"):
        list(parsed_batches([good], {"absent": tf.io.FixedLenFeature([], tf.float32)}, 10))


def test_a_corrupt_file_is_named(tmp_path: Path) -> None:
    file = Path(write(tmp_path / "cut", 3))
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(ValueError, match="cut does not hold"):
        list(parsed_batches([str(file)], TENSORS, 10))
