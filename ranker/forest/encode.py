"""Replaces the forest features of serialised tf.Examples by leaves and keeps everything else.

Only one tensor per row is read and one is written. Decoding the others only to encode them again would be wasted, so
the serialised bytes are edited directly. In a block of serialised Examples, the entry `forest_features` is located and
its floats are copied into a matrix. Each row is then assembled from the bytes around that entry and a new entry
`leaves`. On the wire an Example is a map of entries, each with a key and a list; every level is a tag, a length, and
the nested bytes (https://protobuf.dev/programming-guides/encoding/, tensorflow/core/example/feature.proto).
"""

import numpy as np
from numpy.typing import NDArray

from ranker import keys
from ranker.compiled import compiled
from ranker.forest.traverse import Traversal
from ranker.tfrecords import FOOTER, HEADER, Block, crc_tables, put_frame

# Tags of length-delimited fields: Example.features, Features.feature, the key of an entry, BytesList.value and packed
# FloatList.value are all field 1; the value of an entry and Feature.float_list are field 2.
_FIELD_1, _FIELD_2 = 0x0A, 0x12
_LONGEST_PREFIX = 11  # a tag and a varint
_FOUND, _MISSING, _MALFORMED = 0, 1, 2
_PLACES = 5


class RowEncoder:
    """Replaces the entry `forest_features` of serialised Examples by `leaves`.

    `leaves` is one bytes value: the row's leaf numbers as little-endian uint16, or uint32 where the forest has more
    than 65,536 leaves.

    Args:
        traversal: finds the leaves of the forest to encode with.
    """

    def __init__(self, traversal: Traversal) -> None:
        self._traversal = traversal
        self._tables = crc_tables()

    def __call__(self, block: Block) -> NDArray[np.uint8]:
        """The encoded rows with the framing of a TFRecord file.

        Raises:
            ValueError: a row is not a tf.Example, or lacks the features that the forest reads.
        """
        features, places = _features(block, self._traversal.features)
        leaves = self._traversal(features)
        raw = leaves.astype(leaves.dtype.newbyteorder("<"), copy=False).view(np.uint8)
        prefix = np.frombuffer(_entry_prefix(keys.LEAVES.encode(), raw.shape[1]), np.uint8)
        kept = block.end - places[:, 0] - (places[:, 2] - places[:, 1])
        added = HEADER + _LONGEST_PREFIX + len(prefix) + raw.shape[1] + FOOTER
        framed = np.empty(int(kept.sum()) + len(kept) * added, np.uint8)
        used = _assemble(block.data, block.end, places, prefix, raw.reshape(-1), self._tables, framed)
        return framed[:used]


def check_rows(block: Block, features: int) -> None:
    """Checks that every row of a block has the features that a forest of `features` features reads.

    Raises:
        ValueError: as `RowEncoder`.
    """
    _features(block, features)


def _features(block: Block, width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The forest features [rows, width], and their places in the block's data, int64 [rows, 5].

    The places of a row are the offsets where its entries begin, where the entry `forest_features` begins and ends, and
    where its floats begin, and the number of bytes of these floats.
    """
    places = np.empty((len(block.begin), _PLACES), np.int64)
    key = np.frombuffer(keys.FOREST_FEATURES.encode(), np.uint8)
    status = int(_find(block.data, block.begin, block.end, key, places))
    if status == _MALFORMED:
        raise ValueError("a record is not a tf.Example as TensorFlow serialises it")
    if status == _MISSING:
        raise ValueError(f"a row lacks the tensor {keys.FOREST_FEATURES!r}, or it does not hold floats")
    if other := np.flatnonzero(places[:, 4] != 4 * width).tolist():
        found = int(places[other[0], 4]) // 4
        raise ValueError(
            f"a row holds {found} values in {keys.FOREST_FEATURES!r}, but the forest reads {width} features"
        )
    matrix = np.empty((len(places), 4 * width), np.uint8)
    _copy_floats(block.data, places, matrix)
    return matrix.view("<f4").astype(np.float32, copy=False), places


def _entry_prefix(key: bytes, size: int) -> bytes:
    """The bytes that precede the value in a Features map entry whose only value is `size` bytes long."""
    value = bytes([_FIELD_1]) + _varint(size)
    listed = bytes([_FIELD_1]) + _varint(len(value) + size) + value
    feature = bytes([_FIELD_2]) + _varint(len(listed) + size) + listed
    named = bytes([_FIELD_1]) + _varint(len(key)) + key
    return bytes([_FIELD_1]) + _varint(len(named) + len(feature) + size) + named + feature


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


@compiled
def _enter(data, at, end, tag):  # type: ignore[no-untyped-def]
    """Begin and end of the content of the length-delimited field that begins at `at`; -1 without such a field."""
    if at >= end or data[at] != tag:
        return -1, -1
    size, shift = np.int64(0), 0
    at += 1
    while at < end and shift < 35:
        byte = np.int64(data[at])
        at += 1
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (at, at + size) if at + size <= end else (-1, -1)
    return -1, -1


@compiled
def _find(data, begin, end, key, places):  # type: ignore[no-untyped-def]
    """Fills `places` (see `_features`); returns `_FOUND` if every row has them, else what is wrong."""
    for row in range(len(begin)):
        at, last = _enter(data, begin[row], end[row], _FIELD_1)
        if last != end[row] and begin[row] != end[row]:
            return _MALFORMED
        places[row, 0] = at
        found = False
        while 0 <= at < last:
            entry = at
            inside, after = _enter(data, entry, last, _FIELD_1)
            name, value = _enter(data, inside, after, _FIELD_1)
            if inside < 0 or name < 0:
                return _MALFORMED
            if value - name == len(key) and (data[name:value] == key).all():
                feature, feature_end = _enter(data, value, after, _FIELD_2)
                floats, floats_end = _enter(data, feature, feature_end, _FIELD_2)
                packed, packed_end = _enter(data, floats, floats_end, _FIELD_1)
                if 0 <= floats == floats_end:  # a list without floats has no field
                    packed, packed_end = floats, floats_end
                if packed < 0 or not packed_end == floats_end == feature_end == after:
                    return _MISSING
                places[row, 1], places[row, 2], places[row, 3] = entry, after, packed
                places[row, 4] = packed_end - packed
                found = True
            at = after
        if not found:
            return _MISSING
    return _FOUND


@compiled
def _copy_floats(data, places, matrix):  # type: ignore[no-untyped-def]
    """Copies each row's floats, as bytes, into its row of the matrix."""
    for row in range(len(places)):
        begin = places[row, 3]
        matrix[row] = data[begin : begin + matrix.shape[1]]


@compiled
def _copied(target, at, source, begin, end):  # type: ignore[no-untyped-def]
    """Copies `source[begin:end]` to `target` at offset `at`; returns the offset after the copy."""
    target[at : at + end - begin] = source[begin:end]
    return at + end - begin


@compiled
def _assemble(data, end, places, prefix, raw, tables, framed):  # type: ignore[no-untyped-def]
    """Writes the framed rows into `framed`; returns how many bytes they take."""
    at = 0
    leaves_size = len(raw) // len(end)
    added = len(prefix) + leaves_size
    for row in range(len(end)):
        first, entry, after = places[row, 0], places[row, 1], places[row, 2]
        size = (entry - first) + (end[row] - after) + added
        frame = at
        at += HEADER
        framed[at] = _FIELD_1
        at += 1
        left = size
        while left > 0x7F:
            framed[at] = left & 0x7F | 0x80
            left >>= 7
            at += 1
        framed[at] = left
        at += 1
        at = _copied(framed, at, data, first, entry)
        at = _copied(framed, at, data, after, end[row])
        at = _copied(framed, at, prefix, 0, len(prefix))
        at = _copied(framed, at, raw, row * leaves_size, (row + 1) * leaves_size)
        put_frame(framed, frame, at - frame - HEADER, tables)
        at += FOOTER
    return at
