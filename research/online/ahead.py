"""One day ahead: every arm is trained on the production ranker's log and ranks the sessions of the next day."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from datasets.synthetic.simulator import Simulator
from ranker.config.pipeline import PipelineConfig
from research.online.arms import MODEL_ARMS, Order, PredictedDay, arm_names, row_index, untrained_arms
from research.online.behaviours import Behaviour
from research.online.engagement import Engagement, engagement
from research.online.results import OnlineResults
from research.quality.names import OURS, WITH_EFFECTS
from research.quality.random_effects.effects import effects_of
from research.quality.random_effects.predicting import predicted_with_effects
from research.quality.rows import held_out_day
from research.quality.study import predictions_of


def rank_next_day(
    config: PipelineConfig,
    behaviour: Behaviour,
    impressions: int,
    seeds: Sequence[int],
    trained: Sequence[str],
    work: Path,
    processes: int,
    console: Console,
) -> OnlineResults:
    """Simulates a feed per seed, trains the models on all days but the newest, and ranks the newest.

    Models that have settings choose them on the first seed's feed.

    Args:
        config: of the pipeline; the days of training are its own.
        behaviour: of the simulator.
        impressions: of the feed, over all days.
        seeds: each is the seed of a feed and of its trainings.
        trained: some of `MODEL_ARM_NAMES`; `WITH_EFFECTS` requires `OURS`, whose predictions it adds to.
        work: folder for logs and predictions; what is there already is not made again.
        processes: trainings at a time, each on one thread.
        console: shows progress.

    Raises:
        RuntimeError: a component of the pipeline failed.
    """
    days = config.train_days + 1
    # The feeds differ by chance alone, so the settings of one serve for all.
    settings = work / "settings" / f"{behaviour.name}-{impressions}"
    models = {name: model for name, model in MODEL_ARMS.items() if name in trained}
    ranked = []
    for seed in seeds:
        console.print(f"{behaviour.title}, seed {seed}", highlight=False)
        feed = behaviour.feed(work, impressions, days, seed)
        day = held_out_day(config, feed.log, feed.newest, work / f"{feed.log.name}-{feed.newest}", console)
        of_models = predictions_of(day, models, [seed], work, processes, console, settings)
        predicted = {name: of_seed for name, [of_seed] in of_models.items()}
        if WITH_EFFECTS in trained:
            predicted[WITH_EFFECTS] = predicted_with_effects(
                day, feed.log, effects_of(config), seed, predicted[OURS], work, processes, console
            )
        rows = row_index(day)
        orders: dict[str, Order] = untrained_arms(config) | {
            name: PredictedDay(rows, of_arm, config) for name, of_arm in predicted.items()
        }
        names = arm_names(trained)
        of_arms = {name: orders[name] for name in names}
        ranked.append(engagement_of_day(of_arms, Simulator(feed.parameters), feed.day, config))
    return OnlineResults(
        behaviour.title, impressions // days, impressions // days * config.train_days, config.utility, ranked
    )


def engagement_of_day(
    orders: Mapping[str, Order], simulator: Simulator, day: int, config: PipelineConfig
) -> dict[str, Engagement]:
    """Arm → engagement of each session of a day, counted from the feed's start.

    Args:
        orders: of the arms.
        simulator: of the feed.
        day: that they rank.
        config: gives the objectives.
    """
    parts: dict[str, list[Engagement]] = {name: [] for name in orders}
    for candidates in simulator.sessions(day):
        for name, order in orders.items():
            parts[name].append(engagement(candidates, order(candidates), config.objectives))
    return {name: np.concatenate(values) for name, values in parts.items()}
