"""The impressions of the feed log that an update of random effects reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray

from ranker.config.pipeline import PipelineConfig
from ranker.export.effect_rows import BATCH_ROWS, Offsets
from ranker.export.fitted_effects import DayRows
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.layout import list_days
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import LocatedRows, read_unit
from ranker.feed_log.tf_example import encode_examples
from ranker.histories.reading import located_unit_rows
from ranker.scoring.calling import errors_of


@dataclass(frozen=True)
class NewImpressions:
    """Reads a feed log as the models of a config do.

    Attributes:
        config: the pipeline's.
        feed_log: path or URI of the feed log.
    """

    config: PipelineConfig
    feed_log: str

    def times(self, first_day: str, since: int) -> dict[date, tuple[int, int]]:
        """The first and the last time of each day's impressions, for days that have any.

        Args:
            first_day: YYYY-MM-DD; days before are not read.
            since: milliseconds since 1970; impressions before do not count.

        Raises:
            FeedLogError: a day is invalid.
        """
        days = [day for day in list_days(self.feed_log) if day.isoformat() >= first_day]
        return {day: span for day in days if (span := self._times_of(day, since)) is not None}

    def of_day(self, day: date, offsets: Offsets) -> DayRows:
        """A day's impressions, at most `BATCH_ROWS` in a batch, and a model's log-odds of the batch that is read.

        Where the model cannot score a row, the log-odds raise a FeedLogError with the file and the batch's rows.
        """
        place = str(day)

        def batches() -> Iterator[tf.Tensor]:
            nonlocal place
            for found in self._located(day):
                place = found.place
                yield _examples(found.rows)

        def of_batch(examples: tf.Tensor) -> NDArray[np.float32]:
            with errors_of(place):
                return offsets(examples)

        return DayRows(batches, of_batch)

    def without_ids(self, day: date, rows: int) -> tuple[str, tf.Tensor]:
        """The file and the numbers of a day's first impressions, and Examples of them without the ids of effects."""
        ids = self.config.effects.columns if self.config.effects is not None else ()
        first = next(self._located(day))
        first = first.filter(np.arange(first.rows.num_rows) < rows)
        return first.place, _examples(first.rows.select([name for name in first.rows.schema.names if name not in ids]))

    @cached_property
    def _columns(self) -> LogColumns:
        config = self.config
        return columns_of(
            config.objectives, config.features, config.keys, config.timestamps, ids=config.id_columns, rows=config.rows
        )

    def _located(self, day: date) -> Iterator[LocatedRows]:
        units = plan_day(self.feed_log, day, self._columns)
        yield from located_unit_rows(self.feed_log, units, self._columns, BATCH_ROWS)

    def _times_of(self, day: date, since: int) -> tuple[int, int] | None:
        timestamp = self._columns.times
        firsts, lasts = [], []
        for unit in plan_day(self.feed_log, day, timestamp):
            for batch in read_unit(unit, timestamp.columns):
                times = batch.column(0).flatten().to_numpy()
                new = times[times >= since]
                if len(new):
                    firsts.append(int(new.min()))
                    lasts.append(int(new.max()))
        return (min(firsts), max(lasts)) if firsts else None


def _examples(rows: pa.RecordBatch) -> tf.Tensor:
    return tf.constant(encode_examples(rows).to_numpy(zero_copy_only=False))
