"""A day's alarms, in order of importance, and its file."""

import pytest

from ranker.documents import DocumentError
from ranker.monitoring.record import DayRecord
from tests.ranker.monitoring.records import broken, healthy, outcome


def test_causes_come_before_effects_and_the_worst_slice_is_named_first() -> None:
    assert broken("2026-01-12").alarms == (
        "feature topic: frozen: 0 in all 5,000 impressions",
        "feature age: drifted 0.090 bits",
        "like on device=ios: O/E is 0.000 [0.000, 0.050], below; also beyond its limit: all impressions",
        "click: scores diverge by 0.200 bits",
    )
    assert healthy("2026-01-12").alarms == ()


def test_many_slices_of_one_objective_are_one_line() -> None:
    slices = tuple(outcome("like", f"device={i}", 0.0, f"O/E of {i}", 1.0 + i) for i in range(6))
    day = DayRecord("2026-01-12", "monitor", "1", 10, 0.95, slices)
    assert day.alarms == (
        "like on device=5: O/E of 5; also beyond its limit: device=4, device=3, device=2 and 2 more slices",
    )


def test_a_day_is_equal_after_a_round_trip_through_its_file() -> None:
    for record in (healthy("2026-01-11"), broken("2026-01-12")):
        # Not the records themselves: they have undefined metrics, and NaN is not equal to itself.
        assert DayRecord.from_json(record.to_json()).to_json() == record.to_json()


def test_anything_else_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"^monday\.json: source: Field required"):
        DayRecord.from_json('{"day": "2026-01-12"}', "monday.json")
