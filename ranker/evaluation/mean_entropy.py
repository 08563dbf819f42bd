"""One number for a model: its normalized entropy, averaged over the objectives that have enough outcomes."""

from collections.abc import Sequence

import numpy as np

from ranker.evaluation import intervals, metrics
from ranker.evaluation.accumulator import Accumulator, Sums
from ranker.evaluation.intervals import Estimate
from ranker.evaluation.summary import BASELINE, CANDIDATE, normalized_entropy_without

_JUDGED_GROUPS = 5  # of 32 groups of viewers


def judged_objectives(accumulator: Accumulator) -> tuple[str, ...]:
    """The objectives of which enough viewers have the rarer outcome to compare models by."""
    _, sums = next(iter(accumulator.slices()))
    return tuple(name for name, of in sums.impressions[CANDIDATE].items() if _rarer_groups(of) >= _JUDGED_GROUPS)


def mean_entropy(accumulator: Accumulator, objectives: Sequence[str]) -> float:
    """The candidate's normalized entropy over all impressions, averaged over objectives."""
    _, sums = next(iter(accumulator.slices()))
    return float(np.mean([_entropy(sums.impressions[CANDIDATE][name]) for name in objectives]))


def mean_entropy_growth(accumulator: Accumulator, objectives: Sequence[str], confidence: float = 0.95) -> Estimate:
    """The candidate's normalized entropy minus the baseline's, averaged over objectives.

    The same viewers are left out from both models and all objectives at once, so that the interval takes into account
    that their errors are alike.
    """
    _, sums = next(iter(accumulator.slices()))
    ours, theirs = ([sums.impressions[model][name] for name in objectives] for model in (CANDIDATE, BASELINE))
    pairs = list(zip(ours, theirs, strict=True))
    return intervals.difference_interval(
        float(np.mean([_entropy(one) - _entropy(other) for one, other in pairs])),
        np.mean([normalized_entropy_without(one) - normalized_entropy_without(other) for one, other in pairs], axis=0),
        np.any([one.group_counts.sum(axis=(1, 2)) > 0 for one in ours], axis=0),
        min(_rarer_groups(one) for one in ours),
        confidence,
    )


def _entropy(sums: Sums) -> float:
    return float(metrics.normalized_entropy(sums.group_log_loss.sum(), sums.counts[1].sum(), sums.counts.sum()))


def _rarer_groups(sums: Sums) -> int:
    """Groups of viewers with the rarer outcome."""
    return int(min(np.count_nonzero(sums.group_counts[:, outcome].sum(axis=-1)) for outcome in (0, 1)))
