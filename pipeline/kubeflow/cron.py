"""Cron schedules: five fields as people write them, six with seconds first as Kubeflow Pipelines reads them.

Kubeflow's scheduler is robfig/cron in its first version. It reads the same fields as crontab(5) except that Sunday is 0
only, and treats days alike: where both the day of the month and the day of the week are restricted, either will do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from zoneinfo import ZoneInfo

_MONTHS = dict(jan=1, feb=2, mar=3, apr=4, may=5, jun=6, jul=7, aug=8, sep=9, oct=10, nov=11, dec=12)
_WEEKDAYS = dict(sun=0, mon=1, tue=2, wed=3, thu=4, fri=5, sat=6)
# name, least, greatest, names; 7 is Sunday too in crontab(5)
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _WEEKDAYS),
)
_FORM = "minute, hour, day of month, month, day of week, as in '0 3 * * *' for 03:00 every day"
_LONGEST_GAP_DAYS = 366 * 8  # from one 29 February to the next, around 2100


@dataclass(frozen=True)
class Cron:
    """A schedule to the minute.

    Attributes:
        minutes, hours, month_days, months, weekdays: the values that fit, ascending; weekdays from Sunday, 0.
        any_month_day, any_weekday: whether the field is `*`, so that the other one alone decides.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    month_days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    any_month_day: bool
    any_weekday: bool

    def with_seconds(self) -> str:
        """The same schedule with six fields, seconds first, every value spelt out."""
        month_days = "*" if self.any_month_day else _listed(self.month_days)
        weekdays = "*" if self.any_weekday else _listed(self.weekdays)
        months = "*" if len(self.months) == 12 else _listed(self.months)
        hours = "*" if len(self.hours) == 24 else _listed(self.hours)
        minutes = "*" if len(self.minutes) == 60 else _listed(self.minutes)
        return f"0 {minutes} {hours} {month_days} {months} {weekdays}"

    def next_times(self, after: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
        """The first moments after `after` (with a time zone) on the clocks of `zone`; fewer where there are no more."""
        return list(islice(self._times(after, zone), count))

    def _times(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        first = after.astimezone(zone).date()
        for ahead in range(_LONGEST_GAP_DAYS):
            day = first + timedelta(days=ahead)
            if not self._fits(day.month, day.day, day.isoweekday() % 7):
                continue
            for hour, minute in product(self.hours, self.minutes):
                moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                # Clocks that are put forward skip some times.
                exists = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment.replace(tzinfo=None)
                if exists and moment > after:
                    yield moment

    def _fits(self, month: int, month_day: int, weekday: int) -> bool:
        if month not in self.months:
            return False
        by_month_day, by_weekday = month_day in self.month_days, weekday in self.weekdays
        if self.any_month_day or self.any_weekday:
            return by_month_day and by_weekday
        return by_month_day or by_weekday


def parse_cron(text: str) -> Cron:
    """Reads five fields.

    Raises:
        ValueError: another number of fields, or a field that is not of its form.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"cron: {text!r} has {len(fields)} fields and needs {len(_FIELDS)}: {_FORM}")
    values = [
        _values(field, name, low, high, names) for field, (name, low, high, names) in zip(fields, _FIELDS, strict=True)
    ]
    minutes, hours, month_days, months, weekdays = values
    return Cron(
        minutes,
        hours,
        month_days,
        months,
        tuple(sorted({weekday % 7 for weekday in weekdays})),
        any_month_day=fields[2] in ("*", "?"),
        any_weekday=fields[4] in ("*", "?"),
    )


def _values(field: str, name: str, low: int, high: int, names: dict[str, int]) -> tuple[int, ...]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            if span in ("*", "?"):
                start, end = low, high
            else:
                start = _number(first, names)
                # `5/10` counts on from 5 to the end.
                end = _number(last, names) if dash else (high if step else start)
            every = int(step) if "/" in part else 1
        except ValueError:
            raise ValueError(f"cron: {field!r} is no {name}; {_FORM}") from None
        if not low <= start <= end <= high or every < 1:
            raise ValueError(f"cron: {field!r} is no {name}, which lies between {low} and {high}; {_FORM}")
        found.update(range(start, end + 1, every))
    return tuple(sorted(found))


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not text.isascii() or not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _listed(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))
