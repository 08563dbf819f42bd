"""The distance of two distributions over the same buckets."""

import math

import numpy as np

from ranker.evaluation.buckets import Floats


def jensen_shannon(one: Floats, other: Floats) -> float | None:
    """The Jensen–Shannon divergence of two histograms over the same buckets, in bits: 0 if equal, 1 without overlap.

    Lin, "Divergence measures based on the Shannon entropy" (1991). None if one of them is empty.
    """
    if one.sum() <= 0 or other.sum() <= 0:
        return None
    p, q = one / one.sum(), other / other.sum()
    middle = 0.5 * (p + q)

    def relative_entropy(share: Floats) -> float:
        held = share > 0
        return float(np.sum(share[held] * np.log2(share[held] / middle[held])))

    return max(0.0, 0.5 * relative_entropy(p) + 0.5 * relative_entropy(q))


def expected_divergence(bins: int, one: float, other: float) -> float:
    """The expected Jensen–Shannon divergence, in bits, of two samples of the same distribution.

    A small divergence is an eighth of the chi-squared distance, whose mean is the degrees of freedom.

    Args:
        bins: bins of the histograms.
        one: independent values in one of them.
        other: independent values in the other.
    """
    return (bins - 1) / (8.0 * math.log(2.0)) * (1.0 / one + 1.0 / other)
