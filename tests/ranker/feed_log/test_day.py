from datetime import UTC, date, datetime

import pytest

from ranker.feed_log.day import day_of, resolve_day, scheduled_day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-09", date(2026, 3, 9)),
        ("2026-03-09T18:00:00Z", date(2026, 3, 9)),
        ("2026-03-09T18:00:00Z[UTC]", date(2026, 3, 9)),
        ("2026-03-09T18:00:00Z[Asia/Tokyo]", date(2026, 3, 10)),
        ("2026-03-09T18:00:00Z[Asia/Tokyo][days-before=1]", date(2026, 3, 9)),
        ("2026-03-01T03:00:00Z[UTC][days-before=1]", date(2026, 2, 28)),
        ("2026-03-09T23:30:00.25-05:00[UTC]", date(2026, 3, 10)),
        ("2026-03-09T01:00:00Z[America/Argentina/Buenos_Aires]", date(2026, 3, 8)),
        ("2026-03-09T01:00:00Z[Etc/GMT+5]", date(2026, 3, 8)),
    ],
)
def test_a_date_or_a_timestamp_in_a_zone(text: str, day: date) -> None:
    assert resolve_day(text) == day


PLACES = ("[[ScheduledTime.2006-01-02T15:04:05Z]]", "{{workflow.creationTimestamp.RFC3339}}")


def test_the_first_replaced_placeholder_is_used() -> None:
    parameter = scheduled_day(PLACES, "Asia/Tokyo", 1)
    both = parameter.replace(PLACES[0], "2026-03-09T18:00:00Z").replace(PLACES[1], "2026-03-20T18:00:00Z")
    assert resolve_day(both) == date(2026, 3, 9)
    assert resolve_day(parameter.replace(PLACES[1], "2026-03-20T18:00:00Z")) == date(2026, 3, 20)


def test_placeholders_that_are_not_replaced_are_an_error_with_a_remedy() -> None:
    with pytest.raises(ValueError, match=r"\[\[ScheduledTime.*does not replace them, so pass the day itself"):
        resolve_day(scheduled_day(PLACES, "UTC", 0))


def test_summer_time_moves_the_date_with_the_clock() -> None:
    # 22:30 UTC is 23:30 in Berlin in winter and 00:30 the next day in summer.
    assert day_of(datetime(2026, 3, 20, 22, 30, tzinfo=UTC), "Europe/Berlin", 0) == date(2026, 3, 20)
    assert day_of(datetime(2026, 4, 20, 22, 30, tzinfo=UTC), "Europe/Berlin", 0) == date(2026, 4, 21)


@pytest.mark.parametrize("text", ["", "today", "20260309", "2026-3-9", "2026-03-09T18:00:00", "2026-03-09[UTC]"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="neither YYYY-MM-DD nor a timestamp"):
        resolve_day(text)


def test_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'2026-02-30' is not in the calendar"):
        resolve_day("2026-02-30")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", ""])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="is not an IANA name such as UTC"):
        scheduled_day(PLACES, zone, 0)


def test_days_after_the_schedule_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more, got -1"):
        scheduled_day(PLACES, "UTC", -1)
