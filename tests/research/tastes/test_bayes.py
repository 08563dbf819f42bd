"""What the log of a simulated feed tells of its viewers' tastes."""

import numpy as np
import pytest

from datasets.synthetic.feed import DEFAULT_START
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.simulator import Simulator
from pipeline_config import FEED
from research.online.arms import CONTROL, POSSIBLE, TRUTH, untrained_arms
from research.online.engagement import engagement, utility
from research.tastes.bayes import by_learnt_tastes, learnt_tastes


@pytest.mark.slow
def test_the_log_tells_a_part_of_the_tastes() -> None:
    simulator = Simulator(FeedParameters(2_000, 1, DEFAULT_START, tastes=1.0))
    tastes = learnt_tastes(simulator, range(7), FEED)
    [candidates] = simulator.sessions(7)
    orders = untrained_arms(FEED) | {"learnt": by_learnt_tastes(tastes, FEED), "nobody": by_learnt_tastes({}, FEED)}
    gained = {
        arm: utility(engagement(candidates, order(candidates), FEED.objectives), FEED.utility).mean()
        for arm, order in orders.items()
    }
    assert gained[CONTROL] < gained[POSSIBLE] < gained["learnt"] < gained[TRUTH]
    assert gained["nobody"] == pytest.approx(gained[POSSIBLE], rel=0.01)


def test_without_tastes_there_is_nothing_to_learn() -> None:
    tastes = learnt_tastes(Simulator(FeedParameters(500, 1, DEFAULT_START, tastes=0.0)), range(2), FEED)
    assert all(np.abs(of_viewer).max() == 0 for of_viewer in tastes.values())


def test_inputs_times_tastes_are_the_probabilities_of_the_simulator() -> None:
    [candidates] = Simulator(FeedParameters(500, 1, DEFAULT_START)).sessions(0)
    averaged, none = candidates.expectations().tastes_averaged_out, np.zeros(len(candidates), np.float32)
    np.testing.assert_allclose(candidates.given_taste(none).mean(axis=1), averaged.mean(axis=1), rtol=0.15)
    assert (candidates.given_taste(none + 1)[:5] > candidates.given_taste(none)[:5]).all()
