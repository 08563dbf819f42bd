"""The random part of a log is found, with positions and chances."""

from typing import Any

import numpy as np
import pytest

from ranker.evaluation.random_sessions import RandomSessions, random_sessions


def log(**changes: list[Any]) -> dict[str, np.ndarray]:
    """Session "a" is random, "b" ranked; "c" is ranked with random items at its positions 2 and 4."""
    columns: dict[str, list[Any]] = {
        "session": ["c", "c", "a", "b", "c", "a", "a", "c", "b"],
        "viewer": ["w", "w", "v", "v", "w", "v", "v", "w", "v"],
        "position": [4, 1, 3, 1, 2, 1, 2, 3, 2],
        "randomised": [1, 0, 1, 0, 1, 1, 1, 0, 0],
        "propensity": [0.5, np.nan, 1 / 3, np.nan, 0.5, 1 / 3, 1 / 3, np.nan, np.nan],
    }
    return {name: np.array(values) for name, values in (columns | changes).items()}


def test_ranked_impressions_are_left_out_and_random_ones_ranked_by_position() -> None:
    found = random_sessions(**log())
    assert found.rows.tolist() == [0, 2, 4, 5, 6]
    assert found.session.tolist() == [0, 1, 0, 1, 1]
    assert found.viewer.tolist() == [0, 1]
    assert found.position.tolist() == [2, 3, 1, 1, 2]
    assert found.propensity.tolist() == [0.5, 1 / 3, 0.5, 1 / 3, 1 / 3]
    assert found.sizes.tolist() == [2, 3]


def test_sessions_of_one_viewer_share_its_number() -> None:
    found = random_sessions(**log(viewer=["v"] * 9))
    assert found.viewer.tolist() == [0, 0]


def test_a_log_without_random_impressions_gives_none() -> None:
    found = random_sessions(**log(randomised=[0] * 9))
    assert isinstance(found, RandomSessions)
    assert len(found) == len(found.viewer) == 0


@pytest.mark.parametrize("chance", [0.0, 1.1, -0.5, np.nan])
def test_a_random_row_needs_a_chance(chance: float) -> None:
    with pytest.raises(ValueError, match=rf"propensity: {chance} in row 2; a random row needs the chance"):
        random_sessions(**log(propensity=[0.5, np.nan, chance, np.nan, *[0.5] * 5]))


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("column", ["session", "viewer", "position", "randomised"])
def test_what_a_random_row_lacks_is_named(column: str, missing: float | None) -> None:
    columns: dict[str, Any] = log()
    values = columns[column].astype(object)
    values[1] = missing  # a ranked row
    if column != "randomised":
        assert len(random_sessions(**(columns | {column: values}))) == 5
        values[5] = missing
    row = 1 if column == "randomised" else 5
    with pytest.raises(ValueError, match=rf"^{column}: {missing} in row {row}, missing in 1; every row"):
        random_sessions(**(columns | {column: values}))


def test_a_position_that_occurs_twice_is_named() -> None:
    with pytest.raises(ValueError, match=r"^position: session 'a' has 2 more than once; every position of a session h"):
        random_sessions(**log(position=[4, 1, 2, 1, 2, 1, 2, 3, 2]))
