"""The impressions of the feed log that an update of random effects reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa
import tensorflow as tf

from ranker.config.pipeline import PipelineConfig
from ranker.export.effect_rows import BATCH_ROWS
from ranker.feed_log.columns import LogColumns, columns_of
from ranker.feed_log.layout import list_days
from ranker.feed_log.planning import plan_day
from ranker.feed_log.reading import read_unit
from ranker.feed_log.tf_example import encode_examples
from ranker.histories.reading import unit_rows


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

    def batches(self, day: date) -> Iterator[tf.Tensor]:
        """Serialised tf.Examples of a day, at most `BATCH_ROWS` in a batch."""
        for batch in self._tables(day):
            yield tf.constant(encode_examples(batch).to_numpy(zero_copy_only=False))

    def without_ids(self, day: date, rows: int) -> tf.Tensor:
        """Examples of a day's first impressions, without the ids of effects."""
        ids = self.config.effects.columns if self.config.effects is not None else ()
        batch = next(self._tables(day)).slice(0, rows)
        kept = [name for name in batch.schema.names if name not in ids]
        return tf.constant(encode_examples(batch.select(kept)).to_numpy(zero_copy_only=False))

    @cached_property
    def _columns(self) -> LogColumns:
        config = self.config
        return columns_of(
            config.objectives, config.features, config.keys, config.timestamps, ids=config.id_columns, rows=config.rows
        )

    def _tables(self, day: date) -> Iterator[pa.RecordBatch]:
        yield from unit_rows(self.feed_log, plan_day(self.feed_log, day, self._columns), self._columns, BATCH_ROWS)

    def _times_of(self, day: date, since: int) -> tuple[int, int] | None:
        timestamp = LogColumns(
            tuple(column for column in self._columns.columns if column.name == self.config.example_keys.timestamp),
            self._columns.timestamps,
            rows=self._columns.rows,
        )
        firsts, lasts = [], []
        for unit in plan_day(self.feed_log, day, timestamp):
            for batch in read_unit(unit, timestamp.columns):
                times = batch.column(0).flatten().to_numpy()
                new = times[times >= since]
                if len(new):
                    firsts.append(int(new.min()))
                    lasts.append(int(new.max()))
        return (min(firsts), max(lasts)) if firsts else None
