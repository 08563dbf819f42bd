"""What drifts from day to day, and the effect of the setting `drift`."""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from datasets.synthetic.drift import mood_of
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.simulator import Simulator
from datasets.synthetic.vocabulary import OBJECTIVES, TOPICS


def test_without_drift_every_day_has_the_same_mood() -> None:
    first, later = mood_of(0, seed=3, drift=0.0), mood_of(30, seed=3, drift=0.0)
    assert np.array_equal(first.topics, later.topics)
    assert np.array_equal(first.taste, later.taste)
    assert not later.intercepts.any()


def test_drift_scales_every_step_of_the_walk() -> None:
    start, mild, wild = mood_of(0, 3, 1.0), mood_of(9, 3, 1.0), mood_of(9, 3, 4.0)
    assert wild.intercepts == pytest.approx(4 * mild.intercepts, rel=1e-5)
    assert wild.topics - start.topics == pytest.approx(4 * (mild.topics - start.topics), rel=1e-4, abs=1e-5)
    assert wild.taste - start.taste == pytest.approx(4 * (mild.taste - start.taste), rel=1e-4, abs=1e-5)


def test_the_walk_spreads_with_the_root_of_the_days() -> None:
    near = np.std([mood_of(2, seed, 1.0).intercepts for seed in range(60)])
    far = np.std([mood_of(32, seed, 1.0).intercepts for seed in range(60)])
    assert far == pytest.approx(4 * near, rel=0.2)


def test_drift_changes_the_popular_topics() -> None:
    def shares(drift: float, day: int) -> np.ndarray:
        simulator = Simulator(FeedParameters(8000, 1, date(2026, 1, 5), drift))
        (batch,) = simulator.day(day)
        shown = pc.index_in(batch.log["item_topics"].flatten(), pa.array(TOPICS)).to_numpy()
        return np.bincount(shown, minlength=len(TOPICS)) / len(shown)

    still = np.abs(shares(0.0, 0) - shares(0.0, 20)).sum()
    moving = np.abs(shares(3.0, 0) - shares(3.0, 20)).sum()
    assert moving > 2 * still


def test_mild_drift_leaves_base_rates_in_their_range() -> None:
    simulator = Simulator(FeedParameters(10_000, 2, date(2026, 1, 5), 1.0))
    rates = [
        np.mean([np.mean(batch.truth[name]) for batch in simulator.day(day)]) for day in (0, 20) for name in OBJECTIVES
    ]
    first, later = np.split(np.array(rates), 2)
    assert later / first == pytest.approx(np.ones(len(OBJECTIVES)), abs=0.4)
