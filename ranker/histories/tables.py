"""A day of the feed log as it is on disk, with the histories that it lacks; for scoring by a loaded model."""

import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa

from ranker.config.rows import Rows, Where
from ranker.feed_log.columns import LogColumns, check_names, check_schema
from ranker.feed_log.layout import FeedLogError, day_files, open_parquet
from ranker.feed_log.reading import as_lists, parquet_batches
from ranker.feed_log.row_filter import check_filter, kept_rows
from ranker.histories.building import build_histories


def day_tables(
    root: str | Path, day: date, columns: LogColumns, rows: int, where: Where | None = None
) -> Iterator[pa.Table]:
    """All columns of a day's rows that meet conditions, and a column per history that a file lacks.

    Args:
        root: the feed log.
        day: the day.
        columns: of the feed log; its conditions on rows say which earlier rows histories are of.
        rows: the largest number of rows of a table.
        where: the conditions on the day's own rows; None takes those of `columns`.

    Raises:
        FeedLogError: the day is missing, a condition cannot be evaluated, or histories cannot be computed.
    """
    where = columns.rows.where if where is None else where
    conditions = Rows(where=where).columns
    files = day_files(root, day)
    if not files:
        raise FeedLogError(f"feed log {root}: there is no day {day}")
    with tempfile.TemporaryDirectory(prefix="feed-ranker-histories-") as folder:
        histories = build_histories(root, [day], columns, folder)
        for file in files:
            with open_parquet(file.path) as opened:
                schema, filled = opened.schema_arrow, opened.metadata.num_rows > 0
            # Writers that infer types from values cannot do so for an empty file.
            if not filled:
                continue
            check_names(file.path, schema, conditions)
            check_filter(file.path, where, schema)
            sources = {history.name: columns.of(history.name).source for history in columns.histories}
            lacking = [name for name, source in sources.items() if source not in schema.names]
            if histories is not None and lacking:
                check_schema(file.path, schema, histories.reads)
            row = 0
            for batch in parquet_batches(file.path, schema.names, rows):
                kept = kept_rows(batch, where)
                if len(kept):
                    read = batch if len(kept) == batch.num_rows else batch.take(pa.array(kept))
                    table = pa.Table.from_batches([read])
                    if histories is not None and lacking:
                        viewers = as_lists(file.path, row + kept, histories.reads, read)
                        for name, values in histories(day, viewers, lacking).items():
                            table = table.append_column(sources[name], values)
                    yield table
                row += batch.num_rows
