"""The quality of each strategy, per day and over all days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from research.intervals import SeedEstimate, mean_of
from research.quality.statistics import Judged, bootstrap_weights, judge
from research.retraining.days import Replay
from research.retraining.strategies import DayResult

REFERENCE = "cold"

SeedResults = Mapping[str, Sequence[DayResult]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The results of one strategy over its predicted days and the seeds.

    Attributes:
        by_day: [days][objectives].
        pooled: [objectives], all days together.
        spent: seconds of training [seeds, days], by part.
    """

    by_day: tuple[tuple[Judged, ...], ...]
    pooled: tuple[Judged, ...]
    spent: Mapping[str, NDArray[np.float64]]

    @property
    def parts(self) -> dict[str, float]:
        """Seconds summed over all days, by part; the seconds of a day are the median over the seeds."""
        return {part: float(np.median(seconds, axis=0).sum()) for part, seconds in self.spent.items()}

    @property
    def total_seconds(self) -> float:
        """The sum of the parts."""
        return sum(self.parts.values())

    @property
    def seconds(self) -> tuple[float, ...]:
        """The same per day, [days]."""
        medians = [np.median(seconds, axis=0) for seconds in self.spent.values()]
        return tuple(np.sum(medians, axis=0).tolist()) if medians else len(self.by_day) * (0.0,)

    @property
    def seconds_by_seed(self) -> tuple[float, ...]:
        """Seconds per seed over all days, [seeds]; empty if nothing was trained."""
        if not self.spent:
            return ()
        return tuple(np.sum([seconds.sum(axis=1) for seconds in self.spent.values()], axis=0).tolist())


@dataclass(frozen=True, eq=False)
class RetrainingResults:
    """All strategies on one log.

    Attributes:
        name: of the feed.
        objectives: their names.
        days: the predicted days without the first, which all strategies share.
        rows: impressions of those days.
        seeds: number of runs of each strategy.
        outcomes: by strategy.
    """

    name: str
    objectives: tuple[str, ...]
    days: tuple[date, ...]
    rows: int
    seeds: int
    outcomes: dict[str, Outcome]

    def entropy_gap(self, strategy: str, objective: int | None = None) -> SeedEstimate:
        """The strategy's normalized entropy minus that of a cold start every day, paired.

        Args:
            strategy: name of the strategy.
            objective: index of the objective; None for the mean over all.
        """
        chosen = range(len(self.objectives)) if objective is None else [objective]
        ours, cold = (self.outcomes[name].pooled for name in (strategy, REFERENCE))
        return mean_of([ours[i].normalized_entropy - cold[i].normalized_entropy for i in chosen])


def judge_all(replay: Replay, seeds: Sequence[SeedResults]) -> RetrainingResults:
    """Evaluates every strategy's predictions for the days after the first.

    Args:
        replay: the replay.
        seeds: the results per seed, by strategy and day.
    """
    days = replay.days[1:]
    weights = bootstrap_weights()
    outcomes = {}
    for name in seeds[0]:
        runs = [list(of_seed[name]) for of_seed in seeds]
        # The order of a day's rows may differ between strategies, but a viewer's bucket is the same.
        days_of = runs[0]
        predicted = [np.stack([run[i].probabilities for run in runs]) for i in range(len(days))]
        by_day = tuple(_judged(d.labels, d.buckets, p, weights[:0]) for d, p in zip(days_of, predicted, strict=True))
        pooled = _judged(
            np.concatenate([d.labels for d in days_of]),
            np.concatenate([d.buckets for d in days_of]),
            np.concatenate(predicted, axis=1),
            weights,
        )
        outcomes[name] = Outcome(by_day, pooled, _spent(runs))
    return RetrainingResults(
        replay.name,
        replay.config.objective_names,
        tuple(day.day for day in days),
        sum(len(day.test.labels) for day in days),
        len(seeds),
        outcomes,
    )


def _judged(
    labels: NDArray[np.float32],
    buckets: NDArray[np.int64],
    predicted: NDArray[np.float32],
    weights: NDArray[np.float64],
) -> tuple[Judged, ...]:
    """One per objective; `predicted` is [seeds, rows, objectives]."""
    return tuple(judge(labels[:, i], buckets, predicted[:, :, i], weights) for i in range(labels.shape[1]))


def _spent(runs: Sequence[Sequence[DayResult]]) -> dict[str, NDArray[np.float64]]:
    parts = dict.fromkeys(part for run in runs for result in run for part in result.seconds)
    return {part: np.array([[result.seconds.get(part, 0.0) for result in run] for run in runs]) for part in parts}
