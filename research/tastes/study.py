"""Trains the arms on simulated feeds, and ranks the next day with each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from datasets.synthetic.candidates import Candidates
from datasets.synthetic.simulator import Simulator
from ranker.config.effects import Effects
from ranker.config.pipeline import PipelineConfig
from research.forest_share.inputs import narrowed, with_inputs
from research.forest_share.measuring import WARM_FROM, RankedSessions
from research.forest_share.names import BOTH, NOTHING
from research.forest_share.study import PreparedDay, predictions, prepared_day, rank_sessions
from research.forest_share.variants import WHOLE, Variant
from research.online.arms import CONTROL, POSSIBLE, Order, PredictedDay, coefficients, row_index, untrained_arms
from research.online.behaviours import Behaviour
from research.online.results import OnlineResults
from research.quality.random_effects.predicting import predicted_with_effects
from research.quality.rows import Probabilities
from research.tastes.bayes import by_learnt_tastes, learnt_tastes
from research.tastes.names import EFFECTS, FEATURES, LEARNABLE, ORACLE


@dataclass(frozen=True, eq=False)
class TastesResults:
    """The sessions of the next day, ranked by every arm.

    Attributes:
        config: of the pipeline.
        trained_on: impressions that a model is trained on.
        arms: those of `ARMS` that were measured.
        ranked: one per seed, each of a feed of its own.
    """

    config: PipelineConfig
    trained_on: int
    arms: tuple[str, ...]
    ranked: Sequence[RankedSessions]

    def sessions(self, group: str) -> int:
        """Of all seeds."""
        return sum(len(one.of(group)[FEATURES]) for one in self.ranked)

    def online(self, group: str) -> OnlineResults | None:
        """The sessions of a group of viewers; None if a seed has none."""
        of_group = [one.of(group) for one in self.ranked]
        if not all(len(one[FEATURES]) for one in of_group):
            return None
        return OnlineResults(group, self.sessions(group), self.trained_on, self.config.utility, of_group)


def rank_next_day(
    config: PipelineConfig,
    behaviour: Behaviour,
    impressions: int,
    seeds: Sequence[int],
    arms: Sequence[str],
    effects: Effects,
    work: Path,
    console: Console,
) -> TastesResults:
    """Simulates a feed per seed, trains the arms on all days but the newest, and ranks the newest.

    Args:
        config: of the pipeline.
        behaviour: of the simulator; it has hidden tastes.
        impressions: of a feed, over all days.
        seeds: each is the seed of a feed and of its trainings.
        arms: some of `ARMS`.
        effects: of the arm `EFFECTS`.
        work: folder for everything that is made; what is there is not made again.
        console: shows progress.
    """
    both, days = with_inputs(config, BOTH), config.train_days + 1
    ranked = []
    for seed in seeds:
        feed = behaviour.feed(work, impressions, days, seed)
        prepared = prepared_day(both, feed.log, feed.newest, work, None, console)
        rows = row_index(prepared.day)
        orders = {name: order for name, order in untrained_arms(both).items() if name in (CONTROL, POSSIBLE)}
        orders |= {
            arm: PredictedDay(rows, predicted, both)
            for arm, predicted in _predicted(prepared, seed, arms, effects, work, console).items()
        }
        orders[ORACLE] = oracle(both, prepared)
        simulator = Simulator(feed.parameters)
        orders[LEARNABLE] = by_learnt_tastes(learnt_tastes(simulator, range(feed.day), both), both)
        ranked.append(rank_sessions(orders, simulator, feed.day, both, prepared.known))
    return TastesResults(both, impressions // days * config.train_days, tuple(arms), ranked)


def _predicted(
    prepared: PreparedDay, seed: int, arms: Sequence[str], effects: Effects, work: Path, console: Console
) -> dict[str, Probabilities]:
    """Arm → probabilities of the held-out rows."""
    day, inputs = prepared.day, [arm for arm in arms if arm != EFFECTS]
    of_variants = predictions(day, [Variant(1.0, one) for one in (NOTHING, *inputs)], [seed], work, console)
    found = {
        FEATURES if variant.inputs == NOTHING else variant.inputs: of_seed for variant, [of_seed] in of_variants.items()
    }
    if EFFECTS in arms:
        own = narrowed(day, WHOLE.config(day.config))
        found[EFFECTS] = predicted_with_effects(own, prepared.log, effects, seed, found[FEATURES], work, 1, console)
    return found


def oracle(config: PipelineConfig, prepared: PreparedDay) -> Order:
    """Ranks by true expectations, given the tastes of warm viewers and with those of the others averaged out."""
    weights = coefficients(config)

    def order(candidates: Candidates) -> NDArray[np.int64]:
        viewers = candidates.table.column(config.keys.viewer).to_pylist()
        warm = np.array([prepared.known.get(one, 0) >= WARM_FROM for one in viewers])
        expected = candidates.expectations()
        known = np.where(warm, expected.given_everything, expected.tastes_averaged_out)
        return candidates.best_first(weights @ known)

    return order
