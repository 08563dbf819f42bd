"""What recorded days have measured, which arms follow, and what is shipped."""

from dataclasses import replace

import numpy as np
import pytest

from ranker.tradeoff.arms import Arms
from ranker.tradeoff.experiment import Experiment, ExperimentError
from ranker.tradeoff.measurements import OVERALL
from ranker.tradeoff.sums import DaySums, added, rates
from tests.ranker.tradeoff.handmade import EXPERIMENT, TRADEOFF, arms, config, day, sums

CURRENT = {"click": 4.0, "comment": 1.0}
MORE_COMMENTS = {"click": 4.0, "comment": 1.2}
FEWER_CLICKS = {"click": 3.0, "comment": 1.4}


def experiment(versions: list[Arms], days: list[DaySums], by: str | None = None) -> Experiment:
    tradeoff = replace(TRADEOFF, by=by)
    return Experiment(config(tradeoff), tradeoff, EXPERIMENT, {of.version: of for of in versions}, days)


def one_day(number: int = 1, version: int = 1, viewers: int = 2_000) -> DaySums:
    return day(
        number,
        sums(f"{EXPERIMENT}.{version}.0-0", CURRENT, viewers=viewers),
        sums(f"{EXPERIMENT}.{version}.0-1", MORE_COMMENTS, viewers=viewers),
        sums(f"{EXPERIMENT}.{version}.0-2", FEWER_CLICKS, viewers=viewers),
    )


def test_rates_and_their_standard_errors() -> None:
    generator = np.random.default_rng(0)
    weights = np.zeros((1, 6))
    weights[0, 0] = 1.0
    found = []
    for _ in range(200):
        one = sums("arm", {"click": 1.0}, sessions=1_280)
        groups = generator.poisson(10.0, len(one.sessions))
        positives = generator.poisson(2.0 * groups)
        of = replace(one, sessions=groups.tolist(), positives=[positives.tolist(), *one.positives[1:]])
        found.append(rates(of, weights))
    values = np.array([of.values[0] for of in found])
    assert values.mean() == pytest.approx(2.0, rel=0.01)
    deviation = np.sqrt(np.mean([of.variances[0] for of in found]))
    assert deviation == pytest.approx(values.std(), rel=0.15)


def test_a_rate_without_positives_is_uncertain() -> None:
    weights = np.eye(6)[:1]
    found = rates(sums("arm", {}, sessions=12_800), weights)
    assert found.values == [0.0]
    assert found.variances[0] == pytest.approx(1 / 12_800**2)


def test_days_of_a_version_add_up() -> None:
    together = added([sums("arm", CURRENT, sessions=1_280), sums("arm", CURRENT, sessions=2_560, viewers=5_000)])
    assert sum(together.sessions) == 3_840
    assert together.viewers == 5_000
    twice = experiment([arms(1, 0.3, 0.1)], [one_day(1), one_day(2)])
    once = experiment([arms(1, 0.3, 0.1)], [one_day(1)])
    assert len(twice.measurements) == len(once.measurements) == 2
    np.testing.assert_allclose(twice.measurements.changes, once.measurements.changes)
    assert np.all(twice.measurements.variances < once.measurements.variances)


def test_changes_are_relative_to_arm_0_of_the_same_version() -> None:
    found = experiment([arms(1, 0.3, 0.1)], [one_day()]).measurements
    np.testing.assert_allclose(found.changes, [[0.2, 0.0], [0.4, -0.25]], atol=0.002)
    np.testing.assert_allclose(found.points, [[0.3], [0.1]])
    assert found.comparison.tolist() == [0, 0]
    assert found.cohort.tolist() == [OVERALL] * 2


def test_old_versions_age() -> None:
    found = experiment([arms(1, 0.3, 0.1), arms(2, 0.2, 0.1)], [one_day(1), one_day(4, version=2)]).measurements
    assert found.age_days.tolist() == [3, 3, 0, 0]
    assert found.comparison.tolist() == [0, 0, 1, 1]


def test_the_best_setting_that_holds_the_guardrail_is_shipped() -> None:
    of = experiment([arms(1, 0.3, 0.1)], [one_day()])
    found = of.shipped()[None]
    assert found is not None
    assert of.space.setting(found.point).alpha == pytest.approx(0.3)
    shipping = of.shipping_arms()
    assert [arm.setting.alpha for arm in shipping.groups[0].arms] == pytest.approx([0.5, 0.3])
    assert [arm.share for arm in shipping.groups[0].arms] == pytest.approx([0.1, 0.9])
    assert shipping.version == 2


def test_next_arms_share_the_explored_viewers() -> None:
    made, suggested = experiment([arms(1, 0.3, 0.1)], [one_day()]).next_arms(3)
    assert made.version == 2
    assert [arm.share for arm in made.groups[0].arms] == pytest.approx([0.5, 0.5 / 3, 0.5 / 3, 0.5 / 3])
    assert made.groups[0].arms[0].setting.alpha == 0.5
    assert [arm.setting.alpha for arm in made.groups[0].arms[1:]] == pytest.approx(
        [float(of.point[0]) for of in suggested[None]]
    )
    assert made.salt == f"{EXPERIMENT}.2"


def test_new_arms_wait_for_viewers() -> None:
    assert experiment([], []).waiting() is None
    assert experiment([arms(1, 0.3, 0.1)], [one_day(viewers=100)]).waiting() is None
    waiting = experiment([arms(1, 0.3, 0.1)], [one_day(viewers=99)]).waiting()
    assert waiting == "version 1 stays: arm 0 has 99 recorded viewers, and every arm needs 100"


def test_a_day_without_a_comparison_is_refused() -> None:
    of = experiment([arms(1, 0.3, 0.1)], [])
    of.check_day(one_day())
    with pytest.raises(ExperimentError, match="no arm can be compared with arm 0"):
        of.check_day(one_day(viewers=29))
    with pytest.raises(ExperimentError, match="no arm can be compared with arm 0"):
        of.check_day(day(1, sums(f"{EXPERIMENT}.1.0-1", MORE_COMMENTS)))
    with pytest.raises(ExperimentError, match="a positive of every metric"):
        of.check_day(day(1, sums(f"{EXPERIMENT}.1.0-0", {"click": 1.0}), sums(f"{EXPERIMENT}.1.0-1", {"click": 1.0})))


def test_a_small_day_counts_once_the_others_make_it_large_enough() -> None:
    experiment([arms(1, 0.3, 0.1)], [one_day(1)]).check_day(one_day(2, viewers=5))


def test_cohorts_get_settings_of_their_own() -> None:
    first = arms(1, 0.3, 0.1, by="device")
    recorded = day(
        1,
        *(
            sums(f"{EXPERIMENT}.1.0-{number}", of, cohort=cohort)
            for cohort, by_arm in (
                ("ios", (CURRENT, MORE_COMMENTS, FEWER_CLICKS)),
                ("android", (CURRENT, FEWER_CLICKS, {"click": 4.1, "comment": 1.4})),
            )
            for number, of in enumerate(by_arm)
        ),
    )
    of = experiment([first], [recorded], by="device")
    assert set(of.cohorts) == {"ios", "android"}
    assert len(of.measurements) == 4
    shipped = of.shipped()
    alphas = {cohort: found and of.space.setting(found.point).alpha for cohort, found in shipped.items()}
    assert alphas["ios"] == pytest.approx(0.3)
    assert alphas["android"] == pytest.approx(0.1)
    made, suggested = of.next_arms(2)
    assert [group.cohort for group in made.groups] == [None, *of.cohorts]
    assert made.by == made.by_input == "device"
    assert set(suggested) == {None, "ios", "android"}


def test_without_a_cohort_value_viewers_count_for_everybody() -> None:
    first = arms(1, 0.3, by="device")
    recorded = day(
        1,
        *(sums(f"{EXPERIMENT}.1.0-{number}", of, cohort="") for number, of in enumerate((CURRENT, MORE_COMMENTS))),
    )
    of = experiment([first], [recorded], by="device")
    assert of.cohorts == ()
    assert of.measurements.cohort.tolist() == [OVERALL]
