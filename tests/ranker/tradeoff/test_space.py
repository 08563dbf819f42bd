"""Settings as points of the unit cube."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline_config import FEED
from ranker.config.tradeoff import SearchSpace, TradeOff
from ranker.tradeoff.space import Space

NEGATIVE = replace(
    FEED, objectives=(*FEED.objectives[:5], replace(FEED.objectives[5], utility_weight=-4.0)), tradeoff=None
)
TRADEOFF = TradeOff(
    maximize={"comment": 1.0},
    search=SearchSpace(alpha=(0.2, 0.6), lambda_=(0.01, 1.0), weights={"comment": 4.0, "creator_reply": 2.0}),
)


def test_the_ends_of_every_range_are_the_ends_of_the_cube() -> None:
    space = Space.of(NEGATIVE, TRADEOFF)
    lowest, highest = space.setting(np.zeros(4)), space.setting(np.ones(4))
    assert (lowest.alpha, highest.alpha) == (0.2, 0.6)
    assert [lowest.lambda_, highest.lambda_] == pytest.approx([0.01, 1.0])
    assert lowest.weights == pytest.approx({"comment": 1.25, "creator_reply": -2.0})
    assert highest.weights == pytest.approx({"comment": 20.0, "creator_reply": -8.0})


def test_the_middle_of_a_weight_is_the_current_one_on_a_logarithmic_scale() -> None:
    space = Space.of(NEGATIVE, TRADEOFF)
    assert space.setting(np.full(4, 0.5)).weights == pytest.approx({"comment": 5.0, "creator_reply": -4.0})
    np.testing.assert_allclose(space.point(space.current), [0.75, 0.5, 0.5, 0.5])


def test_a_setting_and_its_point_are_each_others_reverse() -> None:
    space = Space.of(NEGATIVE, TRADEOFF)
    for point in space.spread(4, 0):
        np.testing.assert_allclose(space.point(space.setting(point)), point, atol=1e-12)


def test_what_is_not_searched_keeps_the_configs_value() -> None:
    space = Space.of(FEED, TradeOff(maximize={"like": 1.0}, search=SearchSpace(alpha=None, weights={"like": 3.0})))
    setting = space.setting(np.array([1.0]))
    assert (setting.alpha, setting.lambda_) == (0.5, 0.1)
    assert setting.weights == pytest.approx({"like": 3.0})
    np.testing.assert_allclose(setting.coefficients(FEED.objectives), [0.5, 1.0, 1.5, 2.5, 4.0, 1.0])


def test_the_current_setting_ranks_as_the_config_does() -> None:
    space = Space.of(FEED, TradeOff(maximize={"like": 1.0}, search=SearchSpace(weights={"like": 3.0, "click": 2.0})))
    expected = FEED.utility.coefficients(FEED.objectives)
    np.testing.assert_allclose(space.current.coefficients(FEED.objectives), expected)


def test_the_sobol_set_is_even_and_reproducible() -> None:
    space = Space.of(NEGATIVE, TRADEOFF)
    points = space.spread(6, 3)
    assert points.shape == (64, 4)
    np.testing.assert_array_equal(points, space.spread(6, 3))
    for column in points.T:
        assert np.bincount((column * 8).astype(int)).tolist() == [8] * 8
