"""Imports without garbage collection."""

import gc

import pytest

from ranker.lasting_imports import lasting_imports


def test_nothing_is_collected_meanwhile_and_what_was_made_is_frozen() -> None:
    before = gc.get_freeze_count()
    with lasting_imports():
        assert not gc.isenabled()
        made: list[object] = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(made)


def test_a_failed_import_does_not_stop_collection() -> None:
    with pytest.raises(ImportError), lasting_imports():
        raise ImportError
    assert gc.isenabled()
