"""BatchScorer: the day's folder goes to the folder of its scores, with the newest pushed model."""

from pathlib import Path
from typing import Any

import pytest

from components.batch_scorer import executor as module
from components.batch_scorer.component import BatchScorer
from components.batch_scorer.executor import Executor


@pytest.mark.parametrize("day", ["2026-03-09", "[[ScheduledTime]]|2026-03-10T00:30:00Z[UTC][days-before=1]"])
def test_the_day_is_scored_into_its_own_folder(day: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        module, "score_with_beam", lambda make, *places, **options: called.append((make, *places, options))
    )
    scorer = Executor()
    properties = {"push_destination": "gs://b/models", "feed_log": str(tmp_path), "day": day, "scores": "gs://b/scores"}
    scorer.Do({}, {}, properties)
    assert called == [
        (
            scorer._make_beam_pipeline,
            *("gs://b/models", str(tmp_path / "day-2026-03-09"), "gs://b/scores/day-2026-03-09"),
            {"replace": True},
        )
    ]


def test_the_component_passes_its_places_on() -> None:
    component = BatchScorer(push_destination="models", feed_log="log", day="2026-03-09", scores="scores")
    assert component.EXECUTOR_SPEC.executor_class is Executor
    passed = {name: component.exec_properties[name] for name in ("push_destination", "feed_log", "day", "scores")}
    assert passed == {"push_destination": "models", "feed_log": "log", "day": "2026-03-09", "scores": "scores"}
    assert len(component.exec_properties["code_fingerprint"]) == 16
    assert component.READS_BEYOND_INPUTS
