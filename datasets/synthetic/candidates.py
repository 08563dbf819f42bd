"""The candidates of a batch of sessions, which can be shown in any order."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from datasets.synthetic import vocabulary as words
from datasets.synthetic.behaviour import draw_labels, examination, log_odds, patience, relevance
from datasets.synthetic.drift import seeded
from datasets.synthetic.impressions import draw_impressions, draw_sessions
from datasets.synthetic.log_schema import candidate_batch, log_batch, session_ids, truth_batch
from datasets.synthetic.orders import best_first, check_order
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.signals import signals
from datasets.synthetic.tastes import (
    Tastes,
    relevance_averaged_over_tastes,
    spread,
    taste_for,
    taste_inputs,
    with_tastes,
)
from datasets.synthetic.today import Today
from datasets.synthetic.vocabulary import Bools, Floats, Ints
from datasets.synthetic.world import World

_CLICK, _LIKE = words.OBJECTIVES.index("click"), words.OBJECTIVES.index("like")


@dataclass(frozen=True)
class Shown:
    """What happened in a batch of sessions that were shown in some order.

    Attributes:
        log: the rows of the feed log, with position and outcomes. `is_randomised` is 1 in sessions shown in random
            order, and `propensity` is the chance that the item stood at its position: 1/n in these, with n candidates.
            It is null in the others: the order is the policy's, and whatever noise it has, nobody knows the chances.
        truth: the same rows with their keys, `examined` and, for every objective, the probability of the outcome given
            everything (column `click`, …) and with the tastes averaged out (`click_tastes_averaged_out`, …).
    """

    log: pa.RecordBatch
    truth: pa.RecordBatch


@dataclass(frozen=True)
class Expectations:
    """Probabilities of outcomes, one column per impression; objectives are in the order of `vocabulary.OBJECTIVES`.

    Attributes:
        examined: [impressions], that the viewer looks at it.
        given_everything: [objectives, impressions], for this viewer with these tastes.
        tastes_averaged_out: [objectives, impressions], for the average viewer with the same logged columns.
    """

    examined: Floats
    given_everything: Floats
    tastes_averaged_out: Floats


class Candidates:
    """The candidates of consecutive sessions, before they are ranked.

    Attributes:
        table: one row per candidate with the log's columns that are known before ranking: keys, the timestamp of the
            session's start, and features. Position and outcomes are not among them.
        offsets: [sessions + 1], where each session's rows begin; the last is the number of rows.
        explored: [sessions], which sessions the built-in feed shows in random order.
        taste_inputs: [rows, tastes], what a viewer's hidden tastes, independent standard normal numbers, are multiplied
            by and summed up to how much the viewer likes the candidate.
    """

    def __init__(
        self,
        world: World,
        tastes: Tastes,
        today: Today,
        settings: FeedParameters,
        chunk: int,
        rows: int,
        day_part: tuple[float, float],
    ) -> None:
        """Draws sessions with `rows` candidates in all, at that part of the day; `chunk` numbers the day's batches."""
        self._settings = settings
        self._number = (today.number, chunk)
        rng = seeded(settings.seed, "day", *self._number)
        sessions = draw_sessions(rng, world.viewers, today, rows, day_part)
        offered = draw_impressions(rng, world, today, sessions, settings.seed)
        self.table = candidate_batch(world, today, sessions, offered, session_ids(today.date, chunk, sessions))
        self.offsets: Ints = np.concatenate(([0], np.cumsum(sessions.length)))
        explore = seeded(settings.seed, "explore", *self._number)
        self.explored: Bools = explore.random(len(sessions)) < settings.exploration
        self._shuffled = best_first(explore.random(len(self)), self.offsets)
        self.taste_inputs = taste_inputs(tastes, today.items, offered)
        self._patience = patience(world, sessions, offered)
        self._usual = log_odds(signals(world, today, sessions, offered), today.mood)
        self._spread = spread(today.items, offered)
        self._log_odds = with_tastes(
            self._usual, taste_for(tastes, today.items, offered), self._spread, settings.tastes
        )

    def __len__(self) -> int:
        return self.table.num_rows

    @property
    def position(self) -> Ints:
        """[rows], the position of each row of an order in its session, from 1."""
        return np.arange(len(self)) - np.repeat(self.offsets[:-1], np.diff(self.offsets)) + 1

    def best_first(self, scores: Floats) -> Ints:
        """The order by falling score within each session, from scores [rows] of the table's rows.

        Raises:
            ValueError: there is not one score per row.
        """
        return best_first(scores, self.offsets)

    def production_order(self) -> Ints:
        """The order of the production ranker, the one that writes the simulated log.

        Its score is click + 0.4 * like in log-odds, plus noise. Of the viewer's tastes it knows a share. So position
        and relevance are correlated but not identical.
        """
        rng = seeded(self._settings.seed, "ranker", *self._number)
        known = self._usual + np.float32(self._settings.ranker_tastes) * (self._log_odds - self._usual)
        noise = np.float32(self._settings.ranker_noise) * rng.standard_normal(len(self), np.float32)
        return self.best_first(known[_CLICK] + np.float32(0.4) * known[_LIKE] + noise)

    def random_order(self, seed: int = 0) -> Ints:
        """A uniformly random order within each session."""
        rng = seeded(self._settings.seed, "shuffle", *self._number, seed)
        return self.best_first(rng.random(len(self)))

    def with_exploration(self, order: Ints) -> Ints:
        """The order with the `explored` sessions in a uniformly random one, the same for every order."""
        return np.where(np.repeat(self.explored, np.diff(self.offsets)), self._shuffled, order)

    def show(self, order: Ints, randomised: Bools | None = None) -> Shown:
        """Shows the sessions in an order and draws the outcomes.

        Every candidate has its own random numbers, the same for every order: its outcomes depend on its own position
        and on nothing else about the order. So two orders can be compared pair by pair.

        Args:
            order: [rows], rows of the table; the part of each session from position 1 on.
            randomised: [sessions], which sessions the order shows in uniformly random order, for the log. None: none.

        Returns:
            Log and truth, in the order shown.

        Raises:
            ValueError: the order does not show every candidate once in its own session, or `randomised` has another
                length.
        """
        expected = self.expectations(order)
        rows = np.argsort(order)  # back to the table's order, in which the random numbers are drawn
        rng = seeded(self._settings.seed, "outcomes", *self._number)
        labels = draw_labels(rng, expected.examined[rows], relevance(self._log_odds))[:, order]
        shown = self.table.take(pa.array(order))
        return Shown(
            log_batch(shown, self.position, *self._exploration(randomised), labels),
            truth_batch(shown, expected.examined, expected.given_everything, expected.tastes_averaged_out),
        )

    def _exploration(self, randomised: Bools | None) -> tuple[Bools, Floats]:
        """Whether each position was drawn at random, and with what chance, NaN where not; [rows]."""
        sizes = np.diff(self.offsets)
        flags = np.zeros(len(sizes), bool) if randomised is None else randomised
        if flags.shape != sizes.shape:
            raise ValueError(f"randomised: expected one per session, [{len(sizes)}], got {list(flags.shape)}")
        return np.repeat(flags, sizes), np.repeat(np.where(flags, 1 / sizes, np.nan), sizes)

    def expectations(self, order: Ints | None = None) -> Expectations:
        """The true probabilities of all outcomes.

        Args:
            order: as for `show`. None: for the table's rows, given that the viewer looks at each.

        Raises:
            ValueError: the order does not show every candidate once in its own session.
        """
        everything = relevance(self._log_odds)
        averaged = relevance_averaged_over_tastes(self._usual, self._spread, self._settings.tastes)
        if order is None:
            return Expectations(np.ones(len(self), np.float32), everything, averaged)
        check_order(order, self.offsets)
        examined = examination(self._patience[order], self.position)
        return Expectations(examined, examined * everything[:, order], examined * averaged[:, order])

    def given_taste(self, taste: Floats) -> Floats:
        """The true probabilities of viewers with these tastes, if they look, [objectives, rows].

        Args:
            taste: [rows], how much the viewer likes each candidate: `taste_inputs` times the tastes, summed.
        """
        return relevance(with_tastes(self._usual, taste.astype(np.float32), self._spread, self._settings.tastes))
