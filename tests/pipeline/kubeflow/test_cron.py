from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pipeline.kubeflow.cron import parse_cron

NOW = datetime(2026, 3, 9, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("five", "six"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("*/20 * * * *", "0 0,20,40 * * * *"),
        ("5/25 1-3 1,15 jan,JUL *", "0 5,30,55 1,2,3 1,15 1,7 *"),
        ("0 3 ? * mon-fri", "0 0 3 * * 1,2,3,4,5"),
        ("0 3 * * 7", "0 0 3 * * 0"),
        ("0 3 * * 5-7", "0 0 3 * * 0,5,6"),
        ("0 3 * * 0-6", "0 0 3 * * 0,1,2,3,4,5,6"),
        ("0 3 * * 0-7", "0 0 3 * * 0,1,2,3,4,5,6"),
        ("0 3 * * sat-SUN", "0 0 3 * * 0,6"),
        ("0 3-3 */10 1-12 *", "0 0 3 1,11,21,31 * *"),
        ("0 3,03,4-5 * * *", "0 0 3,4,5 * * *"),
        ("0-59 0-23 * * *", "0 * * * * *"),
    ],
)
def test_kubeflow_gets_seconds_first(five: str, six: str) -> None:
    assert parse_cron(five).with_seconds() == six


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 3 * * *", "has 6 fields and needs 5: minute, hour, day of month, month, day of week"),
        ("@daily", "has 1 fields and needs 5"),
        ("60 3 * * *", "'60' is no minute, which lies between 0 and 59"),
        ("0 24 * * *", "'24' is no hour, which lies between 0 and 23"),
        ("0 3 0 * *", "'0' is no day of month"),
        ("0 3 * 13 *", "'13' is no month"),
        ("0 3 * * 8", "'8' is no day of week"),
        ("0 5-3 * * *", "'5-3' is no hour"),
        ("*/0 * * * *", "'\\*/0' is no minute"),
        ("0 3 * * monday", "'monday' is no day of week"),
        ("0 -3 * * *", "'-3' is no hour"),
        ("0 1/ * * *", "'1/' is no hour"),
        ("0 3 L * *", "'L' is no day of month"),
        ("0 3 * * fri#2", "'fri#2' is no day of week"),
        ("0 3 * * fri-mon", "'fri-mon' is no day of week"),
        ("H 3 * * *", "'H' is no minute"),
        ("0 3 1,,2 * *", "'1,,2' is no day of month"),
        ("0 ٣ * * *", "'٣' is no hour"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_cron(text)


def times(text: str, zone: str = "UTC", after: datetime = NOW) -> list[str]:
    return [f"{moment:%Y-%m-%d %H:%M %a}" for moment in parse_cron(text).next_times(after, ZoneInfo(zone), 3)]


def test_the_next_times() -> None:
    assert times("0 3 * * *") == ["2026-03-10 03:00 Tue", "2026-03-11 03:00 Wed", "2026-03-12 03:00 Thu"]
    assert times("*/20 12 * * *") == ["2026-03-09 12:40 Mon", "2026-03-10 12:00 Tue", "2026-03-10 12:20 Tue"]
    assert times("0 3 29 2 *") == ["2028-02-29 03:00 Tue", "2032-02-29 03:00 Sun", "2036-02-29 03:00 Fri"]


def test_two_restricted_days_are_alternatives() -> None:
    assert times("0 3 13 * fri") == ["2026-03-13 03:00 Fri", "2026-03-20 03:00 Fri", "2026-03-27 03:00 Fri"]
    assert times("0 3 13 * 0-6") == ["2026-03-10 03:00 Tue", "2026-03-11 03:00 Wed", "2026-03-12 03:00 Thu"]
    assert times("0 3 15 * fri") == ["2026-03-13 03:00 Fri", "2026-03-15 03:00 Sun", "2026-03-20 03:00 Fri"]


def test_a_schedule_follows_the_clocks_of_its_zone() -> None:
    # 12:30 UTC is 21:30 in Tokyo, and the night clocks go forward in Berlin there is no 02:30.
    assert times("0 22 * * *", "Asia/Tokyo")[0] == "2026-03-09 22:00 Mon"
    before = datetime(2026, 3, 28, 0, 0, tzinfo=UTC)
    assert times("30 2 * * *", "Europe/Berlin", before) == [
        "2026-03-28 02:30 Sat",
        "2026-03-30 02:30 Mon",
        "2026-03-31 02:30 Tue",
    ]


def test_the_hour_that_clocks_repeat_fires_once() -> None:
    before = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    assert times("30 2 * * *", "Europe/Berlin", before)[:2] == ["2026-10-25 02:30 Sun", "2026-10-26 02:30 Mon"]
    # 01:15 UTC is 02:15 for the second time.
    assert times("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 25, 1, 15, tzinfo=UTC))[0] == "2026-10-26 02:30 Mon"


@pytest.mark.parametrize("text", ["0 3 31 2 *", "0 3 30 feb ?", "0 3 31 4,6,9,11 *"])
def test_a_date_that_never_comes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="never fires, as no year has such a date"):
        parse_cron(text)
