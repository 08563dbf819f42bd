"""Metrics from sums: per slice, objective and model, with intervals, and the candidate compared with the baseline."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from ranker.documents import Number, Variance
from ranker.evaluation import intervals, metrics, session_metrics
from ranker.evaluation.accumulator import Accumulator, SliceSums, Sums
from ranker.evaluation.buckets import Floats, score_counts
from ranker.evaluation.intervals import Estimate, OutcomeCounts
from ranker.evaluation.metrics import Reliability
from ranker.evaluation.scores import ScoreHistogram
from ranker.evaluation.session_metrics import RankingMetrics, UtilityComparison, UtilityMetrics
from ranker.evaluation.session_sums import SessionSums, UtilityWeights
from ranker.evaluation.slicing import SliceKey

Model = Literal["candidate", "baseline"]
Found = TypeVar("Found")

CANDIDATE: Model = "candidate"
BASELINE: Model = "baseline"


@dataclass(frozen=True)
class OfBothModels(Generic[Found]):
    """What was found of the candidate, and of the baseline, or None without a baseline.

    A subclass names the types of both fields, as documents are read by them.
    """

    candidate: Found
    baseline: Found | None = None

    def of(self, model: Model) -> Found:
        """What was found of one of the two models.

        Raises:
            ValueError: `model` is the baseline, and there is none.
        """
        found = self.candidate if model == CANDIDATE else self.baseline
        if found is None:
            raise ValueError("evaluation: there is no baseline")
        return found


@dataclass(frozen=True)
class ObjectiveMetrics:
    """Metrics of one model for one objective on one slice; NaN if undefined.

    Attributes:
        impressions: impressions scored of which the outcome was observed.
        positives: impressions with the outcome.
        auc: area under the ROC curve.
        ranking: how the objective's probability ranks the impressions of each session.
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
    ranking: RankingMetrics
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
        gauc_drop: the same of the AUC within sessions.
        ndcg_drop: the same of NDCG at k.
        normalized_entropy_growth: the candidate's normalized entropy minus the baseline's.
        calibration_worsening: |log O/E| of the candidate minus that of the baseline.
    """

    auc_drop: Estimate
    gauc_drop: Estimate
    ndcg_drop: Estimate
    normalized_entropy_growth: Estimate
    calibration_worsening: Estimate


@dataclass(frozen=True)
class UtilityEvaluation(OfBothModels[UtilityMetrics]):
    """How sessions are ranked by the utility, on one slice.

    Attributes:
        candidate: metrics of the candidate.
        baseline: metrics of the baseline on the same sessions, or None without a baseline.
        comparison: the candidate compared with the baseline, or None.
    """

    candidate: UtilityMetrics
    baseline: UtilityMetrics | None = None
    comparison: UtilityComparison | None = None


@dataclass(frozen=True)
class SliceMetrics:
    """Metrics of one slice by objective.

    Attributes:
        key: the slice.
        candidate: metrics of the candidate.
        baseline: metrics of the baseline; empty without one.
        comparison: the candidate compared with the baseline; empty without one.
        curves: of each model, by objective.
        utility: of each model's ranking by the utility.
        total: impressions of the slice, whether their outcomes were observed or not.
    """

    key: SliceKey
    candidate: dict[str, ObjectiveMetrics]
    baseline: dict[str, ObjectiveMetrics]
    comparison: dict[str, Comparison]
    curves: dict[Model, dict[str, Curves]]
    utility: UtilityEvaluation
    total: int | None = None


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
    for key, sums in accumulator.slices():
        of_baseline = sums.impressions.get(BASELINE, {})
        baseline = {name: of_baseline[name] for name in of_baseline if compared is None or name in compared}
        models: dict[Model, dict[str, Sums]] = {CANDIDATE: sums.impressions[CANDIDATE]}
        if baseline:
            models[BASELINE] = baseline
        curves = {model: {name: objective_curves(of[name]) for name in of} for model, of in models.items()}
        measured = {
            model: {
                name: objective_metrics(
                    of[name],
                    curves[model][name].reliability,
                    session_metrics.ranking_metrics(sums.sessions.get(model), name, confidence),
                    confidence,
                )
                for name in of
            }
            for model, of in models.items()
        }
        candidate_metrics, baseline_metrics = measured[CANDIDATE], measured.get(BASELINE, {})
        yield SliceMetrics(
            key,
            candidate_metrics,
            baseline_metrics,
            {
                name: _comparison(name, sums, candidate_metrics[name], baseline_metrics[name], confidence)
                for name in baseline_metrics
            },
            curves,
            _utility(sums.sessions, accumulator.utility, bool(baseline), confidence),
            sums.total,
        )


def _comparison(
    name: str, sums: SliceSums, candidate: ObjectiveMetrics, baseline: ObjectiveMetrics, confidence: float
) -> Comparison:
    ours, theirs = sums.impressions[CANDIDATE][name], sums.impressions[BASELINE][name]
    sessions = sums.sessions.get(CANDIDATE), sums.sessions.get(BASELINE)
    return Comparison(
        auc_drop=_auc_drop(ours, theirs, confidence),
        normalized_entropy_growth=_normalized_entropy_growth(ours, theirs, confidence),
        gauc_drop=session_metrics.gauc_drop(*sessions, name, confidence),
        ndcg_drop=session_metrics.ndcg_drop(*sessions, name, confidence),
        calibration_worsening=intervals.calibration_worsening(
            candidate.o_over_e, baseline.o_over_e, _log_ratio(ours, theirs, confidence)
        ),
    )


def _utility(
    sums: dict[str, SessionSums], utility: UtilityWeights, compared: bool, confidence: float
) -> UtilityEvaluation:
    unit = max(abs(weight) for weight in utility.weights.values())
    candidate, baseline = sums.get(CANDIDATE), sums.get(BASELINE)
    measured = session_metrics.utility_metrics(candidate, unit, confidence)
    if not compared:
        return UtilityEvaluation(measured)
    return UtilityEvaluation(
        measured,
        session_metrics.utility_metrics(baseline, unit, confidence),
        session_metrics.utility_comparison(candidate, baseline, confidence),
    )


def objective_curves(sums: Sums) -> Curves:
    """The curves of one model, objective and slice."""
    return Curves(metrics.reliability(sums.counts, sums.predicted), ScoreHistogram.of(score_counts(sums.counts.sum(0))))


def objective_metrics(sums: Sums, curve: Reliability, ranking: RankingMetrics, confidence: float) -> ObjectiveMetrics:
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
        ranking=ranking,
        o_over_e=intervals.o_over_e_interval(outcomes, confidence),
        o_over_e_variance=outcomes.variance,
        viewer_groups=outcomes.groups,
        mean_prediction=predicted / impressions if impressions else float("nan"),
        normalized_entropy=intervals.normalized_entropy_interval(
            entropy,
            normalized_entropy_without(sums),
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
        normalized_entropy_without(candidate) - normalized_entropy_without(baseline),
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
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
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


def normalized_entropy_without(sums: Sums) -> Floats:
    """The normalized entropy without each group of viewers, [VIEWER_GROUPS]."""
    group_positives, group_impressions = sums.group_counts[:, 1].sum(axis=-1), sums.group_counts.sum(axis=(1, 2))
    return metrics.normalized_entropy(
        sums.group_log_loss.sum() - sums.group_log_loss,
        group_positives.sum() - group_positives,
        group_impressions.sum() - group_impressions,
    )
