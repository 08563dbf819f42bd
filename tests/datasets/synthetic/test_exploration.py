"""A share of the sessions is shown in random order, and the log says which and with what chance."""

import numpy as np
import pytest

from datasets.synthetic import Candidates, FeedParameters, Shown, Simulator
from ranker.evaluation.random_sessions import random_sessions
from tests.datasets.synthetic.conftest import START, Feed


def simulated(exploration: float, rows: int = 20_000) -> tuple[Candidates, Shown]:
    simulator = Simulator(FeedParameters(rows, 5, START, exploration=exploration))
    [candidates], [shown] = simulator.sessions(0), simulator.day(0)
    return candidates, shown


def test_one_session_in_twenty_is_random_by_default(feed: Feed) -> None:
    first = feed.numbers("position") == 1
    sessions = int(first.sum())
    assert feed.numbers("is_randomised")[first].mean() == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / sessions) ** 0.5)


def test_a_session_is_random_or_not_and_its_chance_is_one_over_its_length(feed: Feed) -> None:
    session = feed.log["session_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    random, size = feed.numbers("is_randomised"), np.bincount(session)
    assert set(np.bincount(session, random) / size) == {0.0, 1.0}
    chance = feed.log["propensity"].to_numpy()
    assert np.array_equal(np.isnan(chance), random == 0)
    assert chance[random == 1] == pytest.approx(1 / size[session][random == 1])


def test_the_other_sessions_are_in_the_production_rankers_order() -> None:
    candidates, shown = simulated(0.3)
    explored = np.repeat(candidates.explored, np.diff(candidates.offsets))
    order = candidates.with_exploration(candidates.production_order())
    same = order == candidates.production_order()
    assert same[~explored].all()
    assert same[explored].mean() < 0.3
    assert np.array_equal(shown.log["is_randomised"].to_numpy(), explored)
    assert shown.log["item_id"].to_pylist() == candidates.table["item_id"].take(order).to_pylist()


def test_every_policy_explores_the_same_sessions_in_the_same_order() -> None:
    candidates, _ = simulated(0.3)
    explored = np.repeat(candidates.explored, np.diff(candidates.offsets))
    one, other = candidates.with_exploration(candidates.production_order()), candidates.random_order()
    assert np.array_equal(one[explored], candidates.with_exploration(other)[explored])
    assert not np.array_equal(one, other)


def test_the_random_order_is_uniform() -> None:
    _, shown = simulated(1.0, 30_000)
    click, position = shown.truth["click"].to_numpy(), shown.log["position"].to_numpy()
    relevance = click / shown.truth["examined"].to_numpy()
    # Relevance does not depend on a position that was drawn at random; it does where the ranker chose.
    early, late = relevance[position <= 3], relevance[position > 12]
    assert early.mean() == pytest.approx(late.mean(), rel=0.1)
    ranked = simulated(0.0, 30_000)[1]
    relevance = ranked.truth["click"].to_numpy() / ranked.truth["examined"].to_numpy()
    position = ranked.log["position"].to_numpy()
    assert relevance[position <= 3].mean() > 1.5 * relevance[position > 12].mean()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_session_or_every_session_may_be_random(share: float) -> None:
    _, shown = simulated(share, 2_000)
    assert set(shown.log["is_randomised"].to_pylist()) == {int(share)}


def test_without_a_mark_the_log_says_that_no_order_was_random() -> None:
    candidates, _ = simulated(0.5, 1_000)
    log = candidates.show(candidates.random_order()).log
    assert set(log["is_randomised"].to_pylist()) == {0}
    assert log["propensity"].null_count == 1_000
    with pytest.raises(ValueError, match=r"randomised: expected one per session, \[\d+\], got \[3\]"):
        candidates.show(candidates.random_order(), np.ones(3, bool))


def test_replay_reads_the_columns(feed: Feed) -> None:
    names = ("session_id", "viewer_id", "position", "is_randomised", "propensity")
    found = random_sessions(*(feed.log[name].to_numpy() for name in names))
    assert np.array_equal(found.position, feed.numbers("position")[found.rows])
    assert len(found) == feed.numbers("is_randomised").sum() > 1_000
