"""Finds impressions that a day has in several rows, as after a job that was tried again, or a join that repeats rows.

Rows with the same session, item and timestamp are one impression, in whatever files, order and encoding they are. A
session may show an item again, at another time; where the timestamps are dates, that cannot be told apart. Rows that
were written again with other keys, or under another day, are not found.

Of a large day only a part is compared, so that little is kept of it: the impressions with the smallest hashes. A hash
depends on nothing but the keys, so all rows of an impression are compared, or none of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from ranker.feed_log.columns import LogColumns
from ranker.feed_log.layout import day_folder_name
from ranker.storage import join

COMPARED_ROWS = 1 << 18
"""About so many rows of a day are compared, and all of a day that has no more."""
USUAL_SHARE = 0.01
"""Up to this share of a day's rows is no reason for a warning: a page may show an item twice at the same time."""

_Hashes = npt.NDArray[np.uint64]
_LARGEST = 2**64 - 1


@dataclass(frozen=True)
class Repeats:
    """What was found among the compared rows of a day; `repeated` counts all rows of an impression but one."""

    compared: int
    repeated: int


class KeyHashes:
    """The hashes of a part of a day's rows that are compared.

    Args:
        columns: those of the log.
        rows: of the whole day.
    """

    def __init__(self, columns: LogColumns, rows: int) -> None:
        self._keys = columns.keys
        self._limit = np.uint64(_LARGEST * min(COMPARED_ROWS, rows) // max(rows, 1))
        self._kept: list[_Hashes] = []

    def add(self, rows: pa.RecordBatch) -> None:
        """Adds rows, as `reading.read_unit` returns them."""
        keys = self._keys
        mixed = np.zeros(rows.num_rows, np.uint64)
        for name in (keys.session, keys.item, keys.timestamp):
            # Unlike Python's own, these hashes are the same on every worker.
            values = rows.column(name).flatten().to_numpy(zero_copy_only=False)
            mixed = _mixed(mixed ^ pd.util.hash_array(values, categorize=False))
        self._kept.append(mixed[mixed <= self._limit])

    def to_bytes(self) -> bytes:
        """The hashes, 8 bytes each."""
        return b"".join(hashes.tobytes() for hashes in self._kept)


def find_repeats(parts: Iterable[bytes]) -> Repeats:
    """The repeats in a day, from the hashes of all of its parts."""
    hashes = np.frombuffer(b"".join(parts), np.uint64)
    return Repeats(len(hashes), len(hashes) - len(np.unique(hashes)))


def repeats_warning(
    root: str | Path, found: Mapping[date, Repeats], rows_per_day: Mapping[date, int], columns: LogColumns
) -> tuple[str, ...]:
    """A sentence on the oldest day with more than a usual share of repeats, if there is one, and how many more."""
    days = sorted(day for day, repeats in found.items() if repeats.repeated > USUAL_SHARE * repeats.compared)
    if not days:
        return ()
    rows, repeats = rows_per_day[days[0]], found[days[0]]
    repeated = round(repeats.repeated * rows / repeats.compared)
    session, item, timestamp = (
        columns.of(name).source for name in (columns.keys.session, columns.keys.item, columns.keys.timestamp)
    )
    more = f" (and {len(days) - 1} more such day{'s' if len(days) > 2 else ''})" if len(days) > 1 else ""
    return (
        f"{join(root, day_folder_name(days[0]))}: {'about ' if repeats.compared < rows else ''}{repeated:,} of the "
        f"{rows:,} rows {'repeats' if repeated == 1 else 'repeat'} another row of the day in {session!r}, {item!r} and "
        f"{timestamp!r}; such an impression counts once for each of its rows{more}",
    )


def _mixed(values: _Hashes) -> _Hashes:
    """Every bit of the result depends on every bit of the value; SplitMix64's last step."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
