"""Expected engagement of an order, and its utility."""

import numpy as np
import pytest

from datasets.synthetic.candidates import Candidates
from datasets.synthetic.simulator import Simulator
from pipeline_config import FEED
from ranker.config.utility import Utility
from research.online.arms import POSSIBLE, RANDOM, TRUTH, untrained_arms
from research.online.behaviours import BEHAVIOURS
from research.online.engagement import GROUPS, engagement, utility


@pytest.fixture(scope="module")
def candidates() -> Candidates:
    [found] = Simulator(BEHAVIOURS["default"].parameters(3_000, 2)).sessions(0)
    return found


def test_each_session_sums_weight_times_probability_by_group(candidates: Candidates) -> None:
    order = candidates.production_order()
    found = engagement(candidates, order, FEED.objectives)
    probability = candidates.expectations(order).given_everything
    assert found.shape == (len(candidates.offsets) - 1, len(GROUPS))
    for session in (0, 7, len(found) - 1):
        rows = slice(candidates.offsets[session], candidates.offsets[session + 1])
        expected = dict.fromkeys(GROUPS, 0.0)
        for objective, chances in zip(FEED.objectives, probability, strict=True):
            expected[objective.group] += objective.utility_weight * float(chances[rows].sum())
        np.testing.assert_allclose(found[session], list(expected.values()), rtol=1e-5)


def test_no_order_beats_the_true_probabilities(candidates: Candidates) -> None:
    values = {
        name: utility(engagement(candidates, order(candidates), FEED.objectives), FEED.utility)
        for name, order in untrained_arms(FEED).items()
    }
    # A session's examination falls with the position and not with the item, so this order is the best of each.
    assert all((values[TRUTH] >= others - 1e-6).all() for others in values.values())
    assert values[TRUTH].mean() > values[POSSIBLE].mean() > values[RANDOM].mean()


def test_the_trade_off_weighs_the_groups() -> None:
    values = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(utility(values, Utility(alpha=0.25, lambda_=2.0)), [0.25, 0.75, 2.0])
