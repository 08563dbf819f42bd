"""Frozen, missing and shifted features are alarms; features that change every day are not."""

from typing import Any

import numpy as np
import pytest

from ranker.config.monitoring import Monitoring
from ranker.documents import read_json, write_json
from ranker.monitoring.drift import FeatureHealth, feature_health, histogram, partitions
from ranker.monitoring.profile import DayProfile, FeatureProfile
from tests.ranker.monitoring.days import day, profile

LIMITS = Monitoring()


@pytest.fixture(scope="module")
def window() -> list[DayProfile]:
    return [profile(day(seed=seed)) for seed in range(5)]


def judged(window: list[DayProfile], **columns: Any) -> dict[str, FeatureHealth]:
    return {f.feature: f for f in feature_health(profile(day(seed=99, **columns)), window, LIMITS)}


def alarms(found: dict[str, FeatureHealth]) -> dict[str, str]:
    return {name: feature.alarm for name, feature in found.items() if feature.alarm}


def test_a_healthy_day_raises_no_alarm(window: list[DayProfile]) -> None:
    found = judged(window)
    assert alarms(found) == {}
    assert all(feature.limit is not None and feature.distance < 0.5 * feature.limit for feature in found.values())
    age = found["age"]
    assert age.missing == pytest.approx(0.1, abs=0.03)
    assert age.what == "mean"
    low, median, high = age.quantiles
    assert median == pytest.approx(1.0, rel=0.15)
    assert low < 0.4 < 2.5 < high
    assert found["device"].what == "share of 'ios'"
    assert found["device"].typical == pytest.approx(0.5, abs=0.05)
    assert found["content"].what == "mean length"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("age", [0.0], "frozen: 0 in all 2,000 impressions"),
        ("age", None, "frozen: missing in all 2,000 impressions"),
        ("device", [b"ios"], "frozen: 'ios' in all 2,000 impressions"),
        ("content", [0.0, 0.0, 0.0], "frozen: 0 in all 2,000 impressions"),
        ("topics", None, "frozen: missing in all 2,000 impressions"),
    ],
)
def test_a_feature_frozen_to_its_default_is_named_and_no_other(
    window: list[DayProfile], name: str, value: Any, said: str
) -> None:
    found = alarms(judged(window, **{name: [value] * 2000}))
    assert list(found) == [name]
    assert found[name].startswith(said)


def test_values_that_go_missing_are_an_alarm(window: list[DayProfile]) -> None:
    random = np.random.default_rng(4)
    ages = [[value] if random.random() > 0.3 else None for value in random.lognormal(size=2000)]
    found = alarms(judged(window, age=ages))
    assert list(found) == ["age"]
    assert found["age"].startswith("missing in 3")
    assert "in training in 9" in found["age"] or "in training in 1" in found["age"]


def test_a_shifted_distribution_is_an_alarm_with_the_change(window: list[DayProfile]) -> None:
    random = np.random.default_rng(5)
    devices = [[value] for value in random.choice([b"ios", b"web", b"fridge"], 2000, p=[0.2, 0.3, 0.5])]
    ages = [[value] for value in random.lognormal(mean=1.5, size=2000)]
    found = alarms(judged(window, device=devices, age=ages))
    assert set(found) == {"age", "device"}
    assert "share of 'ios' 0.494 → 0.207" in found["device"]
    assert "beyond the limit of 0.05" in found["device"]


def test_a_value_that_changes_every_day_is_not_drift() -> None:
    window = [profile(day(seed=i, device=[[b"day-%d" % i]] * 2000, age=[[100.0 + i]] * 2000)) for i in range(5)]
    found = judged(window, device=[[b"day-5"]] * 2000, age=[[105.0]] * 2000)
    assert found["device"].distance == pytest.approx(1.0)
    assert alarms(found) == {}


def test_a_small_shift_of_all_values_is_not_drift(window: list[DayProfile]) -> None:
    """Three values 20 % apart that grow by 1 % per day: with fixed bins, a value that crosses an edge would be new."""
    random = np.random.default_rng(6)

    def ages(days: int) -> list[list[float]]:
        return [[value * 1.01**days] for value in random.choice([1.0, 1.2, 1.44], 2000)]

    moving = [profile(day(seed=i, age=ages(i))) for i in range(7)]
    assert "age" not in alarms(judged(moving, age=ages(7)))


def test_a_small_day_has_a_larger_limit(window: list[DayProfile]) -> None:
    small = {f.feature: f for f in feature_health(profile(day(rows=100, seed=7)), window, LIMITS)}
    large = judged(window)
    assert alarms(small) == {}
    for name, feature in small.items():
        assert feature.limit is not None
        assert feature.limit > (large[name].limit or 0.0)


def test_one_training_day_gives_no_limit_but_shows_frozen_features(window: list[DayProfile]) -> None:
    found = judged(window[:1], device=[[b"ios"]] * 2000, age=[[1e9]] * 2000)
    assert found["age"].limit is None
    assert set(alarms(found)) == {"age", "device"}
    assert all(alarm.startswith("frozen") for alarm in alarms(found).values())


def test_a_comparison_without_days_or_impressions_is_an_error(window: list[DayProfile]) -> None:
    with pytest.raises(ValueError, match="at least one training day"):
        feature_health(window[0], [], LIMITS)
    with pytest.raises(ValueError, match="each needs impressions"):
        feature_health(profile(), window, LIMITS)


def test_bins_are_few_and_hold_every_value(window: list[DayProfile]) -> None:
    for name in ("age", "device", "topics", "content"):
        pooled = FeatureProfile(window[0].features[name].kind)
        for training_day in window:
            pooled.merge(training_day.features[name])
        for bins in partitions(pooled):
            assert bins.shape == pooled.counts.shape
            assert bins.max() < 30
            shares = histogram(pooled, bins, 10_000)
            assert shares.sum() == pytest.approx(1.0)
            assert shares[0] == pytest.approx(pooled.missing / 10_000)
            if pooled.of_numbers:
                assert shares[1:].max() < 0.15
                assert np.all(np.abs(np.diff(bins)) <= 1)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_the_health_of_a_number_with_infinities_can_be_read_again(window: list[DayProfile], value: float) -> None:
    age = [[value if row % 3 == 0 else 1.0] for row in range(2000)]
    health = judged(window, age=age)["age"]

    again = read_json(FeatureHealth, write_json(health), "day.json")

    finite = [q for q in health.quantiles if np.isfinite(q)]
    assert 0 < len(finite) < 3
    assert [q for q in again.quantiles if np.isfinite(q)] == finite
    assert (len(again.quantiles), again.alarm) == (3, health.alarm)
