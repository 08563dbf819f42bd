"""Values that none of the days before had: a new code set of a column, of which a model can know nothing.

A day's values are counted by hash bucket, so a new value can share a bucket with a known one, and only a part of the
new values shows: with a share f of the buckets occupied, each does with probability 1 - f. So the share that shows is
divided by 1 - f. The estimate is uncertain where a few values are frequent; a limit is exceeded only if the estimate is
two standard deviations above it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from ranker.monitoring.profile import DayProfile, FeatureProfile

_FEWEST_VALUES = 30
_MOST_OCCUPIED = 0.95  # share of the buckets, above which almost no new value would show
_USUAL_FACTOR = 2.0
_EXAMPLES = 3


@dataclass(frozen=True)
class Unseen:
    """The values of one column on one day that no earlier day had.

    Attributes:
        share: estimated share of the day's values.
        error: standard deviation of the estimate.
        usual: median of this share over the reference days, each compared with the days before it.
        examples: the most frequent new values, as text.
    """

    share: float
    error: float
    usual: float
    examples: tuple[str, ...]

    def limit(self, max_unseen: float) -> float:
        """The largest allowed share: `max_unseen`, or twice the usual share."""
        return max(max_unseen, _USUAL_FACTOR * self.usual)

    def exceeds(self, max_unseen: float) -> bool:
        """Whether the share is significantly above the limit."""
        return self.share - 2 * self.error > self.limit(max_unseen)


def unseen_values(day: DayProfile, window: Sequence[DayProfile]) -> dict[str, Unseen]:
    """The new values of every column of categories.

    Columns are left out whose usual share is unknown, as fewer than two reference days have values, or that have fewer
    than 30 values on the day.

    Args:
        day: the day to check.
        window: one profile per reference day, oldest first.
    """
    found = {}
    for name, profile in day.features.items():
        known = [reference.features[name] for reference in window if reference.features[name].counts.any()]
        if profile.of_numbers or len(known) < 2 or profile.counts.sum() < _FEWEST_VALUES:
            continue
        if (estimate := _estimate(profile, known)) is None:
            continue
        # The first days have too few days before them to know what is usual.
        later = range(max(1, len(known) // 2), len(known))
        before = [_estimate(known[i], known[:i]) for i in later]
        shares = [earlier[0] for earlier in before if earlier is not None]
        if shares:
            found[name] = Unseen(*estimate, median(shares), _examples(profile, known))
    return found


def problem_of(unseen: Unseen, max_unseen: float) -> str:
    """One sentence about a share that exceeds the limit."""
    return (
        f"{unseen.share:.0%} of the day's values occur on none of the days before, such as "
        f"{', '.join(unseen.examples)}; the limit is {unseen.limit(max_unseen):.0%}, and usual is {unseen.usual:.0%}. "
        "If the new values are right, set validation.max_unseen of the config."
    )


def _estimate(profile: FeatureProfile, earlier: Sequence[FeatureProfile]) -> tuple[float, float] | None:
    """The share of the values that no earlier day had, and its standard deviation; None if it cannot be estimated."""
    occupied = _occupied(earlier)
    hidden = float(occupied.mean())
    if hidden > _MOST_OCCUPIED:
        return None
    new = profile.counts[~occupied] / profile.counts.sum()
    share = float(new.sum()) / (1 - hidden)
    return min(1.0, share), float(np.sqrt(hidden * np.square(new).sum())) / (1 - hidden)


def _examples(profile: FeatureProfile, earlier: Sequence[FeatureProfile]) -> tuple[str, ...]:
    counts = np.where(_occupied(earlier), 0, profile.counts)
    largest = np.argsort(-counts, kind="stable")[:_EXAMPLES]
    return tuple(repr(profile.names[bucket]) for bucket in largest.tolist() if counts[bucket])


def _occupied(profiles: Sequence[FeatureProfile]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Whether any of the profiles has a value in each bucket."""
    return np.any([profile.counts > 0 for profile in profiles], axis=0)
