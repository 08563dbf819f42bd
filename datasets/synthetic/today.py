"""One day of the network: its date, its mood and the items that can be shown."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from datasets.synthetic.drift import Mood, mood_of
from datasets.synthetic.inventory import Items, items_shown
from datasets.synthetic.parameters import FeedParameters
from datasets.synthetic.world import World

_SATURDAY = 5


@dataclass(frozen=True)
class Today:
    """One day of the network.

    Attributes:
        number: days since the start of the feed.
        date: in UTC.
        mood: what is popular.
        items: the items posted today and on the previous days.
    """

    number: int
    date: date
    mood: Mood
    items: Items

    @property
    def is_weekend(self) -> bool:
        """Whether it is Saturday or Sunday."""
        return self.date.weekday() >= _SATURDAY

    @property
    def midnight_ms(self) -> int:
        """Its first millisecond since the epoch."""
        return int(datetime(self.date.year, self.date.month, self.date.day, tzinfo=UTC).timestamp()) * 1000


def make_today(world: World, settings: FeedParameters, number: int) -> Today:
    """The day with that number; it does not depend on other days."""
    return Today(
        number=number,
        date=settings.start + timedelta(days=number),
        mood=mood_of(number, settings.seed, settings.drift),
        items=items_shown(world, number, settings),
    )
