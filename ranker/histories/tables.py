"""A day of the feed log as it is on disk, with the histories that it lacks; for scoring by a loaded model."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa

from ranker.config.rows import Rows, Where
from ranker.feed_log.columns import LogColumns, check_schema
from ranker.feed_log.layout import open_parquet
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import LocatedRows, as_lists, parquet_batches
from ranker.feed_log.row_filter import kept_rows
from ranker.histories.building import build_histories


def day_tables(
    root: str | Path, day: date, columns: LogColumns, rows: int, where: Where | None = None
) -> Iterator[LocatedRows]:
    """All columns of a day's rows that meet conditions, and a column per history that a file lacks.

    The day is checked as a day of the pipeline is; which columns its files need beside the timestamps is left to what
    reads the rows.

    Args:
        root: the feed log.
        day: the day.
        columns: of the feed log; its conditions on rows say which earlier rows histories are of.
        rows: the largest number of rows of a batch.
        where: the conditions on the day's own rows; None takes those of `columns`.

    Raises:
        FeedLogError: the day is missing or invalid, a condition cannot be evaluated, or histories cannot be computed.
    """
    where = columns.rows.where if where is None else where
    units = plan_day(root, day, replace(columns.times, rows=Rows(where=where)))
    with tempfile.TemporaryDirectory(prefix="feed-ranker-histories-") as folder:
        histories = build_histories(root, [day], columns, folder)
        for path in dict.fromkeys(unit.path for unit in units):
            with open_parquet(path) as opened:
                schema = opened.schema_arrow
            sources = {history.name: columns.of(history.name).source for history in columns.histories}
            lacking = [name for name, source in sources.items() if source not in schema.names]
            if histories is not None and lacking:
                check_schema(path, schema, histories.reads)
            row = 0
            for batch in parquet_batches(path, schema.names, rows):
                kept = kept_rows(batch, where)
                if len(kept):
                    read = batch if len(kept) == batch.num_rows else batch.take(pa.array(kept))
                    if histories is not None and lacking:
                        viewers = as_lists(path, row + kept, histories.reads, read)
                        for name, values in histories(day, viewers, lacking).items():
                            read = read.append_column(sources[name], values)
                    yield LocatedRows(path, row + kept, read)
                row += batch.num_rows
