"""O/E by order from known sums."""

import numpy as np
import pytest

from pipeline_config import FEED
from research.random_order.page import figures, markdown
from research.random_order.study import AS_SHIPPED, EXPOSURE, LOGGED, RANDOM, PredictedOrder, RandomOrderResults


def results() -> RandomOrderResults:
    def of_seed(factor: float) -> dict[str, PredictedOrder]:
        rng = np.random.default_rng(0)
        chances = np.full((600, 6), 0.5)
        chances[:, -1] = 0.01
        observed = (rng.random(chances.shape) < chances).astype(float)
        observed[:, 0] = 1.0  # the first objective is certain
        expected = {AS_SHIPPED: observed / factor, EXPOSURE: observed.copy()}
        expected[AS_SHIPPED][:, -1] *= 2  # far off, but too rare to be compared
        return {RANDOM: PredictedOrder(observed, expected), LOGGED: PredictedOrder(2 * observed, expected)}

    return RandomOrderResults(FEED, 1_000, [of_seed(0.9), of_seed(0.8)])


def test_o_over_e_is_the_mean_of_the_seeds_and_rare_objectives_are_not_compared_with_the_limit() -> None:
    found = {figure.name: figure for figure in figures(results())}
    assert found["random_order.o_over_e.click"].ratio == pytest.approx(0.85)
    assert found["random_order.o_over_e.furthest"].ratio == pytest.approx(0.15)
    assert found["random_order.o_over_e.furthest"].reached is False
    assert found["random_order.o_over_e_with_exposure.furthest"].reached is True
    assert found["random_order.o_over_e.creator_reply"].ours < 100
    assert found["random_order.o_over_e.click"].ours == 1_200


def test_the_interval_covers_seeds_that_differ() -> None:
    low, high = results().o_over_e(AS_SHIPPED, RANDOM)[0].interval
    assert low < 0.8
    assert high > 0.9
    text = markdown(results(), "COMMAND")
    assert "| `click` | 1,200 | 0.850 (" in text
    assert "| 1.000 (1.000 to 1.000) | 1.700 (" in text
