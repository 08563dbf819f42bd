"""The identity of a training: two trainings with the same identity fit the same model bit for bit.

The registry uses it to compare models, the local runner to find finished days, and the monitor as the key of score
histories. It consists of config, schema and code (the recipe), the held-out day, the data, and what the training
started from.
"""

from datetime import date

from pydantic.dataclasses import dataclass

from ranker.config.retraining import Start
from ranker.identity.digest import short_digest


@dataclass(frozen=True)
class TrainingIdentity:
    """What determines the model that a training fits.

    Attributes:
        day: the held-out day, YYYY-MM-DD.
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
        """A hash of all attributes, as 16 hexadecimal digits."""
        return short_digest((self.day, self.recipe, self.data, self.start, self.parent))


def identify(day: date, recipe: str, data: str, start: Start, parent: str = "") -> TrainingIdentity:
    """The identity of the training for a day; for a cold start, `parent` is ignored."""
    return TrainingIdentity(day.isoformat(), recipe, data, start, "" if start == "cold" else parent)
