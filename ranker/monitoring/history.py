"""The history of one pipeline's health, a small file per day."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ranker.config.columns import Features
from ranker.monitoring.profile import DayProfile
from ranker.monitoring.record import DayRecord

PAGE = "monitor.html"


class HistoryError(ValueError):
    """A file of the history is not what it should be; the message names it."""


@dataclass(frozen=True)
class HealthHistory:
    """A folder of day records, feature profiles and score histograms.

    Every file is written aside and renamed, so that one that is there is whole; writing a day again replaces it.

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
        _write(self.root / "days" / f"{record.day}.json", record.to_json())

    def days(self) -> list[DayRecord]:
        """All days, oldest first.

        Raises:
            HistoryError: a file that holds no day.
        """
        records = []
        for path in sorted((self.root / "days").glob("*.json")):
            try:
                records.append(DayRecord.from_json(path.read_text()))
            except ValidationError as error:
                first = error.errors()[0]
                raise HistoryError(
                    f"{path}: not a day of this history ({'.'.join(map(str, first['loc']))}: {first['msg']}); "
                    "remove it, and monitor the day again"
                ) from None
        return records

    def write_page(self, page: str) -> None:
        """Replaces the page."""
        _write(self.page, page)

    def write_profile(self, day: date, profile: DayProfile, source_fingerprint: str) -> None:
        """Keeps a day's feature profile for as long as the day's data stays the same."""
        content = {"source_fingerprint": source_fingerprint, **profile.to_json()}
        _write(self._profile(day), json.dumps(content))

    def profile(self, day: date, features: Features, source_fingerprint: str | None = None) -> DayProfile | None:
        """A day's feature profile, or None where there is none of these features and, where given, this data."""
        path = self._profile(day)
        if not path.exists():
            return None
        content = _read(path)
        if source_fingerprint not in (None, content.get("source_fingerprint")):
            return None
        return DayProfile.from_json(content, features)

    def write_scores(self, training: str, scores: Mapping[str, Any]) -> None:
        """Keeps a model's score histograms by objective, of the day that it was evaluated on.

        Args:
            training: fingerprint of its training: a rollback publishes a model again, under another version.
            scores: as in an evaluation document.
        """
        _write(self.root / "scores" / f"{training}.json", json.dumps(dict(scores)))

    def scores(self, training: str) -> dict[str, Any] | None:
        """A model's score histograms, or None where they are not known."""
        path = self.root / "scores" / f"{training}.json"
        return _read(path) if path.exists() else None

    def _profile(self, day: date) -> Path:
        return self.root / "profiles" / f"{day.isoformat()}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise HistoryError(f"{path}: not JSON ({error}); remove it, and it is made again") from None
    return content if isinstance(content, dict) else {}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(text + "\n")
    aside.replace(path)
