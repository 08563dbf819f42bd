import numpy as np
import pytest

from datasets.kuairand.history import History

nan = np.nan


def test_rates_are_the_posterior_mean_of_the_days_added() -> None:
    history = History(entities=2, outcomes=2)
    history.add(np.array([0, 0, 1]), np.array([[1.0, 0.5], [0.0, 1.5], [1.0, 4.0]]), day=0)
    history.add(np.array([0]), np.array([[1.0, 1.0]]), day=2)
    rates = history.rates(np.array([1, 0]), prior=np.array([0.5, 1.0]), strength=2.0)
    # (1 + 2*0.5) / (1 + 2), (4 + 2*1) / 3; (2 + 2*0.5) / (3 + 2), (3 + 2*1) / 5
    np.testing.assert_allclose(rates, [[2 / 3, 2.0], [0.6, 1.0]])
    np.testing.assert_allclose(history.means(), [3 / 4, 7 / 4])


def test_counts_and_days_since_seen() -> None:
    history = History(entities=3, outcomes=1)
    history.add(np.array([0, 1, 0]), np.ones((3, 1)), day=0)
    history.add(np.array([1]), np.ones((1, 1)), day=3)
    codes = np.array([0, 1, 2])
    assert history.impressions(codes).tolist() == [2, 2, 0]
    np.testing.assert_array_equal(history.days_since_seen(codes, day=5), [5, 2, nan])


def test_an_unknown_entity_has_no_history() -> None:
    history = History(entities=1, outcomes=1)
    history.add(np.array([-1, 0]), np.array([[1.0], [0.0]]), day=0)
    codes = np.array([-1, 0])
    np.testing.assert_array_equal(history.impressions(codes), [nan, 1])
    np.testing.assert_array_equal(history.days_since_seen(codes, day=1), [nan, 1])
    np.testing.assert_array_equal(history.rates(codes, np.array([0.5]), 1.0), [[nan], [0.25]])


@pytest.mark.filterwarnings("error")
def test_before_the_first_day_there_are_counts_but_no_rates() -> None:
    history = History(entities=1, outcomes=1)
    assert np.isnan(history.means()).all()
    assert history.impressions(np.array([0])).tolist() == [0]
    assert np.isnan(history.rates(np.array([0]), history.means(), 20.0)).all()
