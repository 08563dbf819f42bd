"""Simulates one day of the feed, from the mood of the network to labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from datasets.synthetic.behaviour import draw_labels, log_odds, probabilities, ranked
from datasets.synthetic.drift import seeded
from datasets.synthetic.impressions import draw_impressions, draw_sessions
from datasets.synthetic.log_schema import log_batch, session_ids, truth_batch
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.signals import signals
from datasets.synthetic.today import Today, make_today
from datasets.synthetic.world import make_world

_ROWS_PER_BATCH = 32_768


@dataclass(frozen=True)
class Batch:
    """Consecutive impressions of a day.

    Attributes:
        log: the rows of the feed log.
        truth: the same rows with their keys and the true probability of every objective.
    """

    log: pa.RecordBatch
    truth: pa.RecordBatch


class Simulator:
    """Simulates the days of a feed. Each has its own seeds, so no day depends on whether others are simulated.

    Args:
        settings: the settings that make the feed reproducible.
    """

    def __init__(self, settings: FeedParameters) -> None:
        self._settings = settings
        self._world = make_world(seeded(settings.seed, "world"), settings.impressions_per_day)

    def day(self, day: int) -> Iterator[Batch]:
        """The impressions of a day, counted from the start, ordered by time; only one batch is in memory at a time."""
        today = make_today(self._world, self._settings, day)
        ends = _split(self._settings.impressions_per_day)
        for chunk, (begin, end) in enumerate(pairwise([0, *ends])):
            part = (chunk / len(ends), (chunk + 1) / len(ends))
            yield self._batch(today, chunk, end - begin, part)

    def _batch(self, today: Today, chunk: int, rows: int, day_part: tuple[float, float]) -> Batch:
        rng = seeded(self._settings.seed, "day", today.number, chunk)
        sessions = draw_sessions(rng, self._world.viewers, today, rows, day_part)
        offered = draw_impressions(rng, self._world, today, sessions, self._settings.seed)
        odds = log_odds(signals(self._world, today, sessions, offered), today.mood)
        order = ranked(rng, offered, odds)
        shown = offered.reordered(order)
        examined, probability = probabilities(self._world, sessions, shown, odds[:, order])
        labels = draw_labels(rng, examined, probability)
        ids = session_ids(today.date, chunk, sessions)
        return Batch(
            log_batch(self._world, today, sessions, shown, labels, ids),
            truth_batch(today.items, shown, probability, ids),
        )


def _split(rows: int) -> list[int]:
    """Where batches of nearly equal size end."""
    batches = -(-rows // _ROWS_PER_BATCH)
    return [rows * (batch + 1) // batches for batch in range(batches)]
