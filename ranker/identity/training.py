"""The identity of a training: two trainings with the same one fit the same model, bit for bit.

The registry compares models by it, the local runner finds finished days by it, and the monitor keys score histories by
it. A training is its config, schema and code (the recipe), the day held out, the data, and what it started from.
"""

from datetime import date

from pydantic.dataclasses import dataclass

from ranker.config.retraining import Start
from ranker.identity.digest import short_digest


@dataclass(frozen=True)
class TrainingIdentity:
    """What a model was trained by, on and from.

    Attributes:
        day: the day held out, YYYY-MM-DD.
        recipe: fingerprint of config, schema and code; see `ranker.identity.recipe`.
        data: fingerprint of the content of the days of the window; see `ranker.feed_log.fingerprint`.
        start: `cold`, `warm` or `incremental`.
        parent: fingerprint of the training that it continued from; "" for a cold start.

    Example:
        >>> warm = TrainingIdentity("2026-03-09", "c0de", "f00d", "warm", "beef")
        >>> cold = TrainingIdentity("2026-03-09", "c0de", "f00d", "cold")
        >>> warm.fingerprint == cold.fingerprint
        False
    """

    day: str
    recipe: str
    data: str
    start: Start
    parent: str = ""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over all of it."""
        return short_digest((self.day, self.recipe, self.data, self.start, self.parent))


def identify(day: date, recipe: str, data: str, start: Start, parent: str = "") -> TrainingIdentity:
    """The identity of the training for a day; a cold start has no parent whatever is passed."""
    return TrainingIdentity(day.isoformat(), recipe, data, start, "" if start == "cold" else parent)
