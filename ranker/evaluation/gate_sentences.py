"""The verdict of a gate in words."""

import math

import numpy as np
from scipy import special

from ranker.evaluation.enough_positives import MOST_TIMES, SMALLEST, rarer, two_digits
from ranker.evaluation.gated_metrics import GatedUtility
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.session_metrics import UtilityMetrics
from ranker.evaluation.shown_numbers import shown_interval
from ranker.evaluation.summary import ObjectiveMetrics
from ranker.evaluation.verdict import TOO_FEW, TOO_FEW_SESSIONS, Limit, Outcome

_MOST_PLANNED = 1e12  # impressions, beyond which their number means nothing


def few_text(needed: int, metrics: ObjectiveMetrics) -> str:
    """`too few positives to judge (37; about 420 in 120,000 impressions would do)`."""
    positives_are_rarer = 2 * metrics.positives <= metrics.impressions
    few = TOO_FEW if positives_are_rarer else TOO_FEW.replace("positives", "negatives")
    expected = metrics.mean_prediction if positives_are_rarer else 1.0 - metrics.mean_prediction
    rate = rarer(metrics) / metrics.impressions if rarer(metrics) else expected
    impressions = f" in {two_digits(needed / rate):,} impressions" if rate * _MOST_PLANNED > needed else ""
    return f"{few} ({rarer(metrics):,}; about {needed:,}{impressions} would do)"


def few_sessions_text(metric: GatedUtility, estimate: Estimate, limit: Limit, metrics: UtilityMetrics) -> str:
    """`too few sessions to judge (480; about 2,100 would do)`."""
    is_share = metric.name == "utility_ndcg"
    sessions = metrics.ndcg_sessions if is_share else metrics.sessions
    edge = limit[0]
    if metric.rule == "tolerance" or edge is None or not math.isfinite(estimate.upper - estimate.lower):
        return f"{TOO_FEW_SESSIONS} ({sessions:,})"
    ends = np.array([estimate.value, estimate.lower, estimate.upper, edge])
    # The interval of an NDCG is symmetric in log-odds, that of the utility as it is.
    value, lower, upper, edge = special.logit(np.clip(ends, SMALLEST, 1.0 - SMALLEST)) if is_share else ends
    half = upper - value if value < edge else value - lower
    times = min((half / abs(value - edge)) ** 2, MOST_TIMES) if value != edge else MOST_TIMES
    return f"{TOO_FEW_SESSIONS} ({sessions:,}; about {max(sessions + 1, two_digits(sessions * times)):,} would do)"


def value_text(estimate: Estimate, undefined: str) -> str:
    """The metric with its interval, or why there is none: `is 0.71 [0.69, 0.73]`."""
    if not estimate.defined:
        return f"is undefined, as {undefined}"
    return f"is {shown_interval(estimate)}"


def relation(outcome: Outcome, estimate: Estimate, limit: Limit) -> str:
    """Where the metric lies, before the limit in words: `within the limit of`."""
    if outcome == "too few":
        return "not clearly on one side of the limit of" if estimate.defined else "and the limit is"
    low, high = limit
    outside = (low is not None and estimate.value < low) or (high is not None and estimate.value > high)
    if outcome == "passed" and outside:
        return "by no more than noise beyond the limit of"
    return f"{'beyond' if outcome == 'failed' else 'within'} the limit of"


def limit_text(limit: Limit) -> str:
    """A limit in words: `at least 0.55`, `at most 0.01`, `0.8 to 1.25`."""
    low, high = limit
    if low is None:
        return f"at most {high:g}"
    if high is None:
        return f"at least {low:g}"
    return f"{low:g} to {high:g}"
