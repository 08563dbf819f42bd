"""Score histograms as they stand in the evaluation document."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ranker.evaluation.buckets import SCORE_BUCKETS, Floats


def dense_scores(scores: Mapping[str, Any]) -> Floats:
    """The impressions of every score bucket, [SCORE_BUCKETS], of a histogram of the evaluation document."""
    dense = np.zeros(SCORE_BUCKETS)
    first = scores["first_bucket"]
    dense[first : first + len(scores["impressions"])] = scores["impressions"]
    return dense
