"""The compiled code reads and frames TFRecord files as TensorFlow does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from ranker import tfrecords
from ranker.tfrecords import FOOTER, HEADER, crc_tables, put_frame, read_blocks

SIZES = [0, 1, 7, 8, 9, 63, 64, 65, 1000, 100_000]


def some_records(sizes: Sequence[int] = SIZES) -> list[bytes]:
    rng = np.random.default_rng(0)
    return [rng.bytes(size) for size in sizes]


def written(path: Path, records: list[bytes], compression: str = "") -> Path:
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)
    return path


def read(path: Path, compression: str | None = None, verify: bool = True) -> list[list[bytes]]:
    """The records of each block."""
    with pa.input_stream(str(path), compression=compression) as stream:
        return [
            [block.data[begin:end].tobytes() for begin, end in zip(block.begin, block.end, strict=True)]
            for block in read_blocks(stream, verify)
        ]


@pytest.mark.parametrize("block_bytes", [5, 1000, 1 << 21])
@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_reads_what_tensorflow_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int, compression: str
) -> None:
    monkeypatch.setattr(tfrecords, "_BLOCK_BYTES", block_bytes)
    records = some_records(SIZES[:-1] if block_bytes == 5 else SIZES)
    path = written(tmp_path / "records", records, compression)
    blocks = read(path, compression.lower() or None)
    assert [record for block in blocks for record in block] == records
    assert all(blocks)
    assert (len(blocks) > 1) == (block_bytes < 1 << 21)


def test_a_file_without_records_has_no_blocks(tmp_path: Path) -> None:
    assert read(written(tmp_path / "records", [])) == []
    assert read(written(tmp_path / "records.gz", [], "GZIP"), "gzip") == []


def test_frames_as_tensorflow_does(tmp_path: Path) -> None:
    for record in some_records():
        framed = np.zeros(HEADER + len(record) + FOOTER, np.uint8)
        framed[HEADER : HEADER + len(record)] = np.frombuffer(record, np.uint8)
        put_frame(framed, 0, len(record), crc_tables())
        assert framed.tobytes() == written(tmp_path / "record", [record]).read_bytes()


@pytest.mark.parametrize("at", [0, 8, 12, 12 + 63 + 3], ids=["length", "its checksum", "record", "its checksum"])
def test_a_flipped_bit_is_noticed(tmp_path: Path, at: int) -> None:
    path = written(tmp_path / "records", some_records([63, 10]))
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match="corrupt"):
        read(path)


@pytest.mark.parametrize("cut", [1, 4, 5, 60, 76, 80])
def test_a_truncated_file_is_noticed(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "records", some_records([100, 64]))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    if cut == 80:
        assert read(path) == [some_records([100])]
    else:
        with pytest.raises(ValueError, match="truncated"):
            read(path)


@pytest.mark.parametrize("change", ["cut", "flip"])
def test_a_corrupt_gzip_stream_is_noticed_without_record_checksums(tmp_path: Path, change: str) -> None:
    path = written(tmp_path / "records", some_records([5000, 5000]), "GZIP")
    content = bytearray(path.read_bytes())
    if change == "cut":
        del content[-3:]
    else:
        content[5000] ^= 4
    path.write_bytes(content)
    with pytest.raises((OSError, ValueError)):
        read(path, "gzip", verify=False)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("a line of text that is long enough")
    with pytest.raises(ValueError, match="not a TFRecord file"):
        read(path)
