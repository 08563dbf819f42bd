"""The effects of a level: look-ups, and what time makes of them."""

import numpy as np
import pytest

from ranker.effects.table import EffectTable, joined

PRIOR = np.array([0.5, 0.2], np.float32)


def _table(ids: list[int], rows: float = 8.0) -> EffectTable:
    mean = np.arange(len(ids) * 2, dtype=np.float32).reshape(len(ids), 1, 2) + 1
    return EffectTable(np.array(ids), mean, np.full((len(ids), 1, 2), 0.1, "f4"), np.full(len(ids), rows, "f4"))


def test_an_unseen_entity_has_no_effect() -> None:
    effect = _table([3, 7]).effect(np.array([7, 5, -1, 3, 99]), np.array([[1.0, 2.0]] * 5))
    assert effect[:, 0].tolist() == [3.0 + 8.0, 0.0, 0.0, 1.0 + 4.0, 0.0]
    assert EffectTable.empty(2, 3).effect(np.array([1]), np.ones((1, 3))).tolist() == [[0.0, 0.0]]


def test_an_entity_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="each once"):
        _table([3, 3])
    with pytest.raises(ValueError, match="each once"):
        joined([_table([3]), _table([3])])


def test_after_a_half_life_the_mean_is_half_and_the_variance_is_nearer_to_the_priors() -> None:
    later = _table([3]).after(30, 30, PRIOR)
    assert later.mean[0, 0].tolist() == [0.5, 1.0]
    np.testing.assert_allclose(later.variance[0, 0], 0.25 * 0.1 + 0.75 * PRIOR)
    assert later.rows.item() == 4.0


def test_two_days_are_two_times_one_day() -> None:
    at_once = _table([3, 5]).after(2, 10, PRIOR)
    twice = _table([3, 5]).after(1, 10, PRIOR).after(1, 10, PRIOR)
    np.testing.assert_allclose(at_once.mean, twice.mean, rtol=1e-6)
    np.testing.assert_allclose(at_once.variance, twice.variance, rtol=1e-6)


def test_an_entity_that_is_not_seen_any_more_is_forgotten() -> None:
    table = joined([_table([3], rows=1.0), _table([5], rows=1000.0)])
    assert table.after(45, 30, PRIOR).ids.tolist() == [5]
    assert table.after(3650, 30, PRIOR).ids.tolist() == []
    assert table.after(3650, None, PRIOR) is table


def test_entities_of_another_table_replace_those_that_are_there() -> None:
    table = _table([1, 3]).updated(_table([3, 9]))
    assert table.ids.tolist() == [1, 3, 9]
    assert table.mean[:, 0, 0].tolist() == [1.0, 1.0, 3.0]
