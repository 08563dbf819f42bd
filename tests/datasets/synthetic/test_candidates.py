"""Candidates can be shown in any order, and two orders differ by nothing but the order."""

import doctest

import numpy as np
import pyarrow as pa
import pytest

from datasets.synthetic import Candidates, Simulator, simulator
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.vocabulary import OBJECTIVES
from pipeline_config import FEED
from tests.datasets.synthetic.conftest import START


def candidates_of(rows: int, seed: int = 2, day: int = 0) -> Candidates:
    [candidates] = Simulator(FeedParameters(rows, seed, START)).sessions(day)
    return candidates


@pytest.fixture(scope="module")
def candidates() -> Candidates:
    return candidates_of(20_000)


def outcomes(candidates: Candidates, order: np.ndarray) -> np.ndarray:
    """[objectives, rows], in the order of the candidates' table."""
    log = candidates.show(order).log
    labels = np.array([log[name].to_numpy() for name in OBJECTIVES])
    found = np.empty_like(labels)
    found[:, order] = labels
    return found


def test_candidates_have_what_is_known_before_ranking(candidates: Candidates) -> None:
    keys = FEED.keys
    known = {keys.session, keys.viewer, keys.item, keys.timestamp, "author_id", *FEED.features.names}
    assert set(candidates.table.schema.names) == known
    session = candidates.table["session_id"].to_numpy(zero_copy_only=False)
    assert len(candidates) == candidates.offsets[-1] == len(session) == 20_000
    assert np.array_equal(np.flatnonzero(session[1:] != session[:-1]) + 1, candidates.offsets[1:-1])


def test_candidates_say_nothing_about_relevance_by_their_order(candidates: Candidates) -> None:
    # They come by age, of which click depends a little; a session's first is not its best.
    click = candidates.expectations().given_everything[0]
    ranked = candidates.production_order()
    first = candidates.offsets[:-1]
    assert click[ranked][first].mean() > 1.5 * click[first].mean()


def test_the_log_is_the_table_in_the_order_shown(candidates: Candidates) -> None:
    order = candidates.random_order()
    shown = candidates.show(order)
    known = candidates.table.take(pa.array(order))
    for name in set(known.schema.names) - {"timestamp"}:
        assert shown.log[name] == known[name]
    late = shown.log["timestamp"].to_numpy() - known["timestamp"].to_numpy()
    assert np.array_equal(late, 4000 * (shown.log["position"].to_numpy() - 1))
    assert np.array_equal(
        shown.log["position"].to_numpy()[candidates.offsets[:-1]], np.ones(len(candidates.offsets) - 1)
    )
    assert shown.truth["session_id"] == shown.log["session_id"]
    assert shown.truth["item_id"] == shown.log["item_id"]


def test_expectations_are_those_of_the_truth(candidates: Candidates) -> None:
    order = candidates.production_order()
    expected, truth = candidates.expectations(order), candidates.show(order).truth
    assert np.array_equal(truth["examined"].to_numpy(), expected.examined)
    for row, name in enumerate(OBJECTIVES):
        assert np.array_equal(truth[name].to_numpy(), expected.given_everything[row])
        assert np.array_equal(truth[f"{name}_tastes_averaged_out"].to_numpy(), expected.tastes_averaged_out[row])


@pytest.mark.slow
def test_expectations_are_examination_times_relevance(candidates: Candidates) -> None:
    order = candidates.random_order()
    looked_at, shown = candidates.expectations(), candidates.expectations(order)
    assert (looked_at.examined == 1).all()
    first = candidates.offsets[:-1]
    assert (shown.examined[first] == 1).all()
    assert (np.diff(shown.examined[:4]) < 0).all()
    for name in ("given_everything", "tastes_averaged_out"):
        assert getattr(shown, name) == pytest.approx(shown.examined * getattr(looked_at, name)[:, order])


def test_outcomes_are_those_expected_in_any_order(candidates: Candidates) -> None:
    for order in (candidates.production_order(), candidates.random_order(), candidates.random_order(seed=1)):
        expected = candidates.expectations(order).given_everything
        counts = outcomes(candidates, order).sum(axis=1)
        deviation = np.sqrt((expected * (1 - expected)).sum(axis=1))
        assert (np.abs(counts - expected.sum(axis=1)) < 4 * deviation).all()


def test_an_item_at_the_same_position_has_the_same_outcomes_whatever_else_moves(candidates: Candidates) -> None:
    order = candidates.production_order()
    other = order.copy()
    for begin, end in zip(candidates.offsets[:-1], candidates.offsets[1:], strict=True):
        other[begin + 2 : end] = other[begin + 2 : end][::-1]  # the first two stay
    kept = order == other
    assert 0 < kept.mean() < 0.5
    before, after = outcomes(candidates, order), outcomes(candidates, other)
    assert np.array_equal(before[:, order[kept]], after[:, order[kept]])
    assert not np.array_equal(before, after)


def test_an_item_that_rises_loses_no_outcome_and_one_that_falls_gains_none(candidates: Candidates) -> None:
    def position_of(order: np.ndarray) -> np.ndarray:
        found = np.empty(len(order), np.int64)
        found[order] = candidates.position
        return found

    one, other = candidates.production_order(), candidates.random_order()
    rose = position_of(other) < position_of(one)
    before, after = outcomes(candidates, one), outcomes(candidates, other)
    assert (after[:, rose] >= before[:, rose]).all()
    assert (after[:, ~rose] <= before[:, ~rose]).all()
    assert after[:, rose].sum() > before[:, rose].sum()


def test_the_same_settings_give_the_same_candidates_orders_and_outcomes(candidates: Candidates) -> None:
    again = candidates_of(20_000)
    assert again.table == candidates.table
    order = candidates.production_order()
    assert np.array_equal(again.production_order(), order)
    assert again.show(order).log == candidates.show(order).log
    assert not np.array_equal(candidates.random_order(), candidates.random_order(seed=1))
    assert candidates_of(20_000, seed=3).table != candidates.table


def test_better_knowledge_ranks_better(candidates: Candidates) -> None:
    expected = candidates.expectations()

    def clicks(order: np.ndarray) -> float:
        return float(candidates.expectations(order).given_everything[0].sum())

    by_truth, averaged = (
        clicks(candidates.best_first(scores[0])) for scores in (expected.given_everything, expected.tastes_averaged_out)
    )
    assert by_truth > averaged > clicks(candidates.production_order()) > clicks(candidates.random_order())


def test_candidates_with_equal_scores_keep_their_order(candidates: Candidates) -> None:
    assert np.array_equal(candidates.best_first(np.zeros(len(candidates))), np.arange(len(candidates)))


def test_the_example_of_the_simulator_runs() -> None:
    assert doctest.testmod(simulator) == (0, 15)


def test_large_days_come_in_batches_with_ids_of_their_own() -> None:
    batches = list(Simulator(FeedParameters(40_000, 2, START)).sessions(0))
    assert [len(batch) for batch in batches] == [20_000, 20_000]
    sessions = [set(batch.table["session_id"].to_pylist()) for batch in batches]
    assert not sessions[0] & sessions[1]


def test_a_wrong_order_says_what_is_wrong() -> None:
    candidates = candidates_of(200)
    order = candidates.production_order()
    with pytest.raises(ValueError, match=r"order: expected one row per candidate, \[200\], got \[199\]"):
        candidates.show(order[:-1])
    with pytest.raises(ValueError, match="order: expected every candidate once"):
        candidates.show(np.zeros(200, np.int64))
    with pytest.raises(ValueError, match=r"order: shows candidate \d+ in session 0, which is not its own"):
        candidates.expectations(order[::-1])
    with pytest.raises(ValueError, match=r"scores: expected one per candidate, \[200\], got \[2\]"):
        candidates.best_first(np.zeros(2))
