"""A Parquet file without the Arrow types that its writer noted.

pyarrow and other writers store an Arrow schema under a key of the footer, beside Parquet's own schema, and pyarrow's
reader restores those types. There is no argument to keep it from that.
"""

import io

import pyarrow as pa

_NOTED, _HIDDEN = b"ARROW:schema", b"arrow:hidden"  # of the same length, so that nothing moves
_TAIL = 8  # bytes after a footer: its size and the magic number


class WithoutArrowTypes(io.RawIOBase):
    """The bytes of a Parquet file, with another key in place of the one of the Arrow schema.

    Args:
        file: open for reading; it is closed together with this object.
    """

    def __init__(self, file: pa.NativeFile) -> None:
        super().__init__()
        self._file = file
        end = max(0, file.size() - _TAIL)
        file.seek(end)
        self._begin = max(0, end - int.from_bytes(file.read(4), "little"))
        file.seek(self._begin)
        self._footer = file.read(end - self._begin).replace(_NOTED, _HIDDEN)
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that are left."""
        at = self._file.tell()
        found: bytes = self._file.read(None if size < 0 else size)
        begin, end = max(at, self._begin), min(at + len(found), self._begin + len(self._footer))
        if begin >= end:
            return found
        return found[: begin - at] + self._footer[begin - self._begin : end - self._begin] + found[end - at :]

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """As for any file."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """As for any file."""
        return int(self._file.tell())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()
