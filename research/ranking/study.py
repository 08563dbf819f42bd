"""Trains the variants on a feed, and collects what they are measured on."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console

from datasets.synthetic.simulator import Simulator
from ranker.config.pipeline import PipelineConfig
from research.online.ahead import engagement_of_day
from research.online.arms import CONTROL, POSSIBLE, Order, PredictedDay, row_index, untrained_arms
from research.online.behaviours import Behaviour
from research.quality.rows import HeldOutDay, Probabilities, held_out_day
from research.quality.sessions import sessions_of
from research.quality.study import predictions_of
from research.ranking.measuring import RankingResults, Sample
from research.ranking.variants import compared_models, sessions_of_training


def simulated(
    config: PipelineConfig,
    behaviour: Behaviour,
    impressions: int,
    seeds: Sequence[int],
    names: tuple[str, ...],
    work: Path,
    processes: int,
    console: Console,
) -> RankingResults:
    """Measures the variants on simulated feeds, one per seed.

    Args:
        config: of the pipeline.
        behaviour: of the simulator.
        impressions: of a feed, over all days.
        seeds: each is the seed of a feed and of its trainings.
        names: of the variants.
        work: folder for everything that is made; what is there is not made again.
        processes: trainings at a time, each on one thread.
        console: shows progress.
    """
    samples, sizes, rows = [], [], []
    for seed in seeds:
        feed = behaviour.feed(work, impressions, config.train_days + 1, seed)
        day = held_out_day(config, feed.log, feed.newest, work / f"{feed.log.name}-{feed.newest}", console)
        models = compared_models(names, "feed", feed.log, config.keys.session)
        predicted = {
            name: of_seed for name, [of_seed] in predictions_of(day, models, [seed], work, processes, console).items()
        }
        index = row_index(day)
        orders: dict[str, Order] = {name: untrained_arms(config)[name] for name in (CONTROL, POSSIBLE)}
        orders |= {name: PredictedDay(index, of_seed, config) for name, of_seed in predicted.items()}
        engagement = engagement_of_day(orders, Simulator(feed.parameters), feed.day, config)
        samples.append(Sample(day.test.labels, day.test.buckets, sessions_of(feed.log, day), predicted, engagement))
        rows.append(len(day.train.labels))
        sizes.append(_session_size(day, feed.log, config.keys.session))
    return _results("feed", config, rows, sizes, samples)


def held_out(
    name: str,
    config: PipelineConfig,
    log: Path,
    days: Sequence[date],
    session: str,
    seeds: Sequence[int],
    names: tuple[str, ...],
    work: Path,
    processes: int,
    console: Console,
) -> RankingResults:
    """Measures the variants on held-out days of a feed log, pooled.

    Args:
        name: of the feed.
        config: of the pipeline.
        log: folder of the feed log.
        days: that are held out.
        session: the column of what is a session in the loss.
        seeds: of the trainings.
        names, work, processes, console: as for `simulated`.
    """
    kept: list[tuple[np.ndarray, ...]] = []
    predicted: list[Mapping[str, list[Probabilities]]] = []
    sizes, rows = [], []
    for one in days:
        day = held_out_day(config, log, one, work / f"{log.name}-{one}", console)
        models = compared_models(names, name, log, session)
        predicted.append(predictions_of(day, models, seeds, work, processes, console))
        kept.append((day.test.labels, day.test.buckets, sessions_of(log, day)))
        rows.append(len(day.train.labels))
        sizes.append(_session_size(day, log, session))
    labels, buckets, sessions = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    samples = [
        Sample(
            labels,
            buckets,
            sessions,
            {variant: np.concatenate([of_day[variant][number] for of_day in predicted]) for variant in names},
        )
        for number in range(len(seeds))
    ]
    return _results(name, config, rows, sizes, samples)


def _session_size(day: HeldOutDay, log: Path, session: str) -> float:
    """Impressions of a session of the training days, on average."""
    sessions = sessions_of_training(day, log, session)
    return len(sessions) / len(np.unique(sessions))


def _results(
    feed: str, config: PipelineConfig, rows: Sequence[int], sizes: Sequence[float], samples: Sequence[Sample]
) -> RankingResults:
    return RankingResults(feed, config, int(np.mean(rows)), float(np.mean(sizes)), samples)
