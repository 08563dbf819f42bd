"""The history of one pipeline's health, a small file per day."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

from ranker.config.columns import Features
from ranker.documents import DocumentError, read_json, write_json
from ranker.evaluation.scores import ScoreHistogram
from ranker.files import write_text
from ranker.monitoring.profile import DayProfile
from ranker.monitoring.record import DayRecord
from ranker.monitoring.stored_profile import StoredProfile

PAGE = "monitor.html"

T = TypeVar("T")


_Scores = dict[str, ScoreHistogram]


class HistoryError(ValueError):
    """A file of the history is not what it should be; the message names it."""


@dataclass(frozen=True)
class HealthHistory:
    """A folder of day records, feature profiles and score histograms.

    Every file is written atomically; writing a day again replaces it.

    Attributes:
        root: the folder; it need not exist.
    """

    root: Path

    @property
    def page(self) -> Path:
        """Where the page is."""
        return self.root / PAGE

    def write_day(self, record: DayRecord) -> None:
        """Adds a day, or replaces it."""
        write_text(self.root / "days" / f"{record.day}.json", record.to_json() + "\n")

    def days(self) -> list[DayRecord]:
        """All days, oldest first.

        Raises:
            HistoryError: a file that holds no day.
        """
        return [
            _read(path, DayRecord.from_json, "remove it, and monitor the day again")
            for path in sorted((self.root / "days").glob("*.json"))
        ]

    def write_page(self, page: str) -> None:
        """Replaces the page."""
        write_text(self.page, page + "\n")

    def write_profile(self, day: date, profile: DayProfile, source_fingerprint: str) -> None:
        """Keeps a day's feature profile for as long as the day's data stays the same."""
        write_text(self._profile(day), StoredProfile.of(profile, source_fingerprint).to_json() + "\n")

    def profile(self, day: date, features: Features, source_fingerprint: str | None = None) -> DayProfile | None:
        """A day's feature profile, or None where there is none of these features and, where given, this data.

        Raises:
            HistoryError: a damaged file.
        """
        path = self._profile(day)
        if not path.exists():
            return None
        stored = _read(path, StoredProfile.from_json, "remove it, and it is made again")
        if stored is None or source_fingerprint not in (None, stored.source_fingerprint):
            return None
        return stored.profile(features)

    def write_scores(self, training: str, scores: Mapping[str, ScoreHistogram]) -> None:
        """Keeps a model's score histograms by objective, of the day that it was evaluated on.

        Args:
            training: fingerprint of its training: a rollback publishes a model again, under another version.
            scores: by objective.
        """
        write_text(self.root / "scores" / f"{training}.json", write_json(dict(scores), _Scores) + "\n")

    def scores(self, training: str) -> dict[str, ScoreHistogram] | None:
        """A model's score histograms by objective, or None where they are not known.

        Raises:
            HistoryError: a damaged file.
        """
        path = self.root / "scores" / f"{training}.json"
        remedy = "remove it; it is made again when a model is pushed"
        return _read(path, _scores_from_json, remedy) if path.exists() else None

    def _profile(self, day: date) -> Path:
        return self.root / "profiles" / f"{day.isoformat()}.json"


def _scores_from_json(text: str, name: str) -> dict[str, ScoreHistogram]:
    return read_json(_Scores, text, name)


def _read(path: Path, from_json: Callable[[str, str], T], remedy: str) -> T:
    try:
        return from_json(path.read_text(encoding="utf-8"), str(path))
    except DocumentError as error:
        raise HistoryError(f"{error}; {remedy}") from None
    except UnicodeDecodeError:
        raise HistoryError(f"{path}: it is not text in UTF-8; {remedy}") from None
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read: {error.strerror}; {remedy}") from None
