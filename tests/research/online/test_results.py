"""Shares, ratios and their intervals, from engagement per session."""

from dataclasses import replace

import numpy as np
import pytest

from ranker.config.utility import Utility
from research.online.arms import CONTROL, POSSIBLE, RANDOM
from research.online.results import OnlineResults
from research.quality.names import OURS


def results(seeds: int, noise: float = 0.0) -> OnlineResults:
    """Per seed, 300 sessions: control has 1 passive and 2 active, ours gets 3 of 4 parts of what is possible."""
    made = []
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        usual = np.array([1.0, 2.0, 0.0]) + generator.normal(0, 0.3, (300, 3)) * [1, 1, 0]
        wobble = generator.normal(0, noise, (300, 1))
        made.append(
            {
                CONTROL: usual,
                RANDOM: usual - 0.5,
                OURS: usual + np.array([0.3, 0.3, 0.0]) + wobble,
                POSSIBLE: usual + np.array([0.4, 0.4, 0.0]),
            }
        )
    return OnlineResults("test", 300, 1000, Utility(alpha=0.5, lambda_=0.1), made)


def test_the_share_of_the_possible_gain_is_that_of_the_utility() -> None:
    found = results(3)
    share = found.share_of_possible_gain(OURS)
    assert share.value == pytest.approx(0.75)
    np.testing.assert_allclose(share.interval, 0.75)
    assert found.share_of_possible_gain(CONTROL).value == 0
    assert found.share_of_possible_gain(POSSIBLE).value == 1
    assert found.share_of_possible_gain(RANDOM).value < 0
    assert found.arms == (CONTROL, RANDOM, OURS, POSSIBLE)
    assert found.sessions == 900


def test_ratios_compare_means_per_session() -> None:
    found = results(2)
    means = [seed[CONTROL].mean(axis=0) for seed in found.seeds]
    passive = np.mean([(mean[0] + 0.3) / mean[0] for mean in means])
    assert found.engagement_over("passive", OURS, CONTROL).value == pytest.approx(passive)
    utility = np.mean([(mean[0] / 2 + mean[1] / 2 + 0.3) / (mean[0] / 2 + mean[1] / 2) for mean in means])
    assert found.utility_over(OURS, CONTROL).value == pytest.approx(utility)
    assert found.utility_over(OURS, OURS).interval == (1.0, 1.0)


def test_days_are_told_apart() -> None:
    found = replace(results(2), sessions_per_day=[[100, 200], [120, 180]])
    for seed in found.seeds:  # on the second day, nothing is gained any more
        seed[OURS][120:] = seed[CONTROL][120:]
    assert (found.days, results(1).days) == (2, 1)
    first, second = found.of_days(0, 1), found.of_days(1, 2)
    assert [len(seed[OURS]) for seed in (*first.seeds, *second.seeds)] == [100, 120, 200, 180]
    assert (first.sessions, second.sessions, second.impressions) == (220, 380, 150)
    assert first.share_of_possible_gain(OURS).value == pytest.approx(0.75)
    assert second.share_of_possible_gain(OURS).value == pytest.approx(0.5 * 0.75 * 20 / 200)
    assert found.of_days(0, 2).share_of_possible_gain(OURS).value == found.share_of_possible_gain(OURS).value


def test_intervals_cover_the_truth_and_shrink_with_seeds() -> None:
    few, many = (results(seeds, noise=1.0).share_of_possible_gain(OURS).interval for seeds in (1, 12))
    assert few[0] < 0.75 < few[1]
    assert many[0] < 0.75 < many[1]
    assert many[1] - many[0] < few[1] - few[0]
