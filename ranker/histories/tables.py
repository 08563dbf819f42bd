"""A day of the feed log as it is on disk, with the histories that it lacks; for scoring by a loaded model."""

import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa

from ranker.feed_log.columns import LogColumns
from ranker.feed_log.layout import FeedLogError, day_files, open_parquet
from ranker.feed_log.reading import as_lists, parquet_batches
from ranker.histories.building import build_histories


def day_tables(root: str | Path, day: date, columns: LogColumns, rows: int) -> Iterator[pa.Table]:
    """All columns of a day's files, and a column per history that a file lacks.

    Args:
        root: the feed log.
        day: the day.
        columns: of the feed log.
        rows: the largest number of rows of a table.

    Raises:
        FeedLogError: the day is missing, or histories cannot be computed.
    """
    files = day_files(root, day)
    if not files:
        raise FeedLogError(f"feed log {root}: there is no day {day}")
    with tempfile.TemporaryDirectory(prefix="feed-ranker-histories-") as folder:
        histories = build_histories(root, [day], columns, folder)
        for file in files:
            with open_parquet(file.path) as opened:
                names = opened.schema_arrow.names
            sources = {history.name: columns.of(history.name).source for history in columns.histories}
            lacking = [name for name, source in sources.items() if source not in names]
            row = 0
            for batch in parquet_batches(file.path, names, rows):
                table = pa.Table.from_batches([batch])
                if histories is not None and lacking:
                    viewers = as_lists(file.path, row, histories.reads, batch)
                    for name, values in histories(day, viewers, lacking).items():
                        table = table.append_column(sources[name], values)
                yield table
                row += batch.num_rows
