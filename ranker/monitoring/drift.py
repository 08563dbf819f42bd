"""Drift of a day's features from the reference window.

The reference window has the same number of days before the evaluated day, whatever a training starts from.

The distance of two healthy days differs by feature: the day of the week is different every day, while the share of a
device is almost constant. So a feature's limit is measured: the reference days are compared with each other, and the
limit is a multiple of the largest distance among them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ranker.config.monitoring import Monitoring
from ranker.documents import Number
from ranker.evaluation.buckets import Floats, Ints
from ranker.evaluation.jensen_shannon import expected_divergence, jensen_shannon
from ranker.evaluation.shown_numbers import shown_number
from ranker.monitoring.buckets import number_edges
from ranker.monitoring.profile import DayProfile, FeatureProfile

CLUSTERING = 10.0
"""Impressions per independent observation in the noise of a divergence: those of one viewer are correlated."""

_ALIKE = 2.0  # impressions per independent one in the noise of a drift: those of a session are alike
_LARGEST_NOISE = 2.0 * _ALIKE  # of the expected divergence of two samples; hardly any is larger
_BIN_SHARE = 0.05  # neighbouring buckets of numbers are joined until they have this share of the window
_RARE_SHARE = 0.005  # categories with a smaller share of the window are in one bin
_FROZEN_WEIGHT = 1e6  # a frozen feature is listed before features with drift
_FROZEN_EXPECTED = 50  # expected number of impressions with another value, from which a constant feature is frozen


@dataclass(frozen=True)
class Drift:
    """How far one feature of a day is from the reference window.

    Attributes:
        distance: Jensen–Shannon divergence, in bits.
        largest_change: the largest change of the share of one category, or of one bin of numbers.
        distance_noise: the part of a distance that the number of impressions explains by chance.
        change_noise: the same of a largest change.
    """

    distance: float
    largest_change: float
    distance_noise: float = 0.0
    change_noise: float = 0.0


@dataclass(frozen=True)
class FeatureHealth:
    """One feature on one day.

    Attributes:
        feature: its column.
        missing: share of impressions without a value.
        usually_missing: the same in the reference window.
        typical: mean of the finite numbers, or share of the window's most frequent category; None without any.
        usually_typical: the same in the reference window.
        what: description of `typical`.
        quantiles: of numbers, the 10, 50 and 90 % quantiles to within a bucket's width; empty for categories.
        distance: Jensen–Shannon divergence from the reference window, in bits.
        limit: the largest distance of a healthy day; None if the window has fewer than two days.
        alarm: description of the problem, or "".
        weight: severity; the order of alarms.
    """

    feature: str
    missing: float
    usually_missing: float
    typical: float | None
    usually_typical: float | None
    what: str
    quantiles: tuple[Number, ...]
    distance: float
    limit: float | None
    alarm: str = ""
    weight: float = 0.0


def measure_drift(day: DayProfile, window: Sequence[DayProfile]) -> dict[str, Drift]:
    """The drift of every feature of a day.

    Args:
        day: the day to compare.
        window: one profile per reference day.

    Raises:
        ValueError: there is no reference day, or a day has no impressions.
    """
    _check_rows(day, window)
    return {name: _Compared(name, day, window).drift() for name in day.features}


def feature_health(day: DayProfile, window: Sequence[DayProfile], limits: Monitoring) -> list[FeatureHealth]:
    """Compares every feature of a day with the reference days.

    Args:
        day: the day to check.
        window: one profile per reference day.
        limits: the config's limits.

    Raises:
        ValueError: there is no reference day, or a day has no impressions.
    """
    _check_rows(day, window)
    return [_judge(name, day, window, limits) for name in day.features]


def _check_rows(day: DayProfile, window: Sequence[DayProfile]) -> None:
    if not window or min(profile.rows for profile in (day, *window)) == 0:
        raise ValueError("monitoring: a day is compared with at least one training day, and each needs impressions")


class _Compared:
    """One feature of a day and the same feature of all reference days together, with the bins to compare them by."""

    def __init__(self, name: str, day: DayProfile, window: Sequence[DayProfile]) -> None:
        self.profile, self.day_rows = day.features[name], day.rows
        self.pooled = FeatureProfile(self.profile.kind)
        for reference_day in window:
            self.pooled.merge(reference_day.features[name])
        self.rows = sum(reference_day.rows for reference_day in window)
        self.bins = partitions(self.pooled)

    def drift(self) -> Drift:
        """How far the day is from the reference days."""
        distance = _distance(self.profile, self.day_rows, self.pooled, self.rows, self.bins)
        bins = int(self.bins[0].max()) + 2
        distance_noise = _LARGEST_NOISE * expected_divergence(bins, self.day_rows, self.rows)
        change, change_noise = self._largest_change()
        return Drift(distance, change, min(1.0, distance_noise), change_noise)

    def _largest_change(self) -> tuple[float, float]:
        """The largest change of a share, and two standard deviations of it by chance."""
        counted = [
            np.bincount(self.bins[0], weights=p.counts) if p.of_numbers else p.counts.astype(np.float64)
            for p in (self.pooled, self.profile)
        ]
        values = [max(1.0, float(counts.sum())) for counts in counted]
        change = np.abs(counted[1] / values[1] - counted[0] / values[0])
        largest = int(np.argmax(change))
        share = float((counted[0][largest] + counted[1][largest]) / sum(values))
        variance = share * (1.0 - share) * sum(1.0 / number for number in values)
        return float(change[largest]), min(1.0, 2.0 * (_ALIKE * variance) ** 0.5)


def partitions(pooled: FeatureProfile) -> list[Ints]:
    """The bin of each bucket, [buckets], in one or two partitions.

    The bins are wide enough that a day fills them, and narrow enough to show a shift. Rare and unknown categories share
    bin 0. Neighbouring buckets of numbers are joined, once in ascending order, so that a bin ends with a frequent
    value, and once in descending order, so that it begins with one. So a number that is not in the window is in the bin
    of its lower neighbour in one partition and of its upper neighbour in the other, and a small shift of a few distinct
    values does not count as new values.
    """
    if pooled.of_numbers:
        return [_joined(pooled.counts), _joined(pooled.counts[::-1])[::-1]]
    frequent = pooled.counts >= max(1.0, _RARE_SHARE * pooled.counts.sum())
    return [np.where(frequent, np.cumsum(frequent), 0)]


def _joined(counts: Ints) -> Ints:
    """Bins of neighbouring buckets; a bin ends with the bucket with which it reaches a share of _BIN_SHARE."""
    enough = _BIN_SHARE * counts.sum()
    starts = np.zeros(len(counts), np.int64)
    held = 0
    for bucket in np.flatnonzero(counts)[:-1].tolist():
        held += int(counts[bucket])
        if held >= enough:
            starts[bucket + 1] = 1
            held = 0
    return np.cumsum(starts)


def histogram(profile: FeatureProfile, bins: Ints, rows: int) -> Floats:
    """Shares with the sum 1, [bins + 1]: missing first, then the values by bin."""
    values = max(1, int(profile.counts.sum()))
    missing = profile.missing / rows
    shares = np.bincount(bins, weights=profile.counts) / values * (1.0 - missing)
    return np.concatenate([[missing], shares])


def _judge(name: str, day: DayProfile, window: Sequence[DayProfile], limits: Monitoring) -> FeatureHealth:
    compared = _Compared(name, day, window)
    profile, pooled, rows, bins = compared.profile, compared.pooled, compared.rows, compared.bins
    distance = compared.drift().distance
    spread = list(_spread(name, window, pooled, bins))
    limit = missing_limit = None
    if spread:
        # A smaller day has a noisier distance.
        smaller = max(1.0, max(reference_day.rows for reference_day in window) / day.rows)
        noise = expected_divergence(int(bins[0].max()) + 2, day.rows, rows)
        limit = max(
            limits.drift + CLUSTERING * noise,
            limits.drift_factor * smaller * max(spread_of.distance for spread_of in spread),
        )
        missing_limit = max(
            limits.missing, limits.drift_factor * smaller**0.5 * max(spread_of.missing for spread_of in spread)
        )
    typical, usual, what = _typical(profile, pooled)
    health = FeatureHealth(
        feature=name,
        missing=profile.missing / day.rows,
        usually_missing=pooled.missing / rows,
        typical=typical,
        usually_typical=usual,
        what=what,
        quantiles=_quantiles(profile) if profile.of_numbers else (),
        distance=distance,
        limit=limit,
    )
    return _with_alarm(health, day, window, missing_limit)


def _with_alarm(
    health: FeatureHealth, day: DayProfile, window: Sequence[DayProfile], missing_limit: float | None
) -> FeatureHealth:
    name = health.feature
    varied = min(_varied(reference_day, name) for reference_day in window)
    alarm, weight = "", 0.0
    if varied * day.rows >= _FROZEN_EXPECTED and _varied(day, name) == 0.0:
        alarm = (
            f"frozen: {_only_value(day.features[name])} in all {day.rows:,} impressions; on every reference day at "
            f"least {100 * varied:.2g} % had another value"
        )
        weight = _FROZEN_WEIGHT
    elif missing_limit is not None and abs(health.missing - health.usually_missing) > missing_limit:
        alarm = (
            f"missing in {100 * health.missing:.3g} % of the impressions, in training in "
            f"{100 * health.usually_missing:.3g} %; the limit of the difference is {100 * missing_limit:.2g} points"
        )
        weight = abs(health.missing - health.usually_missing) / missing_limit
    elif health.limit is not None and health.distance > health.limit:
        alarm = f"drifted {health.distance:.3f} bits from the reference window, beyond the limit of {health.limit:.3f}"
        if health.typical is not None and health.usually_typical is not None:
            usual, typical = (shown_number(mean, ".4g") for mean in (health.usually_typical, health.typical))
            alarm += f"; {health.what} {usual} → {typical}"
        weight = health.distance / health.limit
    return replace(health, alarm=alarm, weight=weight)


@dataclass(frozen=True)
class _Spread:
    distance: float
    missing: float


def _spread(name: str, window: Sequence[DayProfile], pooled: FeatureProfile, bins: list[Ints]) -> Iterator[_Spread]:
    """The distances between reference days.

    Each day is compared with all others. Each day of the later half is also compared with the days before it, as a new
    day is: a feature with a slow trend is farther from the past than from the days on both sides.
    """
    rows = sum(day.rows for day in window)
    earlier, earlier_rows = FeatureProfile(pooled.kind), 0
    for i, day in enumerate(window):
        profile = day.features[name]
        missing = profile.missing / day.rows
        if len(window) > 1:
            others = FeatureProfile(
                pooled.kind, missing=pooled.missing - profile.missing, counts=pooled.counts - profile.counts
            )
            distance = _distance(profile, day.rows, others, rows - day.rows, bins)
            yield _Spread(distance, abs(missing - others.missing / (rows - day.rows)))
        if i >= len(window) // 2 and earlier_rows:
            distance = _distance(profile, day.rows, earlier, earlier_rows, bins)
            yield _Spread(distance, abs(missing - earlier.missing / earlier_rows))
        earlier.merge(profile)
        earlier_rows += day.rows


def _distance(one: FeatureProfile, rows: int, other: FeatureProfile, other_rows: int, bins: list[Ints]) -> float:
    """The divergence of two profiles, the smallest over the partitions `bins`."""
    distances = [jensen_shannon(histogram(one, b, rows), histogram(other, b, other_rows)) for b in bins]
    return min(distance for distance in distances if distance is not None)


def _varied(day: DayProfile, name: str) -> float:
    """The share of impressions without the most frequent value; missing counts as a value."""
    profile = day.features[name]
    values = int(profile.counts.sum())
    if values == 0:
        return 0.0
    present = 1.0 - profile.missing / day.rows
    return 1.0 - max(profile.missing / day.rows, present * float(profile.counts.max()) / values)


def _only_value(profile: FeatureProfile) -> str:
    if not profile.counts.any():
        return "missing"
    bucket = int(np.argmax(profile.counts))
    if not profile.of_numbers:
        return repr(profile.names[bucket])
    return shown_number(number_edges()[bucket] if profile.mean is None else profile.mean, ".4g")


def _typical(profile: FeatureProfile, pooled: FeatureProfile) -> tuple[float | None, float | None, str]:
    if pooled.of_numbers:
        return profile.mean, pooled.mean, pooled.kind.typical
    counts = (int(profile.counts.sum()), int(pooled.counts.sum()))
    if not counts[1]:
        return None, None, "share"
    top = int(np.argmax(pooled.counts))
    day, usual = (float(p.counts[top]) / n if n else None for p, n in zip((profile, pooled), counts, strict=True))
    return day, usual, f"share of {pooled.names[top]!r}"


def _quantiles(profile: FeatureProfile) -> tuple[float, ...]:
    cumulative = np.cumsum(profile.counts)
    if cumulative[-1] == 0:
        return ()
    at = np.searchsorted(cumulative, np.array([0.1, 0.5, 0.9]) * cumulative[-1])
    return tuple(float(edge) for edge in number_edges()[at])
