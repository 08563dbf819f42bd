"""About how many positives would be enough for a gate to judge."""

import math

import numpy as np
from scipy import special

from ranker.evaluation.buckets import VIEWER_GROUPS
from ranker.evaluation.intervals import Estimate, student_quantile
from ranker.evaluation.summary import ObjectiveMetrics
from ranker.evaluation.verdict import Limit

SMALLEST = 1e-12
"""Keeps log-odds and logarithms finite."""

MOST_TIMES = 1000
"""The number that is needed, as a multiple of that there is: beyond it, it means nothing, as the estimate is too close
to its limit."""

# Without at least two positives there is no interval to plan with. With 40 positives, an AUC of 0.7 is shown to be
# above 0.55 in about 85 of 100 draws.
_PLANNED_POSITIVES = 40


def positives_needed(estimate: Estimate, limit: Limit, metrics: ObjectiveMetrics) -> int:
    """About how many of the rarer outcomes would move the interval to one side of the limit, in two digits.

    The width of an interval falls with the square root of their number, and with its degrees of freedom. That holds on
    the scale that the interval is symmetric on: log-odds for a metric with a floor, which lies between 0 and 1, and the
    logarithm for one with a ceiling.
    """
    outcomes = rarer(metrics)
    scale = special.logit if limit[1] is None else np.log
    straddled = [edge for edge in limit if edge is not None and estimate.lower <= edge <= estimate.upper]
    if outcomes < 2 or not straddled or not math.isfinite(estimate.upper - estimate.lower):
        return max(_PLANNED_POSITIVES, outcomes + 1)
    # Half an outcome keeps a value of 0 or 1 finite, as in the interval.
    value, lower, upper, edge = np.clip(
        [estimate.value, estimate.lower, estimate.upper, straddled[0]],
        [0.5 / (outcomes + 1), SMALLEST, SMALLEST, SMALLEST],
        [1.0 - 0.5 / (outcomes + 1), *[1.0 - SMALLEST] * 3] if limit[1] is None else math.inf,
    )
    half = scale(upper) - scale(value) if value < edge else scale(value) - scale(lower)
    distance = abs(scale(value) - scale(edge))
    # The ratio of two quantiles hardly depends on the level.
    now, then = (student_quantile(0.95, min(groups, VIEWER_GROUPS)) for groups in (outcomes, VIEWER_GROUPS))
    times = min(float(half / distance * then / now) ** 2, MOST_TIMES) if distance else MOST_TIMES
    return max(outcomes + 1, two_digits(outcomes * times))


def two_digits(count: float) -> int:
    """A count rounded up to two significant digits."""
    unit = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / unit) * unit


def rarer(metrics: ObjectiveMetrics) -> int:
    """Impressions with the rarer of the two outcomes."""
    return min(metrics.positives, metrics.impressions - metrics.positives)
