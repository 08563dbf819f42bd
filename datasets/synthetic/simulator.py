"""The simulator: the sessions of a day, to be ranked by anybody, and what happens when they are shown.

Example: the utility of an order of your own, compared with the production ranker's on the same sessions.

    >>> from datetime import date
    >>> import numpy as np
    >>> from datasets.synthetic.parameters import FeedParameters
    >>> from datasets.synthetic.simulator import Simulator
    >>> simulator = Simulator(FeedParameters(impressions_per_day=1_000, seed=1, start=date(2026, 1, 5)))
    >>> [candidates] = simulator.sessions(day=0)  # an iterator of batches; a large day has many
    >>> candidates.table.num_rows, int(candidates.offsets[-1])  # rows with keys and features; where sessions begin
    (1000, 1000)
    >>> scores = candidates.table["viewer_topic_match"].to_numpy(zero_copy_only=False)
    >>> order = candidates.best_first(np.nan_to_num(scores))  # [rows]; each session from position 1 on
    >>> shown = candidates.show(order)  # outcomes are drawn with the same random numbers for every order
    >>> shown.log["position"][0].as_py(), shown.log.num_rows == shown.truth.num_rows
    (1, True)
    >>> truth = candidates.expectations(order)  # true probabilities, [objectives, rows] in the order shown
    >>> truth.given_everything.shape, truth.tastes_averaged_out.shape
    ((6, 1000), (6, 1000))
    >>> control = candidates.expectations(candidates.production_order())
    >>> bool(control.given_everything[0].sum() > candidates.expectations(candidates.random_order())
    ...      .given_everything[0].sum())
    True
"""

from collections.abc import Iterator
from itertools import pairwise

from datasets.synthetic.candidates import Candidates, Shown
from datasets.synthetic.drift import seeded
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.tastes import make_tastes
from datasets.synthetic.today import make_today
from datasets.synthetic.world import make_world

_ROWS_PER_BATCH = 32_768


class Simulator:
    """Simulates the days of a feed. Each has its own seeds, so no day depends on whether others are simulated.

    Args:
        settings: the settings that make the feed reproducible.
    """

    def __init__(self, settings: FeedParameters) -> None:
        self._settings = settings
        self._world = make_world(seeded(settings.seed, "world"), settings.impressions_per_day)
        self._tastes = make_tastes(self._world, settings.seed)

    def sessions(self, day: int) -> Iterator[Candidates]:
        """The sessions of a day, counted from the start, ordered by time; only one batch is in memory at a time."""
        today = make_today(self._world, self._settings, day)
        ends = _split(self._settings.impressions_per_day)
        for chunk, (begin, end) in enumerate(pairwise([0, *ends])):
            part = (chunk / len(ends), (chunk + 1) / len(ends))
            yield Candidates(self._world, self._tastes, today, self._settings, chunk, end - begin, part)

    def day(self, day: int) -> Iterator[Shown]:
        """The same sessions as the production ranker shows them, but for those shown in random order."""
        for candidates in self.sessions(day):
            yield candidates.show(candidates.with_exploration(candidates.production_order()), candidates.explored)


def _split(rows: int) -> list[int]:
    """Where batches of nearly equal size end."""
    batches = -(-rows // _ROWS_PER_BATCH)
    return [rows * (batch + 1) // batches for batch in range(batches)]
