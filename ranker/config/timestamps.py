"""Which timestamps the rows of a day's folder may have."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ranker.config.fields import CHECKED, Real

_Hours = Annotated[Real, Field(ge=0.0, le=48.0)]


@dataclass(frozen=True, config=CHECKED)
class Timestamps:
    """Which timestamps the rows of a day's folder may have.

    A day is from midnight to midnight UTC. The days of a log may be of another time zone, which the log does not state;
    time zones are up to 14 hours ahead of UTC and up to 12 hours behind it.

    Attributes:
        hours_before: hours before the day that are still in it; 0 for days in UTC.
        hours_after: hours after the day that are still in it; 0 for days in UTC.
        max_outside: share of a day's rows that may be outside of it, and only cause a warning; a larger share is an
            error.

    Example:
        >>> days_in_utc = Timestamps(hours_before=0, hours_after=0)
    """

    hours_before: _Hours = 14.0
    hours_after: _Hours = 14.0
    max_outside: Annotated[Real, Field(ge=0.0, le=1.0)] = 0.02
