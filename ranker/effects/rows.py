"""Impressions on disk, in the form that effects are fitted on, and their partition by entity.

Only a block of rows is in memory at a time, so memory does not grow with the number of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.features.fingerprints import ABSENT

UNOBSERVED = -1
"""The label of an outcome that was not observed."""

BLOCK_ROWS = 65_536
PARTITIONS = 16
MAX_PARTITION_ROWS = 4_000_000
_MAX_DIVISOR = 2**58  # beyond it, two fingerprints of 63 bits no longer differ

Rows = NDArray[Any]


@dataclass(frozen=True)
class RowShape:
    """What a row holds.

    Attributes:
        levels: number of ids.
        inputs: number of inputs of all levels together.
        objectives: number of labels and of offsets.
    """

    levels: int
    inputs: int
    objectives: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """ids int64, x float32, y int8 and offset float32 in one record."""
        return np.dtype(
            [
                ("ids", np.int64, (self.levels,)),
                ("x", np.float32, (self.inputs,)),
                ("y", np.int8, (self.objectives,)),
                ("offset", np.float32, (self.objectives,)),
            ]
        )

    def rows(self, ids: Any, x: Any, y: Any, offset: Any) -> Rows:
        """Rows from arrays [rows, …].

        Raises:
            ValueError: an input or an offset is NaN or infinite, or a label is neither 0, 1 nor `UNOBSERVED`.
        """
        rows = np.empty(len(ids), self.dtype)
        rows["ids"], rows["x"], rows["y"], rows["offset"] = ids, x, y, offset
        for name in ("x", "offset"):
            if not np.isfinite(rows[name]).all():
                raise ValueError(f"effects: {name}: a row holds NaN or infinity, but every number must be finite")
        if not np.isin(rows["y"], (0, 1, UNOBSERVED)).all():
            raise ValueError(f"effects: y: a label is 0 or 1, or {UNOBSERVED} where it was not observed")
        return rows


class RowFile:
    """Rows in a file.

    Args:
        path: the file; it is made with the first rows.
        shape: what a row holds.
    """

    def __init__(self, path: Path, shape: RowShape) -> None:
        self.path = path
        self.shape = shape

    def __len__(self) -> int:
        return self.path.stat().st_size // self.shape.dtype.itemsize if self.path.exists() else 0

    def append(self, rows: Rows) -> None:
        """Adds rows at the end."""
        with self.path.open("ab") as file:
            file.write(rows.tobytes())

    def blocks(self, size: int = BLOCK_ROWS) -> Iterator[Rows]:
        """All rows in order, at most `size` at a time; assigning to a block's fields changes the file."""
        count = len(self)
        for start in range(0, count, size):
            block = self._mapped(min(size, count - start), start)
            yield block
            if isinstance(block, np.memmap):
                block.flush()

    def mapped(self) -> Rows:
        """All rows, read from the file where they are used."""
        return self._mapped(len(self), 0) if len(self) else np.empty(0, self.shape.dtype)

    def _mapped(self, count: int, start: int) -> Rows:
        size = self.shape.dtype.itemsize
        return np.memmap(self.path, self.shape.dtype, "r+", offset=start * size, shape=(count,))


def partitions(
    rows: RowFile, level: int, folder: Path, parts: int = PARTITIONS, max_rows: int = MAX_PARTITION_ROWS
) -> Iterator[RowFile]:
    """Files that hold all rows of some entities each; rows without an id are left out. A file is removed after use.

    Args:
        rows: all rows.
        level: number of the id that says whose a row is.
        folder: for the files.
        parts: number of files that a larger one is divided into.
        max_rows: a file with more rows is divided again, unless it has one entity.
    """
    yield from _divided(rows, level, folder, parts, max_rows, 1)


def _divided(rows: RowFile, level: int, folder: Path, parts: int, max_rows: int, divisor: int) -> Iterator[RowFile]:
    files = [RowFile(folder / f"{divisor}-{part}.rows", rows.shape) for part in range(parts)]
    for block in rows.blocks():
        ids = block["ids"][:, level]
        part = np.where(ids == ABSENT, ABSENT, ids // divisor % parts)
        for number in np.unique(part[part != ABSENT]):
            files[number].append(np.asarray(block[part == number]))
    for file in files:
        if not len(file):
            continue
        if len(file) > max_rows and divisor < _MAX_DIVISOR and not _one_entity(file, level):
            yield from _divided(file, level, folder, parts, max_rows, divisor * parts)
        else:
            yield file
        file.path.unlink()


def _one_entity(rows: RowFile, level: int) -> bool:
    first = rows.mapped()["ids"][0, level]
    return all(bool((block["ids"][:, level] == first).all()) for block in rows.blocks())
