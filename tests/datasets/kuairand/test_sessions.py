import numpy as np

from datasets.kuairand.sessions import find_sessions

MINUTE = 60_000
nan = np.nan


def test_a_session_ends_with_the_day_the_viewer_or_a_gap_over_half_an_hour() -> None:
    viewer = np.array([7, 8, 7, 7, 7])
    day = np.array([20220425, 20220425, 20220425, 20220425, 20220426])
    minutes = np.array([0, 10, 30, 61, 70])
    sessions = find_sessions(viewer, day, minutes * MINUTE)
    assert sessions.ids.tolist() == ["7-20220425-1", "8-20220425-1", "7-20220425-1", "7-20220425-2", "7-20220426-1"]
    assert sessions.position.tolist() == [0, 0, 1, 0, 0]
    np.testing.assert_allclose(sessions.hours_since_previous, [nan, nan, nan, 31 / 60, 9 / 60])


def test_rows_need_not_be_in_order_and_a_repeated_row_stays_in_its_session() -> None:
    viewer = np.array([7, 7, 7, 7])
    day = np.full(4, 20220425)
    minutes = np.array([100, 5, 100, 0])
    sessions = find_sessions(viewer, day, minutes * MINUTE)
    assert sessions.ids.tolist() == ["7-20220425-2", "7-20220425-1", "7-20220425-2", "7-20220425-1"]
    assert sessions.position.tolist() == [0, 1, 1, 0]
    np.testing.assert_allclose(sessions.hours_since_previous, [95 / 60, nan, 95 / 60, nan])


def test_later_impressions_do_not_change_earlier_ones() -> None:
    rng = np.random.default_rng(3)
    viewer = rng.integers(0, 5, 400)
    at = np.sort(rng.integers(0, 3 * 1440, 400))
    day = 20220425 + at // 1440
    complete = find_sessions(viewer, day, at * MINUTE)
    part = find_sessions(viewer[:250], day[:250], at[:250] * MINUTE)
    assert complete.ids[:250].tolist() == part.ids.tolist()
    np.testing.assert_array_equal(complete.position[:250], part.position)
    np.testing.assert_array_equal(complete.hours_since_previous[:250], part.hours_since_previous)
