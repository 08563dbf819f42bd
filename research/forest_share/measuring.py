"""Metrics of the variants, over all viewers and over those of whom the log knows much or little."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ranker.config.pipeline import PipelineConfig
from ranker.evaluation.metrics import LOG_LOSS_FLOOR, normalized_entropy
from ranker.evaluation.session_rows import Hashes
from ranker.evaluation.session_sums import UtilityWeights
from ranker.keys import VIEWER_BUCKETS
from research.forest_share.costs import Cost
from research.forest_share.variants import Variant
from research.intervals import SeedEstimate, mean_of
from research.online.engagement import Engagement
from research.online.results import OnlineResults
from research.quality.rankings import judge_ranking
from research.quality.rows import Probabilities
from research.quality.statistics import bootstrap_weights

ALL, WARM, COLD = GROUPS = ("all", "warm", "cold")

WARM_FROM = 20
"""Impressions in the training days from which a viewer is warm."""

_LEAST_POSITIVES = 20


@dataclass(frozen=True, eq=False)
class RankedSessions:
    """Sessions of the simulator, ranked by every variant and by the arms that need no training.

    Attributes:
        warm: bool [sessions], of warm viewers.
        engagement: arm, or name of a variant → engagement of each session.
    """

    warm: NDArray[np.bool_]
    engagement: Mapping[str, Engagement]

    def of(self, group: str) -> dict[str, Engagement]:
        """The engagement of the sessions of a group."""
        chosen = _chosen(self.warm, group)
        return {arm: values[chosen] for arm, values in self.engagement.items()}


@dataclass(frozen=True, eq=False)
class Sample:
    """Held-out rows, and the predictions of one seed's trainings.

    Attributes:
        labels: float32 [rows, objectives].
        buckets: int64 [rows], each viewer's hash bucket.
        sessions: of the rows, `NO_SESSION` for a row without one.
        warm: bool [rows], of warm viewers.
        predicted: of every variant, float32 [rows, objectives].
        ranked: on a simulated feed, the same sessions ranked; None on another feed.
    """

    labels: NDArray[np.float32]
    buckets: NDArray[np.int64]
    sessions: Hashes
    warm: NDArray[np.bool_]
    predicted: Mapping[Variant, Probabilities]
    ranked: RankedSessions | None = None

    def of(self, group: str) -> "Sample":
        """The rows of a group of viewers; whatever was ranked stays as it is."""
        rows = _chosen(self.warm, group)
        predicted = {variant: values[rows] for variant, values in self.predicted.items()}
        return replace(
            self,
            labels=self.labels[rows],
            buckets=self.buckets[rows],
            sessions=self.sessions[rows],
            warm=self.warm[rows],
            predicted=predicted,
        )


@dataclass(frozen=True)
class Measured:
    """Metrics of a variant on a group of viewers; None where there is too little to measure.

    Attributes:
        normalized_entropy: the mean over the objectives.
        gauc: the mean over the objectives of the AUC within sessions.
        share_of_possible_gain: online; see `OnlineResults`.
    """

    normalized_entropy: SeedEstimate | None
    gauc: SeedEstimate | None
    share_of_possible_gain: SeedEstimate | None


@dataclass(frozen=True, eq=False)
class ForestShareResults:
    """What the variants are worth, and what they cost.

    Attributes:
        feed: name of the feed.
        config: of the pipeline, with ids and histories.
        trained_on: impressions that a model is trained on; the mean over the seeds or the days.
        samples: one per seed.
        costs: of every variant, of the first seed.
    """

    feed: str
    config: PipelineConfig
    trained_on: int
    samples: Sequence[Sample]
    costs: Mapping[Variant, Cost]

    @property
    def variants(self) -> tuple[Variant, ...]:
        """In the order of the tables."""
        return tuple(self.samples[0].predicted)

    @property
    def is_simulated(self) -> bool:
        """Whether sessions could be ranked online."""
        return all(sample.ranked is not None for sample in self.samples)

    def rows(self, group: str) -> int:
        """Held-out rows of a group, of all seeds."""
        return sum(int(_chosen(sample.warm, group).sum()) for sample in self.samples)

    @cached_property
    def measured(self) -> dict[str, dict[Variant, Measured]]:
        """Group → variant → its metrics."""
        return {group: self._of(group) for group in GROUPS}

    def online(self, group: str) -> OnlineResults | None:
        """The ranked sessions of a group; None where there is nothing to rank."""
        ranked = [sample.ranked.of(group) for sample in self.samples if sample.ranked is not None]
        sessions = [len(next(iter(of_seed.values()))) for of_seed in ranked]
        if not ranked or not all(sessions):
            return None
        return OnlineResults(group, self.rows(group), self.trained_on, self.config.utility, ranked)

    def _of(self, group: str) -> dict[Variant, Measured]:
        samples = [sample.of(group) for sample in self.samples]
        weights = bootstrap_weights()
        counted = [bool(enough) for enough in np.all([_enough_positives(sample.labels) for sample in samples], axis=0)]
        utility = UtilityWeights.of(self.config.utility, self.config.objectives)
        online = self.online(group)
        return {
            variant: Measured(
                _entropy(samples, variant, counted, weights) if any(counted) else None,
                _gauc(samples, variant, counted, utility, weights) if any(counted) else None,
                online.share_of_possible_gain(variant.name) if online else None,
            )
            for variant in self.variants
        }


def _chosen(warm: NDArray[np.bool_], group: str) -> NDArray[np.bool_]:
    if group == ALL:
        return np.ones(len(warm), bool)
    return warm if group == WARM else ~warm


def _enough_positives(labels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each objective has enough positives and negatives for its metrics, [objectives]."""
    positives = labels.sum(axis=0)
    enough: NDArray[np.bool_] = np.minimum(positives, len(labels) - positives) >= _LEAST_POSITIVES
    return enough


def _entropy(
    samples: Sequence[Sample], variant: Variant, counted: list[bool], weights: NDArray[np.float64]
) -> SeedEstimate:
    values, draws = [], []
    for sample in samples:
        positive = sample.labels[:, counted] > 0
        p = np.clip(sample.predicted[variant][:, counted].astype(np.float64), LOG_LOSS_FLOOR, 1 - LOG_LOSS_FLOOR)
        losses = -np.where(positive, np.log(p), np.log1p(-p))
        values.append(float(normalized_entropy(losses.sum(axis=0), positive.sum(axis=0), len(positive)).mean()))
        losses_of, positives_of = _by_bucket(sample.buckets, losses), _by_bucket(sample.buckets, positive)
        rows = weights @ np.bincount(sample.buckets, minlength=VIEWER_BUCKETS)
        draws.append(normalized_entropy(weights @ losses_of, weights @ positives_of, rows[:, None]).mean(axis=1))
    return SeedEstimate(np.array(values), np.mean(draws, axis=0))


def _by_bucket(buckets: NDArray[np.int64], values: NDArray[np.generic]) -> NDArray[np.float64]:
    """[VIEWER_BUCKETS, columns], the sums of values [rows, columns]."""
    return np.stack([np.bincount(buckets, column, VIEWER_BUCKETS) for column in values.T], axis=1)


def _gauc(
    samples: Sequence[Sample],
    variant: Variant,
    counted: list[bool],
    utility: UtilityWeights,
    weights: NDArray[np.float64],
) -> SeedEstimate:
    means = []
    for sample in samples:
        predicted = sample.predicted[variant][None]
        judged = judge_ranking(sample.sessions, sample.buckets, sample.labels, predicted, utility, weights)
        means.append(mean_of([of for of, counts in zip(judged.gauc, counted, strict=True) if counts]))
    return SeedEstimate(np.concatenate([mean.seeds for mean in means]), np.mean([mean.draws for mean in means], axis=0))
