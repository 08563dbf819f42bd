"""Named arrays in one `.npz` file, at a path or a URI: how the states that a later training continues from are kept."""

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ranker.files import write_bytes
from ranker.storage import read_bytes


def write_arrays(path: str, arrays: Mapping[str, Any]) -> None:
    """Writes a file with arrays by name, atomically."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_bytes(path, content.getvalue())


@contextmanager
def read_arrays(path: str, what: str, version: int | None = None) -> Iterator[Any]:
    """Opens what `write_arrays` wrote.

    Args:
        path: path or URI.
        what: what the file belongs to, as the first word of an error.
        version: the number that the array `format` has to hold; None for a file without one.

    Yields:
        name → array; a name that is missing is an error as well.

    Raises:
        ValueError: the file is missing, corrupt or of another format; the message names it.
    """
    try:
        content = io.BytesIO(read_bytes(path))
        if not zipfile.is_zipfile(content):
            raise EOFError("it is no complete .npz file")
        content.seek(0)
        with np.load(content) as arrays:
            if version is not None and int(arrays["format"]) != version:
                raise ValueError(f"{path} has format {arrays['format']}, but this code reads format {version}")
            yield arrays
    except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{what}: {path} is missing or corrupt: {error}") from error
