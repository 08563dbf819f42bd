"""TFRecord framing of a whole batch of records at once.

`tf.io.TFRecordWriter` takes one record a call and gives the interpreter's lock away in each, so that a second busy
thread makes it wait at every record. Here a batch is framed by compiled code and written in one go.
The format (tensorflow/core/lib/io/record_writer.h): length as uint64, masked CRC-32C of the length, the record, masked
CRC-32C of the record, all little-endian.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ranker.compiled import compiled

_HEADER = 12
_FOOTER = 4
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), reflected


class Framing:
    """Frames records; for one thread at a time, as it keeps the tables of the checksum and the memory it writes to."""

    def __init__(self) -> None:
        self._tables = _crc_tables()
        self._room = np.empty(0, np.uint8)

    def __call__(self, records: Sequence[bytes]) -> NDArray[np.uint8]:
        """The records as the bytes of a TFRecord file, to be appended to one before the next call reuses them."""
        sizes = np.fromiter(map(len, records), np.int64, len(records))
        total = int(sizes.sum()) + len(records) * (_HEADER + _FOOTER)
        if total > len(self._room):
            self._room = np.empty(total + total // 4, np.uint8)
        framed = self._room[:total]
        _frame(np.frombuffer(b"".join(records), np.uint8), sizes, self._tables, framed)
        return framed


def _crc_tables() -> NDArray[np.uint32]:
    """uint32 [8, 256]: row k holds the checksum of each byte followed by k zero bytes (slicing by 8)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(_POLYNOMIAL), table >> 1)
    tables = [table]
    for _ in range(7):
        tables.append(tables[-1] >> 8 ^ table[tables[-1] & 0xFF])
    return np.stack(tables)


@compiled
def _frame(joined, sizes, tables, framed):  # type: ignore[no-untyped-def]
    """Fills `framed`: uint8 records one after another, their int64 sizes, the tables, and room for all frames."""
    read, write = 0, 0
    for size in sizes:
        for i in range(8):
            framed[write + i] = (size >> (8 * i)) & 0xFF
        _put_checksum(framed, write, 8, tables)
        write += _HEADER
        framed[write : write + size] = joined[read : read + size]
        _put_checksum(framed, write, size, tables)
        read += size
        write += size + _FOOTER


@compiled
def _put_checksum(data, begin, size, tables):  # type: ignore[no-untyped-def]
    """Writes the masked checksum of `size` bytes behind them."""
    byte, end = np.uint64(begin), np.uint64(begin + size)
    low = np.uint64(0xFF)
    crc = np.uint64(0xFFFFFFFF)
    while byte + np.uint64(8) <= end:
        word = np.uint64(0)
        for i in range(8):
            word |= np.uint64(data[byte + np.uint64(i)]) << np.uint64(8 * i)
        word ^= crc
        crc = np.uint64(0)
        for i in range(8):
            crc ^= np.uint64(tables[7 - i, (word >> np.uint64(8 * i)) & low])
        byte += np.uint64(8)
    while byte < end:
        crc = (crc >> np.uint64(8)) ^ np.uint64(tables[0, (crc ^ np.uint64(data[byte])) & low])
        byte += np.uint64(1)
    crc ^= np.uint64(0xFFFFFFFF)
    masked = ((crc >> np.uint64(15) | crc << np.uint64(17)) + np.uint64(0xA282EAD8)) & np.uint64(0xFFFFFFFF)
    for i in range(4):
        data[end + np.uint64(i)] = masked >> np.uint64(8 * i) & low
