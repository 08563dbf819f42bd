"""Effects in files."""

from pathlib import Path

import numpy as np
import pytest

from ranker.effects.state import Basis, EffectState
from ranker.effects.table import EffectTable
from ranker.plain_text import without_secrets
from tests.object_store import ObjectStore


def _state() -> EffectState:
    numbers = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    table = EffectTable(np.array([4, 2**62]), numbers, numbers + 1, np.array([3.0, 4.5], "f4"))
    basis = Basis(
        {"embedding": (np.array([1.0, 2.0], "f4"), np.array([[0.5], [0.25]], "f4"))},
        {"kind": (b"", b"photo\0"), "never there": ()},
    )
    return EffectState("0123", 1_700_000_000_123, ("2026-01-05", "2026-01-06"), basis, (table, table))


def _check_same(found: EffectState, state: EffectState) -> None:
    assert (found.settings, found.through, found.days) == (state.settings, state.through, state.days)
    assert found.basis.categories == state.basis.categories
    for one, other in zip(found.basis.projections["embedding"], state.basis.projections["embedding"], strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(found.tables) == 2
    for part in ("ids", "mean", "variance", "rows"):
        np.testing.assert_array_equal(getattr(found.tables[1], part), getattr(state.tables[1], part))


def test_a_state_that_is_read_is_the_one_that_was_written(tmp_path: Path) -> None:
    _state().save(str(tmp_path))
    _check_same(EffectState.load(str(tmp_path)), _state())


def test_a_state_on_an_object_store(object_store: ObjectStore, bucket: str) -> None:
    place = object_store.uri(f"{bucket}/models/17/effects")
    _state().save(place)
    assert object_store.keys(bucket)[-1] == "models/17/effects/effects.npz"
    _check_same(EffectState.load(place), _state())
    with pytest.raises(ValueError, match=r"effects: s3://\S+/nowhere/effects\.npz\S* is missing or corrupt") as missing:
        EffectState.load(object_store.uri(f"{bucket}/nowhere"))
    assert object_store.secret not in without_secrets(str(missing.value))


def test_a_state_without_any_inputs(tmp_path: Path) -> None:
    state = EffectState("0", 0, (), Basis({}, {}), (EffectTable.empty(3, 1),))
    state.save(str(tmp_path))
    found = EffectState.load(str(tmp_path))
    assert found.days == ()
    assert found.tables[0].mean.shape == (0, 3, 1)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"effects\.npz is missing or corrupt"):
        EffectState.load(str(tmp_path))
    _state().save(str(tmp_path))
    (tmp_path / "effects.npz").write_bytes((tmp_path / "effects.npz").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"effects\.npz is missing or corrupt"):
        EffectState.load(str(tmp_path))
