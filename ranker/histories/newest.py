"""The histories of all viewers for a day that is to come, for a feature store that the served model's client reads."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from ranker.features.hashing import hashes_of
from ranker.feed_log.columns import LogColumns, check_schema
from ranker.feed_log.layout import FeedLogError, LogFile, day_files, open_parquet
from ranker.feed_log.reading import converted, parquet_batches
from ranker.histories.building import store_histories
from ranker.histories.state import Ints

_ROWS = 65_536


def newest_histories(root: str | Path, day: date, columns: LogColumns, folder: str) -> Iterator[pa.Table]:
    """The histories that impressions of a day have, as the pipeline computes them from the days before.

    Args:
        root: the feed log, which need not have the day.
        day: the day whose requests are answered.
        columns: of the feed log, with histories.
        folder: for temporary files, a path or URI.

    Yields:
        Tables with the viewers' column, as in the log, and a column per history; each viewer is in one of them, and
        none without a history.

    Raises:
        FeedLogError: no day before has a viewer, or a value of one is not valid.
    """
    stored = store_histories(root, {history: [day] for history in columns.histories}, columns, folder)
    given: Ints = np.zeros(0, np.int64)
    kind: pa.DataType | None = None
    for number in range(1, max(history.days for history in columns.histories) + 1):
        for file in day_files(root, day - timedelta(days=number)) or ():
            for raw, hashed in _viewers(file, columns):
                kind = kind or raw.type
                viewers, first = np.unique(hashed, return_index=True)
                new = ~np.isin(viewers, given)
                lists = {history.name: stored.column(history, day, viewers[new]) for history in columns.histories}
                given = np.union1d(given, viewers[new])
                table = pa.table(
                    {columns.of(columns.keys.viewer).source: raw.take(pa.array(first[new])).cast(kind), **lists}
                )
                # A viewer who was forgotten, or whose impressions have no value.
                there = np.logical_or.reduce(
                    [values.is_valid().to_numpy(zero_copy_only=False) for values in lists.values()]
                )
                yield table.filter(pa.array(there))
    if kind is None:
        raise FeedLogError(f"feed log {root}: it has no impressions that histories for {day} are computed from")


def _viewers(file: LogFile, columns: LogColumns) -> Iterator[tuple[pa.Array, Ints]]:
    """The viewers of each batch of rows: as in the file, and their hashes."""
    column = columns.of(columns.keys.viewer)
    with open_parquet(file.path) as opened:
        if not opened.metadata.num_rows:
            return
        check_schema(file.path, opened.schema_arrow, [column])
    row = 0
    for batch in parquet_batches(file.path, [column.source], _ROWS):
        values = batch.column(0)
        decoded = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
        yield decoded, hashes_of(converted(file.path, row, column, values))
        row += len(values)
