"""Reads and frames TFRecord files in blocks of records, with compiled code that releases the interpreter lock.

The format (tensorflow/core/lib/io/record_writer.h): length as uint64, masked CRC-32C of the length, the record, masked
CRC-32C of the record, all little-endian.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ranker.compiled import compiled

HEADER = 12  # bytes before a record
FOOTER = 4  # bytes after a record
_BLOCK_BYTES = 1 << 21
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), reflected
_CORRUPT = -1


@dataclass(frozen=True, eq=False)
class Block:
    """Some records of a file.

    Attributes:
        data: uint8, the bytes of the file that hold the records.
        begin: int64 [records], where in `data` each record begins.
        end: int64 [records], where in `data` each record ends.
    """

    data: NDArray[np.uint8]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


def read_blocks(stream: pa.NativeFile, verify: bool) -> Iterator[Block]:
    """The records of a file in order, at least one per block.

    Args:
        stream: the file's bytes, decompressed.
        verify: whether to verify each record's checksum as well. A gzipped stream has its own checksum and does not
            need it. The checksums of the lengths are always verified.

    Raises:
        ValueError: the file is not a TFRecord file, corrupt, or truncated.
        OSError: the compressed stream is corrupt or truncated.
    """
    tables = crc_tables()
    data = np.empty(0, np.uint8)
    at_end = False
    while not at_end:
        more = stream.read_buffer(_BLOCK_BYTES)
        at_end = more.size == 0
        data = np.concatenate([data, np.frombuffer(more, np.uint8)])
        begin, used = _locate(data, verify, tables)
        if used == _CORRUPT or (at_end and used < len(data)):
            raise ValueError("not a TFRecord file, or a corrupt one" if used == _CORRUPT else "the file is truncated")
        if len(begin):
            yield Block(data, begin, np.append(begin[1:] - HEADER, used) - FOOTER)
        data = data[used:]


def crc_tables() -> NDArray[np.uint32]:
    """The tables of `masked_crc`, uint32 [8, 256]: row k has the checksum of each byte followed by k zero bytes."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(_POLYNOMIAL), table >> 1)
    tables = [table]
    for _ in range(7):
        tables.append(tables[-1] >> 8 ^ table[tables[-1] & 0xFF])
    return np.stack(tables)


@compiled
def masked_crc(data, begin, end, tables):  # type: ignore[no-untyped-def]
    """The masked CRC-32C of `data[begin:end]`, computed by slicing-by-8; for compiled callers."""
    byte, end = np.uint64(begin), np.uint64(end)
    low = np.uint64(0xFF)
    crc = np.uint64(0xFFFFFFFF)
    while byte + np.uint64(8) <= end:
        word = crc
        for i in range(8):
            word ^= np.uint64(data[byte + np.uint64(i)]) << np.uint64(8 * i)
        crc = np.uint64(0)
        for i in range(8):
            crc ^= np.uint64(tables[7 - i, (word >> np.uint64(8 * i)) & low])
        byte += np.uint64(8)
    while byte < end:
        crc = (crc >> np.uint64(8)) ^ np.uint64(tables[0, (crc ^ np.uint64(data[byte])) & low])
        byte += np.uint64(1)
    crc ^= np.uint64(0xFFFFFFFF)
    return ((crc >> np.uint64(15) | crc << np.uint64(17)) + np.uint64(0xA282EAD8)) & np.uint64(0xFFFFFFFF)


@compiled
def put_number(data, at, number, size):  # type: ignore[no-untyped-def]
    """Writes `number` little-endian into `size` bytes; for compiled callers."""
    for i in range(size):
        data[at + i] = (np.uint64(number) >> np.uint64(8 * i)) & np.uint64(0xFF)


@compiled
def put_frame(data, begin, size, tables):  # type: ignore[no-untyped-def]
    """Writes the frame around the `size` bytes at `begin + HEADER` of `data`; for compiled callers."""
    put_number(data, begin, size, 8)
    put_number(data, begin + 8, masked_crc(data, begin, begin + 8, tables), 4)
    record = begin + HEADER
    put_number(data, record + size, masked_crc(data, record, record + size, tables), 4)


@compiled
def _number(data, at, size):  # type: ignore[no-untyped-def]
    number = np.uint64(0)
    for i in range(size):
        number |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return number


@compiled
def _locate(data, verify, tables):  # type: ignore[no-untyped-def]
    """Where the complete records in `data` begin, and their total number of bytes or _CORRUPT."""
    total = np.int64(len(data))
    records = 0
    at = np.int64(0)
    while total - at >= HEADER:
        if _number(data, at + 8, 4) != masked_crc(data, at, at + 8, tables):
            return np.empty(0, np.int64), _CORRUPT
        size = _number(data, at, 8)
        if size > np.uint64(total - at):
            break
        end = at + HEADER + np.int64(size)
        if end + FOOTER > total:
            break
        if verify and _number(data, end, 4) != masked_crc(data, at + HEADER, end, tables):
            return np.empty(0, np.int64), _CORRUPT
        at = end + FOOTER
        records += 1
    begin = np.empty(records, np.int64)
    used = at
    at = np.int64(0)
    for i in range(records):
        begin[i] = at + HEADER
        at += HEADER + np.int64(_number(data, at, 8)) + FOOTER
    return begin, used
