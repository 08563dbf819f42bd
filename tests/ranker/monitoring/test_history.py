"""The history on disk: each day has one complete file, and a damaged file is named."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ranker.config.columns import Categorical, Features
from ranker.evaluation.scores import ScoreHistogram
from ranker.monitoring.history import HealthHistory, HistoryError
from ranker.monitoring.record import DayRecord
from ranker.monitoring.stored_profile import StoredProfile
from tests.ranker.monitoring.days import FEATURES, day, profile
from tests.ranker.monitoring.records import broken, healthy

DAY = date(2026, 1, 12)
SCORES = {"click": ScoreHistogram(3, (0.1, 0.2), (5.0,))}


@pytest.fixture
def history(tmp_path: Path) -> HealthHistory:
    return HealthHistory(tmp_path / "monitoring")


def test_days_come_back_in_their_order_and_a_day_again_replaces_it(history: HealthHistory) -> None:
    assert history.days() == []
    for record in (healthy("2026-01-12"), healthy("2026-01-11"), broken("2026-01-12")):
        history.write_day(record)
    assert _as_json(history.days()) == _as_json([healthy("2026-01-11"), broken("2026-01-12")])


def test_nothing_half_written_stays_behind(history: HealthHistory) -> None:
    history.write_day(healthy("2026-01-12"))
    history.write_profile(DAY, profile(day(rows=20)), "abc")
    history.write_scores("17", SCORES)
    history.write_page("<h1>")
    assert sorted(str(path.relative_to(history.root)) for path in history.root.rglob("*") if path.is_file()) == [
        "days/2026-01-12.json",
        "monitor.html",
        "profiles/2026-01-12.json",
        "scores/17.json",
    ]
    assert history.page.read_text() == "<h1>\n"


def test_a_profile_is_used_again_only_for_the_same_data_and_features(history: HealthHistory) -> None:
    assert history.profile(DAY, FEATURES) is None
    stored = profile(day(rows=200))
    history.write_profile(DAY, stored, "abc")
    found = history.profile(DAY, FEATURES, "abc")
    assert found is not None
    assert StoredProfile.of(found, "abc") == StoredProfile.of(stored, "abc")
    assert history.profile(DAY, FEATURES, "other data") is None
    assert history.profile(DAY, Features(categorical=(Categorical("device"),)), "abc") is None
    assert history.profile(DAY, FEATURES) is not None


def test_scores_are_kept_per_version(history: HealthHistory) -> None:
    history.write_scores("17", SCORES)
    assert history.scores("17") == SCORES
    assert history.scores("18") is None


def test_a_damaged_file_is_named_with_what_to_do(history: HealthHistory) -> None:
    history.write_day(healthy("2026-01-12"))
    path = history.root / "days" / "2026-01-12.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rows": "many"}))
    with pytest.raises(HistoryError, match=r"days/2026-01-12\.json: rows: .*; remove it, and monitor the day again"):
        history.days()
    history.write_profile(DAY, profile(day(rows=20)), "abc")
    (history.root / "profiles" / "2026-01-12.json").write_text("{")
    with pytest.raises(HistoryError, match=r"profiles/2026-01-12\.json: not JSON"):
        history.profile(DAY, FEATURES)
    history.write_scores("17", SCORES)
    (history.root / "scores" / "17.json").write_text('{"click": {"first_bucket": 3, "edges": []}}')
    with pytest.raises(HistoryError, match=r"scores/17\.json: click\.impressions: Field required; remove it"):
        history.scores("17")


@pytest.mark.parametrize("content", [b"\xff", None])
def test_a_file_that_cannot_be_read_is_named(history: HealthHistory, content: bytes | None) -> None:
    path = history.root / "profiles" / "2026-01-12.json"
    path.parent.mkdir(parents=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(HistoryError, match=r"2026-01-12\.json: .*; remove it, and it is made again"):
        history.profile(DAY, FEATURES)


def test_a_profile_of_an_older_format_is_made_again(history: HealthHistory) -> None:
    history.write_profile(DAY, profile(day(rows=20)), "abc")
    path = history.root / "profiles" / "2026-01-12.json"
    path.write_text(path.read_text().replace('"format":1', '"format":0'))
    assert history.profile(DAY, FEATURES) is None


def test_a_record_of_a_model_that_was_not_pushed_is_one_too(history: HealthHistory) -> None:
    record = replace(healthy("2026-01-12"), version="", features=(), scores=())
    history.write_day(record)
    assert _as_json(history.days()) == _as_json([record])


def _as_json(records: Sequence[DayRecord]) -> list[str]:
    """Records have undefined metrics, and NaN is not equal to itself."""
    return [record.to_json() for record in records]
