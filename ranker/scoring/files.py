"""Scores Parquet files of any size: one file of scores per file of rows, in bounded memory.

Several batches are read, scored and written at the same time, a few per core. No other rows are in memory.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.ahead import map_ahead, one_ahead
from ranker.features.log_column import LogColumn
from ranker.feed_log.columns import check_names
from ranker.feed_log.layout import open_parquet
from ranker.feed_log.reading import parquet_batches
from ranker.files import atomic_folder
from ranker.progress import ProgressReporter
from ranker.scoring.patterns import InputFile
from ranker.scoring.results import check_kept, scored_columns, scored_schema, utility_of
from ranker.scoring.scorer import Scorer, Scores

_ROW_GROUP = 65_536


@dataclass(frozen=True)
class Scored:
    """What was scored: files, rows, and seconds without the time for checks."""

    files: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class FilePlan:
    """How one file is scored.

    Attributes:
        file: to read.
        rows: in it.
        columns: that the model reads.
        kept: columns that are copied.
    """

    file: InputFile
    rows: int
    columns: tuple[LogColumn, ...]
    kept: tuple[pa.Field, ...]


def plan_files(scorer: Scorer, files: Sequence[InputFile], keep: Sequence[str] | None = None) -> list[FilePlan]:
    """Checks all files by their footers before the first row is scored.

    Args:
        scorer: the model.
        files: to read.
        keep: columns to copy, which every file must have; None copies those keys of an impression that a file has.

    Raises:
        FeedLogError: a file is not Parquet, a column is missing or stands there twice, or has a type that its kind does
            not accept; or `keep` names a column twice, or one with the name of an objective.
    """
    return [_plan(scorer, file, keep) for file in files]


def _plan(scorer: Scorer, file: InputFile, keep: Sequence[str] | None) -> FilePlan:
    with open_parquet(file.path) as opened:
        schema, rows = opened.schema_arrow, opened.metadata.num_rows
    # Writers that infer types from values cannot do so for an empty file.
    columns = scorer.check(file.path, schema) if rows else ()
    wanted = scorer.description.key_names if keep is None else keep
    if keep is None or not rows:
        wanted = [name for name in wanted if name in schema.names]
    check_names(file.path, schema, wanted)
    check_kept(file.path, wanted, scorer.description.objective_names)
    return FilePlan(file, rows, columns, tuple(schema.field(name) for name in wanted))


def score_files(scorer: Scorer, plans: Sequence[FilePlan], output: str | Path) -> Scored:
    """Writes a file of scores per file of rows, below `output`, in the files' order of rows.

    Args:
        scorer: the model.
        plans: from `plan_files`.
        output: path or URI of the new folder. It appears when all files are complete.

    Raises:
        FeedLogError: a value that its column may not hold, or that cannot be scored; nothing is written.
        FileExistsError: there is something at `output` already.
    """
    started = time.perf_counter()
    rows = sum(plan.rows for plan in plans)
    progress = ProgressReporter("scoring", rows)
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        progress.update(done, f"{done / (time.perf_counter() - started):,.0f} rows/s")

    with atomic_folder(output, durable=False) as folder:
        files = groupby(_scored(scorer, plans), lambda scored: scored[0])
        for number, batches in files:
            target = folder / plans[number].file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(target, _schema(scorer, plans[number]), (_counted(batch, advance) for _, batch in batches))
    return Scored(len(plans), rows, time.perf_counter() - started)


def score_file(scorer: Scorer, plan: FilePlan, target: Path) -> None:
    """Writes the scores of one file, as `score_files` does.

    Args:
        scorer: the model.
        plan: from `plan_files`.
        target: the local file to write.

    Raises:
        FeedLogError: a value that its column may not hold, or that cannot be scored.
    """
    _write(target, _schema(scorer, plan), (batch for _, batch in _scored(scorer, [plan])))


def _schema(scorer: Scorer, plan: FilePlan) -> pa.Schema:
    return scored_schema(plan.kept, scorer.description.objective_names)


def _counted(batch: pa.Table, advance: Callable[[int], None]) -> pa.Table:
    advance(batch.num_rows)
    return batch


def _write(target: Path, schema: pa.Schema, batches: Iterable[pa.Table]) -> None:
    """Writes a file; the rows of a row group are collected, as a row group per batch would be small."""
    with pq.ParquetWriter(target, schema) as writer:
        waiting: list[pa.Table] = []
        for batch in batches:
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= _ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting), row_group_size=_ROW_GROUP)
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=_ROW_GROUP)


@dataclass(frozen=True)
class _Batch:
    """Rows of a file: its number among the plans, the index of the first row, and the rows as they are in the file."""

    number: int
    first_row: int
    rows: pa.RecordBatch | None


def _scored(scorer: Scorer, plans: Sequence[FilePlan]) -> Iterator[tuple[int, pa.Table]]:
    """Number of the file and scores of each batch, in order; every file has a batch."""
    description = scorer.description

    def score(batch: _Batch) -> tuple[int, pa.Table]:
        plan = plans[batch.number]
        if batch.rows is None:
            scores = Scores.joined([], len(description.objectives))
            kept = [pa.array([], field.type) for field in plan.kept]
        else:
            scores = scorer(scorer.request(batch.rows, plan.columns, plan.file.path, batch.first_row))
            # Where Arrow reads a file in its Parquet types, a column has another type here than in the file's schema.
            kept = [batch.rows.column(field.name).cast(field.type) for field in plan.kept]
        utility = utility_of(scores, description.objectives, description.utility)
        columns = list(zip(plan.kept, kept, strict=True))
        return batch.number, scored_columns(columns, scores, description.objective_names, utility)

    # A call of the model uses little more than one core, so several batches are scored at the same time. The stream
    # goes over all files: the first rows of a file are read while the last ones of the file before are scored.
    return map_ahead(score, one_ahead(_batches(scorer.batch_rows, plans)), workers=os.cpu_count() or 1)


def _batches(batch_rows: int, plans: Sequence[FilePlan]) -> Iterator[_Batch]:
    for number, plan in enumerate(plans):
        if not plan.rows:
            yield _Batch(number, 0, None)
            continue
        row = 0
        names = dict.fromkeys([*(field.name for field in plan.kept), *(column.source for column in plan.columns)])
        for rows in parquet_batches(plan.file.path, list(names), batch_rows):
            yield _Batch(number, row, rows)
            row += rows.num_rows
