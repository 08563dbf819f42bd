"""The settings that make a simulated feed reproducible, and the file at its root that stores them."""

import json
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from ranker.files import write_text

VERSION = 2  # increase it when the same settings would give other rows

DEFAULT_DRIFT = 1.0
DEFAULT_TASTES = 0.5
DEFAULT_RANKER_NOISE = 0.9
DEFAULT_RANKER_TASTES = 0.3
DEFAULT_EXPLORATION = 0.05

_FILE = "feed.json"
_MAX_SEED = 2**32
_MAX_TASTES = 2.0


@dataclass(frozen=True)
class FeedParameters:
    """Settings of a feed.

    With `tastes` 0, `ranker_noise` 0.9 and `exploration` 0 the feed has the distribution of version 1, which had none
    of these.

    Attributes:
        impressions_per_day: rows per day; the population grows with them.
        seed: from 0 to 2**32 - 1.
        start: the first day.
        drift: how much the network changes from day to day; 0 not at all, 1 mildly.
        tastes: how much viewers differ in hidden tastes, which no column of the log shows: the standard deviation, in
            log-odds, of what they add to an outcome of a usual item; from 0 to 2.
        ranker_noise: standard deviation of the noise in the score by which the production ranker orders a session. The
            rest of its score is made of true log-odds.
        ranker_tastes: share of the tastes that the production ranker knows: 0 nothing, 1 everything.
        exploration: share of the sessions that are shown in random order; from 0 to 1.
        version: of the simulator.

    Raises:
        ValueError: a value is out of range.
    """

    impressions_per_day: int
    seed: int
    start: date
    drift: float = DEFAULT_DRIFT
    tastes: float = DEFAULT_TASTES
    ranker_noise: float = DEFAULT_RANKER_NOISE
    ranker_tastes: float = DEFAULT_RANKER_TASTES
    exploration: float = DEFAULT_EXPLORATION
    version: int = VERSION

    def __post_init__(self) -> None:
        if self.impressions_per_day < 1:
            raise ValueError(f"impressions_per_day: needs at least 1, got {self.impressions_per_day}")
        if not 0 <= self.seed < _MAX_SEED:
            raise ValueError(f"seed: needs a number from 0 to {_MAX_SEED - 1}, got {self.seed}")
        if not 0 <= self.drift < float("inf"):
            raise ValueError(f"drift: needs a finite number, 0 or more, got {self.drift}")
        if not 0 <= self.tastes <= _MAX_TASTES:
            raise ValueError(f"tastes: needs a number from 0 to {_MAX_TASTES:g}, got {self.tastes}")
        if not 0 <= self.ranker_noise < float("inf"):
            raise ValueError(f"ranker_noise: needs a finite number, 0 or more, got {self.ranker_noise}")
        if not 0 <= self.ranker_tastes <= 1:
            raise ValueError(f"ranker_tastes: needs a number from 0 to 1, got {self.ranker_tastes}")
        if not 0 <= self.exploration <= 1:
            raise ValueError(f"exploration: needs a number from 0 to 1, got {self.exploration}")

    def save(self, root: Path) -> None:
        """Writes the settings to the root of the feed."""
        write_text(root / _FILE, json.dumps(self.as_json(), indent=2) + "\n")

    def as_json(self) -> dict[str, Any]:
        """Name → setting, as in the file."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"start": self.start.isoformat()}


def saved_settings(root: Path) -> dict[str, Any] | None:
    """Name → setting of the feed at `root`, of any version; None if there is no feed.

    Raises:
        ValueError: the file is corrupt.
    """
    path = root / _FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path}: expected the settings of a feed as JSON, got {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected the settings of a feed as a JSON object, got {type(content).__name__}")
    return content
