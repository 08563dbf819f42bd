"""What a day starts from, decided only from manifests."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ranker.config.retraining import Retraining
from ranker.registry.manifest import Lineage, Manifest
from ranker.registry.plan import StartPlan, read_plan, write_plan
from ranker.registry.rollback import roll_back
from ranker.registry.start import find_parent, make_plan
from tests.ranker.registry.test_versions import push

DAY = date(2026, 3, 9)
PARTS = {"features": "f1", "towers": "t1"}
LINEAGE = Lineage(start="warm", parent="3", forest_day="2026-03-05", fisher=True, parts=PARTS)
WEEKLY = Retraining(start="warm", refit_forest_days=7, most_unseen_days=2)


def push_model(root: Path, version: str, eval_day: str, lineage: Lineage | None = LINEAGE) -> None:
    manifest = Manifest(eval_day=eval_day, training_fingerprint=f"training for {eval_day}", lineage=lineage)
    push(root, version, manifest.to_json())


def plan(root: Path, retraining: Retraining = WEEKLY, parts: dict[str, str] = PARTS, version: str = "") -> StartPlan:
    return make_plan(str(root), DAY, retraining, parts, version)


def test_the_next_day_continues_from_the_day_before(tmp_path: Path) -> None:
    push_model(tmp_path, "7", "2026-03-08")
    assert plan(tmp_path) == StartPlan(
        start="warm",
        reason="continues from version 7 of 2026-03-08, on the forest of 2026-03-05",
        parent="7",
        train_days=1,
        forest_day="2026-03-05",
        refresh_forest=True,
        replay_days=2,
        parent_training="training for 2026-03-08",
        added_rounds=15,
        added_learning_rate_fraction=1.0,
    )
    assert plan(tmp_path, replace(WEEKLY, start="incremental")).start == "incremental"


def test_refresh_and_replay_can_be_disabled(tmp_path: Path) -> None:
    push_model(tmp_path, "7", "2026-03-08")
    found = plan(tmp_path, replace(WEEKLY, refresh_forest=False, replay_days=0))
    assert (found.start, found.refresh_forest, found.replay_days) == ("warm", False, 0)
    assert found.added_rounds == 0
    assert plan(tmp_path, replace(WEEKLY, added_rounds=7)).added_rounds == 7
    found = plan(tmp_path, replace(WEEKLY, start="cold"))
    assert (found.refresh_forest, found.replay_days) == (False, 0)


def test_all_days_that_the_parent_has_not_seen_are_trained_on(tmp_path: Path) -> None:
    push_model(tmp_path, "7", "2026-03-07")
    assert plan(tmp_path).train_days == 2
    assert plan(tmp_path, replace(WEEKLY, most_unseen_days=1)).reason == "version 7 of 2026-03-07 is 2 days behind"


@pytest.mark.parametrize(
    ("retraining", "lineage", "parts", "reason"),
    [
        (replace(WEEKLY, start="cold"), LINEAGE, PARTS, "retraining.start is cold"),
        (replace(WEEKLY, refit_forest_days=4), LINEAGE, PARTS, "the forest of version 7 is 4 days old, and is due"),
        (WEEKLY, LINEAGE, {**PARTS, "towers": "t2"}, "changed since version 7: towers"),
        (WEEKLY, LINEAGE, {"towers": "t2"}, "changed since version 7: features, towers"),
        (WEEKLY, None, PARTS, "version 7 has no state to continue training from"),
        (
            replace(WEEKLY, start="incremental"),
            replace(LINEAGE, fisher=False),
            PARTS,
            "7 has no Fisher information",
        ),
    ],
)
def test_a_cold_start_says_why(
    tmp_path: Path, retraining: Retraining, lineage: Lineage | None, parts: dict[str, str], reason: str
) -> None:
    push_model(tmp_path, "7", "2026-03-08", lineage)
    found = plan(tmp_path, retraining, parts)
    assert found.is_cold
    assert reason in found.reason
    assert (found.parent, found.train_days, found.forest_day) == ("", None, "")


def test_the_forest_is_refitted_on_the_day_that_it_is_due(tmp_path: Path) -> None:
    push_model(tmp_path, "7", "2026-03-08")
    assert plan(tmp_path, replace(WEEKLY, refit_forest_days=5)).start == "warm"
    assert plan(tmp_path, replace(WEEKLY, refit_forest_days=4)).is_cold


def test_the_parent_is_the_newest_version_for_an_earlier_day(tmp_path: Path) -> None:
    """Not the version that the same day pushed before, and not one of a later day."""
    assert find_parent(str(tmp_path / "nowhere"), DAY) is None
    push_model(tmp_path, "7", "2026-03-07")
    push_model(tmp_path, "8", "2026-03-08")
    push_model(tmp_path, "9", "2026-03-09")
    push_model(tmp_path, "10", "2026-03-10")
    push(tmp_path, "11", "not json")
    assert find_parent(str(tmp_path), DAY) == "8"
    assert plan(tmp_path).parent == "8"
    # After a rollback the next day continues from the republished model.
    push_model(tmp_path, "12", "2026-03-07")
    assert plan(tmp_path).parent == "12"
    assert plan(tmp_path).train_days == 2


def test_a_withdrawn_model_is_not_continued_from(tmp_path: Path) -> None:
    """Though its version stays at the destination, and though the serving copy is of a day that is not before."""
    for version, day in (("5", "2026-03-07"), ("6", "2026-03-09"), ("7", "2026-03-08")):
        push_model(tmp_path, version, day)
    roll_back(str(tmp_path))  # 7 is withdrawn, and 6 serves again
    assert find_parent(str(tmp_path), DAY) == "5"


def test_the_days_of_the_parent_are_part_of_the_plan(tmp_path: Path) -> None:
    days = ["2026-03-05", "2026-03-06"]
    manifest = Manifest(eval_day="2026-03-08", training_fingerprint="t", lineage=LINEAGE, trained_days=days)
    push(tmp_path, "7", manifest.to_json())
    assert plan(tmp_path).parent_days == ("2026-03-05", "2026-03-06")
    assert plan(tmp_path, version="none").parent_days == ()


def test_a_version_or_a_cold_start_can_be_requested(tmp_path: Path) -> None:
    push_model(tmp_path, "7", "2026-03-07")
    push_model(tmp_path, "8", "2026-03-08")
    push_model(tmp_path, "9", "2026-03-09")
    assert plan(tmp_path, version="7").parent == "7"
    assert plan(tmp_path, version="none").reason == "a cold start was requested"
    assert plan(tmp_path, version="9").reason == "version 9 was trained for 2026-03-09, which is not before 2026-03-09"


def test_without_a_model_the_start_is_cold(tmp_path: Path) -> None:
    assert plan(tmp_path).reason == "no model has been pushed for a day before 2026-03-09"
    push(tmp_path, "99", '{"format": 3}')
    assert plan(tmp_path).reason == (
        "no model has been pushed for a day before 2026-03-09; the manifest of version 99 is missing, damaged or of a "
        "newer version of this project"
    )


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    push_model(tmp_path / "serving", "7", "2026-03-08")
    for written in (plan(tmp_path / "serving"), plan(tmp_path / "serving", version="none")):
        write_plan(str(tmp_path), written)
        assert read_plan(str(tmp_path)) == written
        assert read_plan(tmp_path.as_uri()) == written
