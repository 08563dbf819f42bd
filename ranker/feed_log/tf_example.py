"""Record batches to serialised tf.Examples, a column at a time.

A tf.Example is `Features { map<string, Feature> }`, and a Feature is one of three lists. On the wire every level is a
tag, a length and the bytes below it. So one row's Example is, column after column, a header that depends only on the
column's name and on how many bytes of values follow, and then the values. Headers are looked up by that length and all
pieces of a row are joined in one pass of an Arrow kernel, which needs no Python per row and not the interpreter's lock.
https://protobuf.dev/programming-guides/encoding/ describes the format.

tfx_bsl's `RecordBatchToExamplesEncoder` does the same. But protobuf writes the entries of a map in an order that is
another one in every process, so that two workers write different bytes for the same rows. It is slower, too: on 80,000
rows of the built-in feed FeedLogGen takes 3.7 s with it and 2.4 s with this module; TFX's Parquet ExampleGen 48 s.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3  # the fields of Feature
_MAX_VARINT = 10

Lengths = npt.NDArray[np.int64]


def encode_examples(batch: pa.RecordBatch) -> pa.BinaryArray:
    """Each row as a serialised tf.Example.

    Args:
        batch: columns of lists of float32, int64 or binary. A null list is left out of its row's Example; an empty one
            is a feature without values.

    Returns:
        [rows] bytes.

    Raises:
        TypeError: a column of any other type.
        pyarrow.ArrowInvalid: more than 2 GiB of Examples; use a smaller batch.
    """
    pieces: list[pa.Array | pa.Scalar] = []
    row_lengths = np.zeros(batch.num_rows, np.int64)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        field, values = _values(name, column)
        lengths = _lengths(values)
        absent = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
        headers, header_lengths = _headers(lengths, partial(_feature_header, name, field), absent)
        pieces += [headers, values]
        row_lengths += header_lengths + lengths
    examples, _ = _headers(row_lengths, partial(_tagged, 1))
    return pc.binary_join_element_wise(examples, *pieces, pa.scalar(b"", pa.binary()))


def _values(name: str, lists: pa.ListArray) -> tuple[int, pa.BinaryArray]:
    """The field of Feature that a column goes to, and the bytes that hold each row's values there; none where null."""
    if not pt.is_list(lists.type):
        raise TypeError(f"column {name!r}: lists are expected, got {lists.type}")
    elements = lists.flatten()
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    if elements.null_count:
        raise TypeError(f"column {name!r}: a list may not hold nulls")
    if pt.is_float32(elements.type):
        return _FLOAT_LIST, _binary(ends * 4, np.ascontiguousarray(elements.to_numpy()))
    if pt.is_int64(elements.type):
        varints, lengths = _varints(elements.to_numpy().view(np.uint64))
        return _INT64_LIST, _binary(_ends(lengths)[ends], varints)
    if pt.is_binary(elements.type):
        headers, _ = _headers(_lengths(elements), partial(_tagged, 1))
        joined = pc.binary_join_element_wise(headers, elements, pa.scalar(b"", pa.binary()))
        return _BYTES_LIST, _binary(_ends(_lengths(joined))[ends], joined.buffers()[2] or b"")
    raise TypeError(f"column {name!r}: lists of float32, int64 or binary are expected, got {lists.type}")


def _feature_header(name: str, field: int, length: int) -> bytes:
    """What precedes `length` bytes of values: entry of the map, its key, the Feature and its list."""
    # Numbers are packed into one field of the list; bytes already carry a tag each.
    packed = _tagged(1, length) if field != _BYTES_LIST and length else b""
    listed = _tagged(field, len(packed) + length) + packed
    feature = _tagged(2, len(listed) + length) + listed
    key = _tagged(1, len(name.encode())) + name.encode()
    return _tagged(1, len(key) + len(feature) + length) + key + feature


def _tagged(field: int, length: int) -> bytes:
    """The tag of a length-delimited field and the length."""
    encoded = bytearray([field << 3 | 2])
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def _headers(
    lengths: Lengths, header: Callable[[int], bytes], absent: npt.NDArray[np.bool_] | None = None
) -> tuple[pa.BinaryArray | pa.BinaryScalar, Lengths]:
    """`header(length)` for each row and how long it is, made once per distinct length; nothing where `absent`.

    Where all rows have the same header it is one scalar.
    """
    occurs = np.bincount(lengths, minlength=1) > 0
    table = [header(int(length)) for length in np.flatnonzero(occurs)]
    if absent is None and len(table) == 1:
        return pa.scalar(table[0], pa.binary()), np.full(len(lengths), len(table[0]), np.int64)
    chosen = (np.cumsum(occurs) - 1)[lengths]
    if absent is not None:
        chosen[absent] = len(table)
        table.append(b"")
    return pa.array(table, pa.binary()).take(pa.array(chosen)), np.array([len(entry) for entry in table])[chosen]


def _varints(values: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint8], Lengths]:
    """Base-128 varints, one after another, and the bytes that each takes."""
    if not (values > 0x7F).any():
        return values.astype(np.uint8), np.ones(len(values), np.int64)
    shifts = np.arange(0, 7 * _MAX_VARINT, 7, dtype=np.uint64)
    groups = values[:, None] >> shifts
    used = np.maximum((groups > 0).sum(axis=1), 1)
    octets = (groups & np.uint64(0x7F)).astype(np.uint8)
    position = np.arange(_MAX_VARINT)
    octets |= np.where(position < used[:, None] - 1, 0x80, 0).astype(np.uint8)
    return octets[position < used[:, None]], used


def _binary(ends: Lengths, data: npt.NDArray[np.generic] | pa.Buffer | bytes) -> pa.BinaryArray:
    """The bytes between one end and the next, without a copy."""
    if ends[-1] > np.iinfo(np.int32).max:
        raise pa.ArrowInvalid(f"{ends[-1]} bytes in one column of one batch; at most 2 GiB are possible")
    return pa.Array.from_buffers(
        pa.binary(), len(ends) - 1, [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(data)]
    )


def _ends(lengths: Lengths) -> Lengths:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _lengths(values: pa.BinaryArray) -> Lengths:
    return pc.binary_length(values).to_numpy(zero_copy_only=False).astype(np.int64)
