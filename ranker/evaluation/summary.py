"""Metrics from sums: per slice, objective and model, with intervals, and the candidate compared with the baseline."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ranker.documents import Number, Variance
from ranker.evaluation import intervals, metrics
from ranker.evaluation.accumulator import Accumulator, Sums
from ranker.evaluation.buckets import Floats, score_counts
from ranker.evaluation.intervals import Estimate, OutcomeCounts
from ranker.evaluation.metrics import Reliability
from ranker.evaluation.scores import ScoreHistogram
from ranker.evaluation.slicing import SliceKey

Model = Literal["candidate", "baseline"]

CANDIDATE: Model = "candidate"
BASELINE: Model = "baseline"


@dataclass(frozen=True)
class ObjectiveMetrics:
    """Metrics of one model for one objective on one slice; NaN if undefined.

    Attributes:
        impressions: impressions scored.
        positives: impressions with the outcome.
        auc: area under the ROC curve.
        o_over_e: outcomes observed per outcome expected.
        o_over_e_variance: of O/E, over groups of viewers; infinite for fewer than two groups.
        viewer_groups: groups of viewers with any impression.
        mean_prediction: mean predicted probability.
        normalized_entropy: log loss over the entropy of the base rate; see `metrics.normalized_entropy`.
        log_loss: mean log loss in nats.
        expected_calibration_error: mean gap of the reliability curve.
    """

    impressions: int
    positives: int
    auc: Estimate
    o_over_e: Estimate
    o_over_e_variance: Variance
    viewer_groups: int
    mean_prediction: Number
    normalized_entropy: Estimate
    log_loss: Number
    expected_calibration_error: Number

    @property
    def base_rate(self) -> float:
        """Share of positives; NaN without impressions."""
        return self.positives / self.impressions if self.impressions else float("nan")

    @property
    def outcomes(self) -> OutcomeCounts:
        """The counts that the interval of O/E is computed from, at any confidence."""
        return OutcomeCounts(
            observed=self.positives,
            expected=self.mean_prediction * self.impressions if self.impressions else 0.0,
            impressions=self.impressions,
            groups=self.viewer_groups,
            variance=self.o_over_e_variance,
        )


@dataclass(frozen=True)
class Curves:
    """Curves of one model for one objective.

    Attributes:
        reliability: the reliability curve.
        scores: impressions by score.
    """

    reliability: Reliability
    scores: ScoreHistogram


@dataclass(frozen=True)
class Comparison:
    """The candidate compared with the baseline on the same impressions; positive is worse.

    Attributes:
        auc_drop: the baseline's AUC minus the candidate's.
        normalized_entropy_growth: the candidate's normalized entropy minus the baseline's.
        calibration_worsening: |log O/E| of the candidate minus that of the baseline.
    """

    auc_drop: Estimate
    normalized_entropy_growth: Estimate
    calibration_worsening: Estimate


@dataclass(frozen=True)
class SliceMetrics:
    """Metrics of one slice by objective.

    Attributes:
        key: the slice.
        candidate: metrics of the candidate.
        baseline: metrics of the baseline; empty without one.
        comparison: the candidate compared with the baseline; empty without one.
        curves: of each model, by objective.
    """

    key: SliceKey
    candidate: dict[str, ObjectiveMetrics]
    baseline: dict[str, ObjectiveMetrics]
    comparison: dict[str, Comparison]
    curves: dict[Model, dict[str, Curves]]


def summarize(
    accumulator: Accumulator, confidence: float = 0.95, compared: Collection[str] | None = None
) -> Iterator[SliceMetrics]:
    """Metrics of every slice, all impressions first.

    Args:
        accumulator: sums of the models `candidate` and, if there is one, `baseline`.
        confidence: level of the intervals.
        compared: the objectives that the baseline predicts too; None stands for all.

    Example:
        >>> overall = next(summarize(accumulator))
        >>> click = overall.candidate["click"]
        >>> print(f"{click.auc.value:.3f} [{click.auc.lower:.3f}, {click.auc.upper:.3f}]")
        0.742 [0.731, 0.753]
    """
    for key, by_model in accumulator.slices():
        sums = by_model[CANDIDATE]
        of_baseline = by_model.get(BASELINE, {})
        baseline_sums = {name: of_baseline[name] for name in of_baseline if compared is None or name in compared}
        curves: dict[Model, dict[str, Curves]] = {CANDIDATE: {name: objective_curves(sums[name]) for name in sums}}
        if baseline_sums:
            curves[BASELINE] = {name: objective_curves(baseline_sums[name]) for name in baseline_sums}
        candidate, baseline = (
            {name: objective_metrics(of[name], curves[model][name].reliability, confidence) for name in of}
            for model, of in ((CANDIDATE, sums), (BASELINE, baseline_sums))
        )
        comparison = {
            name: Comparison(
                auc_drop=_auc_drop(sums[name], baseline_sums[name], confidence),
                normalized_entropy_growth=_normalized_entropy_growth(sums[name], baseline_sums[name], confidence),
                calibration_worsening=intervals.calibration_worsening(
                    candidate[name].o_over_e,
                    baseline[name].o_over_e,
                    _log_ratio(sums[name], baseline_sums[name], confidence),
                ),
            )
            for name in baseline
        }
        yield SliceMetrics(key, candidate, baseline, comparison, curves)


def objective_curves(sums: Sums) -> Curves:
    """The curves of one model, objective and slice."""
    return Curves(metrics.reliability(sums.counts, sums.predicted), ScoreHistogram.of(score_counts(sums.counts.sum(0))))


def objective_metrics(sums: Sums, curve: Reliability, confidence: float) -> ObjectiveMetrics:
    """Metrics of one model, objective and slice."""
    impressions, positives = float(sums.counts.sum()), float(sums.counts[1].sum())
    predicted, log_loss = float(sums.group_predicted.sum()), float(sums.group_log_loss.sum())
    group_negatives, group_positives = sums.group_counts[:, 0].sum(axis=-1), sums.group_counts[:, 1].sum(axis=-1)
    entropy = float(metrics.normalized_entropy(log_loss, positives, impressions))
    outcomes = intervals.outcome_counts(group_positives, sums.group_predicted, group_positives + group_negatives)
    return ObjectiveMetrics(
        impressions=int(impressions),
        positives=int(positives),
        auc=intervals.auc_interval(
            float(metrics.auc(sums.counts)), _auc_without(sums), group_positives, group_negatives, confidence
        ),
        o_over_e=intervals.o_over_e_interval(outcomes, confidence),
        o_over_e_variance=outcomes.variance,
        viewer_groups=outcomes.groups,
        mean_prediction=predicted / impressions if impressions else float("nan"),
        normalized_entropy=intervals.normalized_entropy_interval(
            entropy,
            _normalized_entropy_without(sums),
            intervals.normalized_entropy_variance(entropy, sums.counts, sums.predicted),
            group_positives,
            group_negatives,
            confidence,
        ),
        log_loss=log_loss / impressions if impressions else float("nan"),
        expected_calibration_error=curve.expected_calibration_error,
    )


def _auc_drop(candidate: Sums, baseline: Sums, confidence: float) -> Estimate:
    """The baseline's AUC minus the candidate's, leaving out the same viewers from both."""
    return _difference(
        float(metrics.auc(baseline.counts) - metrics.auc(candidate.counts)),
        _auc_without(baseline) - _auc_without(candidate),
        candidate,
        confidence,
    )


def _normalized_entropy_growth(candidate: Sums, baseline: Sums, confidence: float) -> Estimate:
    """The candidate's normalized entropy minus the baseline's, leaving out the same viewers from both."""
    ours, theirs = (
        metrics.normalized_entropy(sums.group_log_loss.sum(), sums.counts[1].sum(), sums.counts.sum())
        for sums in (candidate, baseline)
    )
    return _difference(
        float(ours - theirs),
        _normalized_entropy_without(candidate) - _normalized_entropy_without(baseline),
        candidate,
        confidence,
    )


def _difference(value: float, without: Floats, candidate: Sums, confidence: float) -> Estimate:
    """The interval of a difference between two models; its degrees of freedom are those of the rarer class."""
    group_positives, group_negatives = (candidate.group_counts[:, y].sum(axis=-1) for y in (1, 0))
    return intervals.difference_interval(
        value,
        without,
        group_positives + group_negatives > 0,
        int(min(np.count_nonzero(group_positives), np.count_nonzero(group_negatives))),
        confidence,
    )


def _log_ratio(candidate: Sums, baseline: Sums, confidence: float) -> Estimate:
    """The log of the candidate's O/E over the baseline's: the outcomes cancel, so expected over expected remains."""
    ours, theirs = candidate.group_predicted, baseline.group_predicted
    present = candidate.group_counts.sum(axis=(1, 2)) > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        return intervals.difference_interval(
            float(np.log(theirs.sum() / ours.sum())),
            np.log((theirs.sum() - theirs) / (ours.sum() - ours)),
            present,
            int(np.count_nonzero(present)),
            confidence,
        )


def _auc_without(sums: Sums) -> Floats:
    """The AUC without each group of viewers, [VIEWER_GROUPS], over the coarse buckets.

    The coarse buckets shift all these AUCs by nearly the same small amount, and only their variance is used.
    """
    return metrics.auc(sums.group_counts.sum(axis=0) - sums.group_counts)


def _normalized_entropy_without(sums: Sums) -> Floats:
    """The normalized entropy without each group of viewers, [VIEWER_GROUPS]."""
    group_positives, group_impressions = sums.group_counts[:, 1].sum(axis=-1), sums.group_counts.sum(axis=(1, 2))
    return metrics.normalized_entropy(
        sums.group_log_loss.sum() - sums.group_log_loss,
        group_positives.sum() - group_positives,
        group_impressions.sum() - group_impressions,
    )
