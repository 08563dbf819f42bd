"""Iterators that are computed ahead keep order and errors, and do not run away."""

import threading
import time
from collections.abc import Iterator

import pytest

from ranker.ahead import map_ahead, one_ahead


def _failing() -> Iterator[int]:
    yield 1
    raise ValueError("the second item")


def test_order_is_kept() -> None:
    def slower_at_first(number: int) -> int:
        time.sleep(0.02 / (number + 1))
        return number

    assert list(one_ahead(iter(range(20)))) == list(range(20))
    assert list(map_ahead(slower_at_first, range(20), workers=4)) == list(range(20))


def test_items_are_computed_by_several_threads() -> None:
    together = threading.Barrier(2, timeout=10)

    def wait_for_the_other(number: int) -> int:
        together.wait()
        return number

    assert list(map_ahead(wait_for_the_other, range(4), workers=2)) == [0, 1, 2, 3]


def test_no_more_than_a_few_items_are_taken_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    results = map_ahead(lambda number: number, items(), workers=2)
    assert next(results) == 0
    assert len(taken) == 3


def test_errors_reach_the_caller() -> None:
    with pytest.raises(ValueError, match="the second item"):
        list(one_ahead(_failing()))
    with pytest.raises(ValueError, match="the second item"):
        list(map_ahead(str, _failing(), workers=2))
    with pytest.raises(ZeroDivisionError):
        list(map_ahead(lambda number: 1 // number, [1, 0], workers=2))
