"""Cron schedules: five fields as people write them, six with seconds first as Kubeflow Pipelines reads them.

croniter reads the fields and finds the next times. Kubeflow's scheduler is robfig/cron in its first version. It reads
the same fields as crontab(5) except that Sunday is 0 only, so every value is spelt out for it. It treats days alike:
where both the day of the month and the day of the week are restricted, either will do.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, CroniterError, croniter

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_DAY_OF_WEEK = 4
_DAYS = (2, _DAY_OF_WEEK)
_FORM = "minute, hour, day of month, month, day of week, as in '0 3 * * *' for 03:00 every day"
# What crontab(5) has; croniter also reads forms that Kubeflow does not, such as L, # and H.
_PART = re.compile(r"(\*|(?P<first>\d+|[a-z]{3})(-(?P<last>\d+|[a-z]{3}))?)(/\d+)?", re.ASCII)


@dataclass(frozen=True)
class Cron:
    """A schedule to the minute.

    Attributes:
        line: five fields; each is `*` or lists its values in ascending order, weekdays from Sunday, 0.
    """

    line: str

    def with_seconds(self) -> str:
        """The same schedule with six fields, seconds first."""
        return f"0 {self.line}"

    def next_times(self, after: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
        """The first moments after `after` (with a time zone) on the clocks of `zone`."""
        return list(islice(self._times(after, zone), count))

    def _times(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        clocks = croniter(self.line, after.astimezone(zone).replace(tzinfo=None)).all_next(datetime)
        while True:
            try:
                clock = next(clocks)
            except (CroniterBadDateError, OverflowError, StopIteration):
                return  # the calendar ends
            moment = clock.replace(tzinfo=zone)
            # Clocks that are put forward skip some times.
            exists = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == clock
            if exists and moment.astimezone(UTC) > after:
                yield moment


def parse_cron(text: str) -> Cron:
    """Reads five fields.

    Raises:
        ValueError: another number of fields, a field that is not of its form, or dates that no year has.

    Example:
        >>> parse_cron("*/30 3 * * mon-fri").with_seconds()
        '0 0,30 3 * * 1,2,3,4,5'
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"cron: {text!r} has {len(fields)} fields and needs {len(_FIELDS)}: {_FORM}")
    line = " ".join(_listed(index, field) for index, field in enumerate(fields))
    try:
        croniter(line, datetime(2000, 1, 1)).get_next()
    except CroniterBadDateError:
        raise ValueError(f"cron: {text!r} never fires, as no year has such a date") from None
    return Cron(line)


def _listed(index: int, field: str) -> str:
    """A field with every value spelt out; `*` where it leaves the day, or the time, to the other fields."""
    name, low, high = _FIELDS[index]
    try:
        values = {value for part in field.lower().replace("?", "*").split(",") for value in _values(index, part)}
    except (CroniterError, ValueError):
        raise ValueError(f"cron: {field!r} is no {name}, which lies between {low} and {high}; {_FORM}") from None
    # A day's field that lists all days is not `*`: either it or the other day's field will do.
    unrestricted = field in ("*", "?") if index in _DAYS else len(values) == high - low + 1
    return "*" if unrestricted else ",".join(map(str, sorted(values)))


def _values(index: int, part: str) -> list[int]:
    """What lies between two commas of a field, as numbers."""
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(part)
    if match["last"]:
        first, last = _expanded(index, match["first"])[0], _expanded(index, match["last"])[0]
        if first == last and match["first"] == match["last"]:
            return [first]
        # croniter counts on past the end of a field, and Sunday ends a week as well as it begins one.
        if first > (last or (7 if index == _DAY_OF_WEEK else 0)):
            raise ValueError(part)
    return _expanded(index, part)


def _expanded(index: int, part: str) -> list[int]:
    fields = ["*"] * len(_FIELDS)
    fields[index] = part
    values = croniter.expand(" ".join(fields))[0][index]
    _, low, high = _FIELDS[index]
    return list(range(low, min(high, 6 if index == _DAY_OF_WEEK else high) + 1)) if values == ["*"] else values
