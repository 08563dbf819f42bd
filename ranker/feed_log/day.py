"""A run's evaluation day as a parameter: a date, or a timestamp that a scheduler fills in.

A schedule knows its day only when it fires. So its parameter has a placeholder for the timestamp, which the
orchestrator replaces. Orchestrators support different placeholders, so there may be several, separated by `|`; the
first one that was replaced is used. Suffixes in brackets follow, as in RFC 9557: the time zone of the date, and how
many days before that date the day is.

    2026-03-09
    2026-03-09T18:00:00Z[Asia/Tokyo][days-before=1]                           means 2026-03-09 as well
    [[ScheduledTime.2006-01-02T15:04:05Z]]|2026-03-09T18:00:02Z[Asia/Tokyo]   means 2026-03-10
"""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_SUFFIXES = re.compile(r"(?:\[(?P<zone>[A-Za-z][\w+/-]*)\])?(?:\[days-before=(?P<back>\d{1,4})\])?\Z")


def resolve_day(text: str) -> date:
    """The day that a parameter means.

    Raises:
        ValueError: it is neither a date nor a timestamp, no placeholder was replaced, or the time zone is unknown.
    """
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return _date(text)
    suffixes = _SUFFIXES.search(text)
    assert suffixes is not None  # the pattern also matches an empty suffix
    moments = [part for part in text[: suffixes.start()].split("|") if _MOMENT.fullmatch(part)]
    if not moments:
        raise ValueError(
            f"day: {text!r} is neither YYYY-MM-DD nor a timestamp; if it still contains [[…]] or {{{{…}}}}, this "
            "orchestrator does not replace them, so pass the day itself"
        )
    moment = datetime.fromisoformat(moments[0])
    return moment.astimezone(time_zone(suffixes["zone"] or "UTC")).date() - timedelta(days=int(suffixes["back"] or 0))


def scheduled_day(placeholders: tuple[str, ...], zone: str, days_before: int) -> str:
    """The parameter for a schedule.

    Args:
        placeholders: what an orchestrator replaces by a timestamp as in RFC 3339, the preferred one first.
        zone: IANA name of the time zone of the date.
        days_before: how many days before that date the day is.

    Raises:
        ValueError: the time zone is unknown, or the number of days is negative.
    """
    if days_before < 0:
        raise ValueError(f"days before the scheduled date: 0 or more, got {days_before}")
    suffix = f"[days-before={days_before}]" if days_before else ""
    return f"{'|'.join(placeholders)}[{time_zone(zone).key}]{suffix}"


def day_of(moment: datetime, zone: str, days_before: int) -> date:
    """The day of a schedule that fires at `moment` (with a time zone)."""
    return resolve_day(scheduled_day((moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),), zone, days_before))


def time_zone(name: str) -> ZoneInfo:
    """The time zone with an IANA name; raises ValueError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time zone: {name!r} is not an IANA name such as UTC or Europe/Berlin") from None


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"day: {text!r} is not in the calendar") from None
