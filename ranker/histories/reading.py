"""Rows of the feed log with the histories that it lacks."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from ranker.feed_log.columns import LogColumns
from ranker.feed_log.planning import WorkUnit
from ranker.feed_log.reading import BATCH_ROWS, LocatedRows, located_rows
from ranker.histories.building import build_histories


def unit_rows(
    root: str | Path, units: Sequence[WorkUnit], columns: LogColumns, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """The rows of all units in order, as `ranker.feed_log.reading.read_unit` gives them.

    Args:
        root: the feed log, whose earlier days are read for histories that a file lacks.
        units: of the feed log.
        columns: to read.
        batch_rows: the largest number of rows of a batch.

    Raises:
        FeedLogError: as `read_unit` and `build_histories`.
    """
    for found in located_unit_rows(root, units, columns, batch_rows):
        yield found.rows


def located_unit_rows(
    root: str | Path, units: Sequence[WorkUnit], columns: LogColumns, batch_rows: int = BATCH_ROWS
) -> Iterator[LocatedRows]:
    """The rows of `unit_rows`, with the file and the numbers of the rows of each batch."""
    with tempfile.TemporaryDirectory(prefix="feed-ranker-histories-") as folder:
        histories = build_histories(root, {unit.day for unit in units}, columns, folder)
        for unit in units:
            yield from located_rows(unit, columns.columns, batch_rows, histories)
