"""Which days a search trains and judges on: never the evaluated day, and the oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ranker.feed_log.layout import FeedLogError
from ranker.reports.text import plural


@dataclass(frozen=True)
class TuningDays:
    """The days of a search.

    Attributes:
        evaluated: the day that runs are evaluated on; it is never read.
        confirm: the day on which the best trial is compared with the current config. No trial is judged by it, if the
            log has enough days; else it is the last of `search`.
        search: the days that trials are judged on, oldest first. A trial trains on the days before each.
    """

    evaluated: date
    confirm: date
    search: tuple[date, ...]

    @property
    def is_confirmed(self) -> bool:
        """Whether no trial has seen the day of the comparison."""
        return self.confirm not in self.search

    @property
    def text(self) -> str:
        """The use of each day, in one sentence."""
        searched = ", ".join(map(str, self.search))
        if self.is_confirmed:
            compared = f"the best trial is compared on {self.confirm}, which no trial sees"
        else:
            compared = (
                f"the best trial is compared on {self.confirm} too, as the log has no other day: the gain is biased "
                "upwards"
            )
        judged = f"trials are judged on {searched}, each trained on the days before"
        return f"{judged}; {compared}; {self.evaluated} is not read"


def tuning_days(days: Sequence[date], evaluated: date, wanted: int) -> TuningDays:
    """Chooses the days of a search.

    Args:
        days: of the feed log, oldest first.
        evaluated: the day to hold out.
        wanted: days to judge trials on, at most.

    Raises:
        FeedLogError: the log lacks the evaluated day, or fewer than two days are before the evaluated one.

    Example:
        >>> log = [date(2026, 5, day) for day in range(1, 8)]
        >>> tuning_days(log, date(2026, 5, 7), 2).search
        (datetime.date(2026, 5, 4), datetime.date(2026, 5, 5))
    """
    if not days:
        raise FeedLogError("tuning: the log has no folder named day-YYYY-MM-DD")
    if evaluated not in days:
        raise FeedLogError(f"tuning: the log has no day {evaluated}; its days are {days[0]} to {days[-1]}")
    before = [day for day in days if day < evaluated]
    if len(before) < 2:
        raise FeedLogError(
            f"tuning: the log has {plural(len(before), 'day')} before the evaluated day {evaluated}; a trial needs at "
            "least one day to train on and one to be judged on"
        )
    confirm = before[-1]
    # The oldest day has nothing before it to train on.
    search = before[1:-1][-wanted:]
    return TuningDays(evaluated, confirm, tuple(search) or (confirm,))
