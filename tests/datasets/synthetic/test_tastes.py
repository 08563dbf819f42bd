"""Hidden tastes: the same every day, seen in outcomes and nowhere in the log, and averaged out exactly."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from datasets.synthetic.behaviour import relevance
from datasets.synthetic.drift import seeded
from datasets.synthetic.impressions import draw_impressions, draw_sessions
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.simulator import Simulator
from datasets.synthetic.tastes import make_tastes, relevance_averaged_over_tastes, spread, taste_for, with_tastes
from datasets.synthetic.today import make_today
from datasets.synthetic.vocabulary import OBJECTIVES
from datasets.synthetic.world import make_world
from tests.datasets.synthetic.conftest import START, Feed


def settings(tastes: float = 1.0, ranker_noise: float = 0.9, ranker_tastes: float = 0.3) -> FeedParameters:
    return FeedParameters(8_000, 3, START, 1.0, tastes, ranker_noise, ranker_tastes)


def everything(tastes: float, day: int = 0) -> tuple[pa.RecordBatch, np.ndarray, np.ndarray]:
    """The candidates of a day, and both of their relevances."""
    [candidates] = Simulator(settings(tastes)).sessions(day)
    expected = candidates.expectations()
    return candidates.table, expected.given_everything, expected.tastes_averaged_out


@pytest.mark.parametrize(("strength", "tolerance"), [(0.5, 0.002), (2.0, 0.006)])
def test_averaging_agrees_with_monte_carlo(strength: float, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    usual = rng.normal(-1.5, 2.0, (len(OBJECTIVES), 40))
    width = rng.uniform(0.7, 1.8, 40)
    draws = 20_000
    mean = sum(relevance(with_tastes(usual, z * width, width, strength)) for z in rng.standard_normal(draws)) / draws
    assert relevance_averaged_over_tastes(usual, width, strength) == pytest.approx(mean, abs=tolerance)
    if strength > 1:
        assert np.abs(relevance(usual) - mean).max() > 5 * tolerance


def test_tastes_of_many_viewers_average_out_for_an_item() -> None:
    # The average is over viewers, given the item: the same items and features, with the tastes of other seeds.
    world = make_world(seeded(3, "world"), 8_000)
    today = make_today(world, settings(), 0)
    rng = seeded(3, "day", 0, 0)
    offered = draw_impressions(rng, world, today, draw_sessions(rng, world.viewers, today, 300, (0, 1)), 3)
    width = spread(today.items, offered)
    usual = np.random.default_rng(1).normal(-1, 1, (len(OBJECTIVES), 300)).astype(np.float32)
    tastes = [taste_for(make_tastes(world, seed), today.items, offered) for seed in range(400)]
    assert np.std(tastes, axis=0) / width == pytest.approx(np.ones(300), abs=0.2)
    assert np.mean(np.square(tastes)) == pytest.approx(1.0, abs=0.1)
    mean = np.mean([relevance(with_tastes(usual, taste, width, 1.0)) for taste in tastes], axis=0)
    assert relevance_averaged_over_tastes(usual, width, 1.0) == pytest.approx(mean, abs=0.05)


def test_tastes_leave_base_rates_and_every_logged_column() -> None:
    table, given_everything, averaged = everything(0.8)
    without, usual, _ = everything(0.0)
    assert table == without
    assert given_everything.mean(axis=1) == pytest.approx(usual.mean(axis=1), rel=0.05)
    assert averaged.mean(axis=1) == pytest.approx(usual.mean(axis=1), rel=0.02)
    assert np.array_equal(usual, everything(0.0)[2])
    assert np.abs(given_everything[0] - averaged[0]).mean() > 0.05


def test_an_author_answers_whatever_the_taste_is() -> None:
    _, given_everything, averaged = everything(1.0)
    _, usual, _ = everything(0.0)
    replies = OBJECTIVES.index("creator_reply")
    comments = OBJECTIVES.index("comment")
    for made in (given_everything, averaged):
        assert made[replies] / made[comments] == pytest.approx(usual[replies] / usual[comments], rel=1e-4)


def test_the_taste_of_a_viewer_for_an_item_is_the_same_on_every_day() -> None:
    # The item of one day is shown to some viewers on the next one, too. What remains of click's log-odds after features
    # is compared through the ratio of both relevances.
    shift: dict[tuple[str, str], list[float]] = {}
    for day in (0, 1):
        table, given_everything, averaged = everything(1.0, day)
        odds = np.log(given_everything[0] / (1 - given_everything[0])) - np.log(averaged[0] / (1 - averaged[0]))
        for viewer, item, extra in zip(table["viewer_id"].to_pylist(), table["item_id"].to_pylist(), odds, strict=True):
            shift.setdefault((viewer, item), []).append(float(extra))
    again = np.array([found[:2] for found in shift.values() if len(found) > 1])
    assert len(again) > 100
    assert np.corrcoef(again.T)[0, 1] > 0.98


def test_labels_follow_the_tastes(feed: Feed) -> None:
    # Where the truth lies above the average over tastes, there are more clicks than that average says.
    above = feed.probabilities[0] > 1.1 * feed.averaged[0]
    below = feed.probabilities[0] < feed.averaged[0] / 1.1
    for rows, ratio in ((above, 1.25), (below, 1 / 1.25)):
        assert np.log(feed.labels[0][rows].sum() / feed.averaged[0][rows].sum()) / np.log(ratio) > 0.8
    assert (above | below).mean() > 0.5


def test_the_production_ranker_knows_a_share_of_the_tastes() -> None:
    def clicks_of_the_first(share: float) -> float:
        simulator = Simulator(settings(1.0, ranker_noise=0.0, ranker_tastes=share))
        [shown] = simulator.day(0)
        first = shown.log["position"].to_numpy() == 1
        return float(shown.truth["click"].to_numpy()[first].mean())

    nothing, half, all_of_it = (clicks_of_the_first(share) for share in (0.0, 0.5, 1.0))
    assert nothing + 0.02 < half < all_of_it - 0.01


def test_without_tastes_and_with_its_noise_the_feed_has_the_distribution_of_version_1() -> None:
    # Measured with version 1 on the same days: means of the truth by objective, and of click's by position.
    rates = {"click": 0.20339, "long_dwell": 0.09609, "like": 0.03939, "comment": 0.01195, "reshare": 0.0054}
    clicks = {1: 0.4935, 3: 0.3305, 10: 0.1772, 25: 0.0950}
    simulator = Simulator(
        FeedParameters(20_000, 7, date(2026, 1, 5), 1.0, tastes=0.0, ranker_noise=0.9, exploration=0.0)
    )
    days = [shown for day in range(2) for shown in simulator.day(day)]
    position = np.concatenate([shown.log["position"].to_numpy() for shown in days])
    for name, expected in rates.items():
        truth = np.concatenate([shown.truth[name].to_numpy() for shown in days])
        assert truth.mean() == pytest.approx(expected, rel=0.02)
        if name == "click":
            assert [truth[position == place].mean() for place in clicks] == pytest.approx(
                list(clicks.values()), rel=0.08
            )
