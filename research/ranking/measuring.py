"""Metrics of the variants over held-out days."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.session_rows import Hashes
from ranker.evaluation.session_sums import UtilityWeights
from research.intervals import SeedEstimate, mean_of
from research.online.engagement import Engagement
from research.online.results import OnlineResults
from research.quality.rankings import JudgedRanking, judge_ranking
from research.quality.rows import Probabilities
from research.quality.statistics import Judged, bootstrap_weights, judge

_LEAST_POSITIVES = 20
_LEAST_POSITIVES_OF_O_OVER_E = 500


@dataclass(frozen=True, eq=False)
class Sample:
    """Held-out rows, and the predictions of one seed's trainings.

    Attributes:
        labels: float32 [rows, objectives].
        buckets: int64 [rows], each viewer's hash bucket.
        sessions: of the rows, `NO_SESSION` for a row without one.
        predicted: of every variant, float32 [rows, objectives].
        engagement: on a simulated feed, arm or variant → engagement of each session; None on another feed.
    """

    labels: NDArray[np.float32]
    buckets: NDArray[np.int64]
    sessions: Hashes
    predicted: Mapping[str, Probabilities]
    engagement: Mapping[str, Engagement] | None = None


@dataclass(frozen=True)
class Measured:
    """Metrics of a variant.

    Attributes:
        normalized_entropy: the mean over the objectives.
        calibration: the mean over the objectives with 500 positives of the absolute logarithm of O/E; None without
            such an objective.
        gauc: the mean over the objectives of the AUC within sessions.
        ndcg: NDCG at k of the utility.
        share_of_possible_gain: see `OnlineResults`; None where nothing was ranked.
    """

    normalized_entropy: SeedEstimate
    calibration: SeedEstimate | None
    gauc: SeedEstimate
    ndcg: SeedEstimate
    share_of_possible_gain: SeedEstimate | None


@dataclass(frozen=True, eq=False)
class RankingResults:
    """The variants on a feed.

    Attributes:
        feed: its name.
        config: of the pipeline.
        trained_on: impressions that a model is trained on; the mean over the seeds or the days.
        session_size: impressions of a session of the training days, on average.
        samples: one per seed.
    """

    feed: str
    config: PipelineConfig
    trained_on: int
    session_size: float
    samples: Sequence[Sample]

    @property
    def variants(self) -> tuple[str, ...]:
        """Their names, in the order of the tables."""
        return tuple(self.samples[0].predicted)

    @property
    def is_simulated(self) -> bool:
        """Whether sessions could be ranked online."""
        return all(sample.engagement is not None for sample in self.samples)

    @cached_property
    def measured(self) -> dict[str, Measured]:
        """Variant → its metrics."""
        positives = np.min([sample.labels.sum(axis=0) for sample in self.samples], axis=0)
        counted = np.flatnonzero(positives >= _LEAST_POSITIVES)
        often = np.flatnonzero(positives >= _LEAST_POSITIVES_OF_O_OVER_E)
        utility = UtilityWeights.of(self.config.utility, self.config.objectives)
        online = self._online()
        return {
            name: _measured(
                [_judged(sample, name, utility) for sample in self.samples],
                counted.tolist(),
                often.tolist(),
                online.share_of_possible_gain(name) if online else None,
            )
            for name in self.variants
        }

    def _online(self) -> OnlineResults | None:
        seeds = [sample.engagement for sample in self.samples if sample.engagement is not None]
        rows = sum(len(sample.labels) for sample in self.samples)
        return OnlineResults(self.feed, rows, self.trained_on, self.config.utility, seeds) if seeds else None


_JudgedSample = tuple[Sequence[Judged], JudgedRanking]


def _judged(sample: Sample, name: str, utility: UtilityWeights) -> _JudgedSample:
    """A variant's metrics on a sample, per objective and of its ranking."""
    predicted, weights = sample.predicted[name][None], bootstrap_weights()
    columns = range(sample.labels.shape[1])
    return (
        [judge(sample.labels[:, i], sample.buckets, predicted[:, :, i], weights) for i in columns],
        judge_ranking(sample.sessions, sample.buckets, sample.labels, predicted, utility, weights),
    )


def _measured(
    samples: Sequence[_JudgedSample], counted: list[int], often: list[int], share: SeedEstimate | None
) -> Measured:
    def over_samples(metric: Callable[[_JudgedSample], SeedEstimate]) -> SeedEstimate:
        """A metric of each sample, which has one seed → of all seeds."""
        found = [metric(sample) for sample in samples]
        return SeedEstimate(np.concatenate([one.seeds for one in found]), np.mean([one.draws for one in found], axis=0))

    def calibration(sample: _JudgedSample) -> SeedEstimate:
        return mean_of([_deviation(sample[0][i].o_over_e) for i in often])

    return Measured(
        over_samples(lambda sample: mean_of([sample[0][i].normalized_entropy for i in counted])),
        over_samples(calibration) if often else None,
        over_samples(lambda sample: mean_of([sample[1].gauc[i] for i in counted])),
        over_samples(lambda sample: sample[1].utility_ndcg),
        share,
    )


def _deviation(o_over_e: SeedEstimate) -> SeedEstimate:
    return SeedEstimate(np.abs(np.log(o_over_e.seeds)), np.abs(np.log(o_over_e.draws)))
