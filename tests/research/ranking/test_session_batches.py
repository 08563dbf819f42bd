"""Batches of whole sessions."""

import numpy as np
import pytest

from research.ranking.session_batches import SESSION, session_batches

CODES = np.random.default_rng(0).integers(0, 9, 50).astype(np.int32)


@pytest.mark.slow
def test_every_epoch_has_every_row_once_and_sessions_side_by_side() -> None:
    rows = {"row": np.arange(50)}
    batches = list(session_batches(rows, CODES, 8, epochs=2, seed=1).as_numpy_iterator())
    assert [len(batch["row"]) for batch in batches] == [*[8] * 6, 2, *[8] * 6, 2]
    orders = [np.concatenate([batch["row"] for batch in part]) for part in (batches[:7], batches[7:])]
    for order in orders:
        assert sorted(order) == list(range(50))
        changes = np.count_nonzero(np.diff(CODES[order]))
        assert changes == len(np.unique(CODES)) - 1
    assert (orders[0] != orders[1]).any()
    assert all((batch[SESSION] == CODES[batch["row"]]).all() for batch in batches)


def test_the_seed_determines_the_order() -> None:
    def order(seed: int) -> list[int]:
        batches = session_batches({"row": np.arange(50)}, CODES, 50, epochs=1, seed=seed)
        return next(batches.as_numpy_iterator())["row"].tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)
