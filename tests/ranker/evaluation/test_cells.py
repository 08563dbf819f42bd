"""The sparse table sums like a dictionary, for any batches and merges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranker.evaluation import cells
from ranker.evaluation.cells import CellTable

Pairs = list[tuple[int, int]]

rows = st.lists(st.tuples(st.integers(0, 20), st.integers(-5, 5)), max_size=60)


def _filled(pairs: Pairs) -> CellTable:
    table = CellTable(1)
    table.add(np.array([k for k, _ in pairs], np.int64), np.array([[v] for _, v in pairs], np.float64).reshape(-1, 1))
    return table


def _as_dict(table: CellTable) -> dict[int, float]:
    keys, sums = table.items()
    return dict(zip(keys.tolist(), sums[:, 0].tolist(), strict=True))


@given(rows, rows, rows)
def test_merging_is_associative_and_commutative_and_equals_adding(a: Pairs, b: Pairs, c: Pairs) -> None:
    expected: dict[int, float] = {}
    for key, value in [*a, *b, *c]:
        expected[key] = expected.get(key, 0.0) + value
    left = _filled(a)
    left.merge(_filled(b))
    left.merge(_filled(c))
    inner = _filled(c)
    inner.merge(_filled(b))
    right = _filled([])
    right.merge(inner)
    right.merge(_filled(a))
    assert _as_dict(left) == _as_dict(right) == expected


def test_rows_held_do_not_grow_with_rows_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_PENDING_ROWS", 100)
    table = CellTable(1)
    random = np.random.default_rng(0)
    for _ in range(200):
        table.add(random.integers(50, size=1000), np.ones((1000, 1)))
        assert table._pending_rows <= 150
    keys, sums = table.items()
    assert keys.tolist() == list(range(50))
    assert sums.sum() == 200_000


def test_rekeying_adds_up_equal_keys_and_drops_negative_ones() -> None:
    table = _filled([(1, 10), (2, 20), (3, 30)])
    assert _as_dict(table.rekeyed(np.array([7, -1, 7]))) == {7: 40.0}
