"""The mean normalized entropy of two models, and the interval of its difference."""

import numpy as np
import pytest

from ranker.evaluation.mean_entropy import judged_objectives, mean_entropy, mean_entropy_growth
from ranker.evaluation.summary import summarize
from tests.ranker.evaluation.simulated import OBJECTIVES, Simulated, accumulate, simulate


@pytest.fixture(scope="module")
def data() -> Simulated:
    return simulate(8_000, seed=5)


def test_the_mean_is_over_the_objectives_and_the_interval_holds_the_difference(data: Simulated) -> None:
    noisy = np.clip(data.probabilities * np.random.default_rng(1).uniform(0.5, 1.5, data.probabilities.shape), 0, 1)
    sums = accumulate(data, {"candidate": data.probabilities, "baseline": noisy}, slices=())
    measured = next(iter(summarize(sums)))
    assert judged_objectives(sums) == OBJECTIVES
    entropies = [measured.candidate[name].normalized_entropy.value for name in OBJECTIVES]
    assert mean_entropy(sums, OBJECTIVES) == pytest.approx(np.mean(entropies))
    growth = mean_entropy_growth(sums, OBJECTIVES)
    each = [measured.comparison[name].normalized_entropy_growth for name in OBJECTIVES]
    assert growth.value == pytest.approx(np.mean([one.value for one in each]))
    assert growth.lower < growth.value < growth.upper < 0
    assert growth.upper - growth.lower < max(one.upper - one.lower for one in each)


def test_equal_models_do_not_differ_and_too_rare_objectives_are_left_out(data: Simulated) -> None:
    labels = data.labels.copy()
    labels[1] = False
    labels[1, :2] = True
    rare = Simulated(labels, data.probabilities, data.viewers, data.sessions, data.columns)
    sums = accumulate(rare, {"candidate": data.probabilities, "baseline": data.probabilities}, slices=())
    assert judged_objectives(sums) == ("click",)
    growth = mean_entropy_growth(sums, ["click"])
    assert (growth.value, growth.lower, growth.upper) == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
