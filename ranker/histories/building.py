"""Builds histories from a feed log, in one pass over its days.

The impressions of a day read what was known before it: an outcome changes the histories of later days only. A served
model has the same: what `python -m pipeline.histories` writes for the next day.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ranker.config.columns import AnyHistory
from ranker.config.rows import Rows
from ranker.features.hashing import hashes_of
from ranker.features.history_items import ACTION_BITS
from ranker.features.log_column import LogColumn
from ranker.features.registry import history_kind
from ranker.feed_log.columns import LogColumns, check_names, check_schema
from ranker.feed_log.layout import LogFile, day_files, open_all
from ranker.feed_log.reading import as_lists, parquet_batches
from ranker.feed_log.row_filter import check_filter, kept_rows
from ranker.histories.state import HistoryRows, HistoryState, Ints
from ranker.histories.stored import StoredHistories
from ranker.progress import ProgressReporter

_ROWS = 65_536


def build_histories(
    root: str | Path, days: Collection[date], columns: LogColumns, folder: str
) -> StoredHistories | None:
    """Computes the histories of the days' impressions, for the files that do not have them.

    Args:
        root: the feed log.
        days: whose rows are going to be read. Missing ones are skipped.
        columns: of the feed log.
        folder: for the histories, a path or URI.

    Returns:
        The histories; None if no file needs any.

    Raises:
        FeedLogError: an earlier day lacks a column that histories are of, or has a value that its column may not hold.
    """
    lacking: dict[str, set[date]] = {history.name: set() for history in columns.histories}
    if lacking:
        files = [file for day in sorted(days) for file in day_files(root, day) or ()]
        for file, footer in zip(files, open_all(files), strict=True):
            there = set(footer.schema.to_arrow_schema().names)
            for name, on in lacking.items() if footer.num_rows else ():
                if columns.of(name).source not in there:
                    on.add(file.day)
    wanted = {history: lacking[history.name] for history in columns.histories if lacking[history.name]}
    return store_histories(root, wanted, columns, folder) if wanted else None


def store_histories(
    root: str | Path, wanted: Mapping[AnyHistory, Collection[date]], columns: LogColumns, folder: str
) -> StoredHistories:
    """Computes the histories of the impressions of certain days, which the log need not have.

    Args:
        root: the feed log.
        wanted: history → at least one day.
        columns: of the feed log.
        folder: for the histories, a path or URI.

    Raises:
        FeedLogError: as `build_histories`.
    """
    stored = StoredHistories(folder, tuple(wanted), columns.of(columns.keys.viewer))
    states = {history: HistoryState(history) for history in wanted}
    first = {history: min(days) - timedelta(days=history.days) for history, days in wanted.items()}
    span = _days(min(first.values()), max(max(days) for days in wanted.values()))
    progress = ProgressReporter("building histories", len(span))
    for done, day in enumerate(span, start=1):
        for history, state in states.items():
            rows = state.before(day)
            if day in wanted[history]:
                stored.store(history, day, rows)
        # The last day reads histories and adds to none.
        adds = [history for history in wanted if first[history] <= day < max(wanted[history])]
        for file in (day_files(root, day) or ()) if adds else ():
            for batch in _batches(file, _columns(adds, columns), columns.rows):
                for history in adds:
                    states[history].add(_rows(history, day, batch, columns))
        progress.update(done)
    return stored


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _columns(histories: Sequence[AnyHistory], columns: LogColumns) -> list[LogColumn]:
    names = [columns.keys.viewer, columns.keys.timestamp]
    for history in histories:
        names += [history.of, *history.actions]
    return [columns.of(name) for name in dict.fromkeys(names)]


def _batches(file: LogFile, columns: Sequence[LogColumn], of_log: Rows) -> Iterator[pa.RecordBatch]:
    """The impressions of a file that meet the log's conditions on rows."""
    [footer] = open_all([file])
    if not footer.num_rows:
        return
    schema = footer.schema.to_arrow_schema()
    check_schema(file.path, schema, columns)
    check_names(file.path, schema, of_log.columns)
    check_filter(file.path, of_log.where, schema)
    sources = dict.fromkeys([*(column.source for column in columns), *of_log.columns])
    row = 0
    for batch in parquet_batches(file.path, list(sources), _ROWS):
        kept = kept_rows(batch, of_log.where)
        if len(kept):
            read = batch if len(kept) == batch.num_rows else batch.take(pa.array(kept))
            yield as_lists(file.path, row + kept, columns, read)
        row += batch.num_rows


def _rows(history: AnyHistory, day: date, batch: pa.RecordBatch, columns: LogColumns) -> HistoryRows:
    """The impressions of a batch as the history keeps them; those without a value are left out."""
    time = batch.column(columns.keys.timestamp).flatten().to_numpy(zero_copy_only=False)
    kept = history_kind(history).kept(batch.column(history.of))
    item = kept.value << ACTION_BITS
    for bit, action in enumerate(history.actions):
        item |= _happened(batch.column(action)) << bit
    viewer = hashes_of(batch.column(columns.keys.viewer))
    rows = HistoryRows(viewer, np.full(len(time), day.toordinal(), np.int32), time, item, kept.vector)
    return rows if kept.there.all() else rows.take(kept.there)


def _happened(outcomes: pa.ListArray) -> Ints:
    """0 or 1 [rows]; 0 also where an outcome was not observed."""
    observed = pc.fill_null(pc.list_value_length(outcomes), 0).to_numpy(zero_copy_only=False) > 0
    happened = np.zeros(len(outcomes), np.int64)
    happened[observed] = outcomes.flatten().to_numpy(zero_copy_only=False)
    return happened
