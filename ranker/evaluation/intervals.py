"""Confidence intervals over viewers.

The impressions of one viewer are not independent. So the variance of a metric is measured by leaving out one group of
viewers at a time (delete-a-group jackknife; Kott, 2001). With few outcomes the jackknife can underestimate the
variance, so it has a lower bound: the variance for independent impressions.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from ranker.documents import LowerEnd, Number, UpperEnd
from ranker.evaluation.buckets import Floats
from ranker.evaluation.metrics import LOG_LOSS_FLOOR
from ranker.evaluation.session_sums import MeanSums, PairSums

_LOG_LIMIT = 50.0  # stands for the logarithm of 0 or infinity in differences


@dataclass(frozen=True)
class Estimate:
    """A value and its interval; NaN if undefined. An uninformative interval spans the metric's entire range.

    Attributes:
        value: the metric.
        lower: lower end of its interval; minus infinity if it has none.
        upper: upper end; infinity if it has none.
    """

    value: Number
    lower: LowerEnd
    upper: UpperEnd

    @property
    def defined(self) -> bool:
        """Whether there is a value."""
        return not np.isnan(self.value)

    @property
    def unbounded(self) -> bool:
        """Whether there is no value because it would be infinite, as in `UNBOUNDED`; a file does not tell it."""
        return not self.defined and self.lower == float("inf")


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"))

UNBOUNDED = Estimate(float("nan"), float("inf"), float("inf"))
"""No value, but beyond every upper limit: a ratio of something to nothing."""


def student_quantile(confidence: float, groups: int) -> float:
    """The factor on a standard error measured over `groups` groups; infinite for fewer than two."""
    return float(special.stdtrit(groups - 1, 0.5 + 0.5 * confidence)) if groups > 1 else float("inf")


def jackknife_variance(without: Floats, present: npt.NDArray[np.bool_]) -> float:
    """Variance of an estimate from its values without one group each.

    Args:
        without: the estimate without each group, [groups]; NaN if it is undefined without the group.
        present: whether each group has any impressions, bool [groups]; empty groups are ignored.
    """
    values = without[present & np.isfinite(without)]
    if len(values) < 2:
        return float("inf")
    with np.errstate(over="ignore"):
        return float((len(values) - 1) * np.mean((values - values.mean()) ** 2))


def difference_interval(
    value: float, without: Floats, present: npt.NDArray[np.bool_], groups: int, confidence: float
) -> Estimate:
    """The interval value ± t · standard error of a difference between two models on the same impressions.

    Args:
        value: the difference over all groups.
        without: the difference without each group, [groups].
        present: whether each group has any impressions, [groups].
        groups: effective number of groups that the variance is measured over; the degrees of freedom plus one.
        confidence: level of the interval.
    """
    if np.isnan(value):
        return UNDEFINED
    if groups < 2:
        return Estimate(value, float("-inf"), float("inf"))
    half = student_quantile(confidence, groups) * jackknife_variance(without, present) ** 0.5
    return Estimate(value, value - half, value + half)


def auc_interval(
    value: float, without: Floats, group_positives: Floats, group_negatives: Floats, confidence: float
) -> Estimate:
    """The interval of an AUC, symmetric in the log-odds so that it stays within [0, 1].

    Its variance is the jackknife's, and at least that of Hanley and McNeil (1982) for independent impressions. Its
    degrees of freedom are those of the rarer class: two positives give a very wide interval, and one positive gives an
    uninformative interval.

    Args:
        value: the AUC of all groups.
        without: the AUC without each group, [groups].
        group_positives: positives per group, [groups].
        group_negatives: negatives per group, [groups].
        confidence: level of the interval.
    """
    if np.isnan(value):
        return UNDEFINED
    with_rarer = min(np.count_nonzero(group_positives), np.count_nonzero(group_negatives))
    if with_rarer < 2:
        return Estimate(value, 0.0, 1.0)
    positives, negatives = float(group_positives.sum()), float(group_negatives.sum())
    rarer = min(positives, negatives)
    # Half an impression on either side: otherwise an AUC of exactly 0 or 1 would have no variance.
    shrunk = (value * rarer + 0.5) / (rarer + 1.0)
    present = (group_positives + group_negatives) > 0
    pairs = positives * negatives
    independent = _hanley_mcneil(shrunk, pairs, pairs * (positives - 1.0), pairs * (negatives - 1.0))
    variance = max(jackknife_variance(without, present), independent)
    return _log_odds_interval(value, shrunk, variance, int(with_rarer), confidence)


def gauc_interval(value: float, without: Floats, pairs: PairSums, confidence: float) -> Estimate:
    """The interval of an AUC within sessions, symmetric in the log-odds.

    As that of an AUC, with the variance of Hanley and McNeil summed over sessions, which share no pair. Its degrees of
    freedom are the groups of viewers with a pair.

    Args:
        value: pairs in the right order over all pairs.
        without: the same without each group of viewers, [groups].
        pairs: of the slice.
        confidence: level of the interval.
    """
    if np.isnan(value):
        return UNDEFINED
    present = pairs.pairs > 0
    groups = int(np.count_nonzero(present))
    if groups < 2:
        return Estimate(value, 0.0, 1.0)
    rarer = min(float(pairs.positives.sum()), float(pairs.negatives.sum()))
    shrunk = (value * rarer + 0.5) / (rarer + 1.0)
    independent = _hanley_mcneil(
        shrunk, float(pairs.pairs.sum()), float(pairs.positive_pairs.sum()), float(pairs.negative_pairs.sum())
    )
    variance = max(jackknife_variance(without, present), independent)
    return _log_odds_interval(value, shrunk, variance, groups, confidence)


def share_interval(value: float, without: Floats, sums: MeanSums, confidence: float) -> Estimate:
    """The interval of a mean over sessions of values from 0 to 1, such as NDCG, symmetric in the log-odds.

    Its variance is the jackknife's, and at least that for independent sessions.

    Args:
        value: the mean over sessions.
        without: the mean without each group of viewers, [groups].
        sums: of the slice.
        confidence: level of the interval.
    """
    if np.isnan(value):
        return UNDEFINED
    present = sums.sessions > 0
    groups = int(np.count_nonzero(present))
    if groups < 2:
        return Estimate(value, 0.0, 1.0)
    sessions, total, squares = (float(sum_.sum()) for sum_ in (sums.sessions, sums.total, sums.squares))
    # Half a session of value 0 and half of value 1: otherwise equal values would have no variance.
    shrunk = (total + 0.5) / (sessions + 1.0)
    independent = max((squares + 0.5) / (sessions + 1.0) - shrunk**2, 0.0) / sessions
    variance = max(jackknife_variance(without, present), independent)
    return _log_odds_interval(value, shrunk, variance, groups, confidence)


def mean_interval(value: float, without: Floats, sums: MeanSums, unit: float, confidence: float) -> Estimate:
    """The interval value ± t · standard error of an unbounded mean over sessions.

    Its variance is the jackknife's, and at least that for independent sessions.

    Args:
        value: the mean over sessions.
        without: the mean without each group of viewers, [groups].
        sums: of the slice.
        unit: the largest change of a session's value by one outcome. The variance is that of one such outcome more, as
            sessions without outcomes would have none.
        confidence: level of the interval.
    """
    if np.isnan(value):
        return UNDEFINED
    present = sums.sessions > 0
    groups = int(np.count_nonzero(present))
    if groups < 2:
        return Estimate(value, float("-inf"), float("inf"))
    sessions = float(sums.sessions.sum())
    independent = max(float(sums.squares.sum()) - sessions * value**2 + unit**2, 0.0) / sessions**2
    half = student_quantile(confidence, groups) * max(jackknife_variance(without, present), independent) ** 0.5
    return Estimate(value, value - half, value + half)


def _log_odds_interval(value: float, shrunk: float, variance: float, groups: int, confidence: float) -> Estimate:
    """The interval of a value in [0, 1] from that of `shrunk`, which is strictly between 0 and 1."""
    half = student_quantile(confidence, groups) * variance**0.5 / (shrunk * (1.0 - shrunk))
    centre = special.logit(shrunk)
    lower, upper = special.expit(centre - half), special.expit(centre + half)
    return Estimate(value, min(float(lower), value), max(float(upper), value))


def normalized_entropy_interval(
    value: float,
    without: Floats,
    independent: float,
    group_positives: Floats,
    group_negatives: Floats,
    confidence: float,
) -> Estimate:
    """The interval of a normalized entropy, symmetric in its logarithm, as the log loss of few positives is skewed.

    Its variance is the jackknife's, and at least that for independent impressions. Its degrees of freedom are those of
    the rarer class, as for AUC.

    Args:
        value: the normalized entropy of all groups.
        without: the normalized entropy without each group, [groups].
        independent: its variance for independent impressions, `normalized_entropy_variance`.
        group_positives: positives per group, [groups].
        group_negatives: negatives per group, [groups].
        confidence: level of the interval.
    """
    if np.isnan(value):
        return UNDEFINED
    with_rarer = min(np.count_nonzero(group_positives), np.count_nonzero(group_negatives))
    if with_rarer < 2 or value <= 0.0:
        return Estimate(value, 0.0, float("inf"))
    present = (group_positives + group_negatives) > 0
    variance = max(jackknife_variance(without, present), independent)
    half = student_quantile(confidence, int(with_rarer)) * variance**0.5 / value
    with np.errstate(over="ignore"):
        return Estimate(value, float(value * np.exp(-half)), float(value * np.exp(half)))


def normalized_entropy_variance(value: float, counts: Floats, predicted: Floats) -> float:
    """The variance of a normalized entropy for independent impressions, by linearisation (the delta method).

    The normalized entropy is the mean log loss over that of the base rate. So an impression moves it by its log loss
    minus `value` times the log loss of the base rate on it. One more impression of the rarer class is added, with the
    prediction of the base rate: otherwise few impressions that happen to agree would have no variance.

    Args:
        value: the normalized entropy.
        counts: negative [0] and positive [1] impressions by bucket of the prediction, [2, buckets].
        predicted: sum of the predictions by bucket, [buckets].
    """
    negatives, positives = float(counts[0].sum()), float(counts[1].sum())
    if min(positives, negatives) == 0.0:
        return float("inf")
    occupied = np.flatnonzero(counts.sum(axis=0))
    probability = (predicted[occupied] / counts[:, occupied].sum(axis=0)).clip(LOG_LOSS_FLOOR, 1.0 - LOG_LOSS_FLOOR)
    rate = positives / (positives + negatives)
    of_rate = -np.log([1.0 - rate, rate])
    moved = -np.log(np.stack([1.0 - probability, probability])) - value * of_rate[:, None]
    squares = float((counts[:, occupied] * moved**2).sum()) + ((1.0 - value) * of_rate.max()) ** 2
    return squares / float(of_rate @ [negatives, positives]) ** 2


def _hanley_mcneil(auc: float, pairs: float, positive_pairs: float, negative_pairs: float) -> float:
    """The variance of an AUC for independent impressions.

    Args:
        auc: the AUC.
        pairs: pairs of a positive and a negative.
        positive_pairs: pairs × (positives - 1), summed over sessions where there are several.
        negative_pairs: pairs × (negatives - 1).
    """
    two_positives = auc / (2.0 - auc)
    two_negatives = 2.0 * auc * auc / (1.0 + auc)
    spread = (
        pairs * auc * (1.0 - auc)
        + positive_pairs * (two_positives - auc * auc)
        + negative_pairs * (two_negatives - auc * auc)
    )
    return spread / pairs**2


@dataclass(frozen=True)
class OutcomeCounts:
    """The counts that an interval of O/E is computed from, at any confidence.

    Attributes:
        observed: outcomes observed.
        expected: sum of the predictions.
        impressions: impressions.
        groups: groups of viewers with any impression.
        variance: of O/E, by leaving out one group at a time; infinite for fewer than two groups.
    """

    observed: float
    expected: float
    impressions: float
    groups: int
    variance: float


def outcome_counts(group_positives: Floats, group_predicted: Floats, group_impressions: Floats) -> OutcomeCounts:
    """The counts of one objective and slice.

    Args:
        group_positives: outcomes observed per group of viewers, [groups].
        group_predicted: sum of the predictions per group, [groups].
        group_impressions: impressions per group, [groups].
    """
    observed, expected = float(group_positives.sum()), float(group_predicted.sum())
    remaining = expected - group_predicted
    with np.errstate(over="ignore"):
        without = np.divide(
            observed - group_positives, remaining, out=np.full_like(remaining, np.nan), where=remaining > 0.0
        )
    present = group_impressions > 0
    return OutcomeCounts(
        observed=observed,
        expected=expected,
        impressions=float(group_impressions.sum()),
        groups=int(np.count_nonzero(present)),
        variance=jackknife_variance(without, present),
    )


def o_over_e_interval(counts: OutcomeCounts, confidence: float) -> Estimate:
    """The interval of observed over expected, by the gamma method of Fay and Feuer (1997).

    For rare independent outcomes it is the exact Poisson interval, which has an upper end even if no outcome was
    observed. If viewers differ more than by chance, the jackknife's variance widens it. Without an expected outcome
    there is no value: `UNBOUNDED` if any was observed, else `UNDEFINED`.

    Args:
        counts: of the objective and slice.
        confidence: level of the interval.
    """
    observed, expected = counts.observed, counts.expected
    # Outcomes that the model takes for impossible are not too few to judge.
    if expected <= 0.0 or np.isinf(value := observed / expected):
        return UNBOUNDED if observed > 0.0 else UNDEFINED
    if counts.groups < 2:
        return Estimate(value, 0.0, float("inf"))
    few_groups = (student_quantile(confidence, counts.groups) / special.ndtri(0.5 + 0.5 * confidence)) ** 2
    # The variance for independent outcomes; without the added one, a slice of positives only would have none.
    independent = observed * (counts.impressions - observed + 1.0) / (counts.impressions + 1.0)
    variance = max(counts.variance * expected**2 * few_groups, independent)
    if not np.isfinite(variance):
        return Estimate(value, 0.0, float("inf"))
    tail = 0.5 * (1.0 - confidence)
    lower = _gamma_bound(observed, variance, 1.0 - tail) if observed > 0.0 else 0.0
    upper = _gamma_bound(observed + 1.0, variance + 1.0, tail)
    with np.errstate(over="ignore"):
        return Estimate(value, min(lower / expected, value), max(upper / expected, value))


def _gamma_bound(mean: float, variance: float, upper_tail: float) -> float:
    """The point of a gamma distribution of this mean and variance with `upper_tail` above it."""
    return variance / (2.0 * mean) * float(special.chdtri(2.0 * mean * mean / variance, upper_tail))


def calibration_worsening(candidate: Estimate, baseline: Estimate, log_ratio: Estimate) -> Estimate:
    """The increase of |log O/E| from the baseline to the candidate.

    Both models are evaluated on the same outcomes. So the difference of their log O/E, which is the log of expected
    over expected, has little noise. The distance of each from 0 has more. The interval therefore covers every log O/E
    in the baseline's interval, shifted by every difference in the difference's interval.

    Args:
        candidate: O/E of the candidate.
        baseline: O/E of the baseline.
        log_ratio: log of the candidate's O/E over the baseline's.
    """
    if candidate.unbounded and baseline.defined and baseline.value > 0.0:
        return UNBOUNDED
    if not (candidate.defined and baseline.defined) or candidate.value == 0.0 or baseline.value == 0.0:
        return UNDEFINED
    value = abs(float(np.log(candidate.value))) - abs(float(np.log(baseline.value)))
    with np.errstate(divide="ignore"):
        ends = np.clip(np.log([baseline.lower, baseline.upper]), -_LOG_LIMIT, _LOG_LIMIT)
    shifts = np.clip([log_ratio.lower, log_ratio.upper], -_LOG_LIMIT, _LOG_LIMIT)
    # For a fixed shift the increase is monotonic in the baseline's log O/E, so its extremes are at the ends. For a
    # fixed end it is smallest if the shift moves log O/E as close to 0 as possible.
    shifted = np.abs(ends[:, None] + shifts[None, :])
    closest = np.where(np.sign(ends + shifts[0]) * np.sign(ends + shifts[1]) <= 0, 0.0, shifted.min(axis=1))
    lower = float((closest - np.abs(ends)).min())
    upper = float((shifted.max(axis=1) - np.abs(ends)).max())
    return Estimate(value, min(lower, value), max(upper, value))
