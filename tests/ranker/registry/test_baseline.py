from datetime import date
from pathlib import Path

import pytest

from ranker.registry.baseline import BaselineChoice, choose_baseline, trained_on
from ranker.registry.manifest import Manifest
from ranker.registry.rollback import roll_back
from tests.ranker.registry.test_versions import of_training, push

DAY = date(2026, 3, 9)


def trained(eval_day: str, training: str, *days: str) -> str:
    return Manifest(eval_day=eval_day, training_fingerprint=training, trained_days=list(days)).to_json()


def choose(root: Path, own: str = "") -> BaselineChoice:
    return choose_baseline(str(root), DAY, own)


def test_before_the_first_push_there_is_none(tmp_path: Path) -> None:
    assert choose(tmp_path) == BaselineChoice(None, "")
    assert choose(tmp_path / "nowhere") == BaselineChoice(None, "")


@pytest.mark.parametrize("eval_day", ["2026-03-08", "2026-03-09"])
def test_the_serving_model_is_the_baseline_if_it_did_not_see_the_day(tmp_path: Path, eval_day: str) -> None:
    """Also if the day is its own: a refit is compared with the model that it is to replace."""
    push(tmp_path, "1", trained("2026-03-07", "saturday"))
    push(tmp_path, "2", trained(eval_day, "other"))
    assert choose(tmp_path, "refit") == BaselineChoice("2", "")


def test_a_day_that_was_trained_on_has_the_newest_baseline_that_did_not_see_it(tmp_path: Path) -> None:
    for version, day in (("1", "07"), ("2", "08"), ("3", "10"), ("4", "11")):
        push(tmp_path, version, trained(f"2026-03-{day}", day))
    assert choose(tmp_path) == BaselineChoice("2", "version 4, which is newer, was trained on 2026-03-09")


def test_if_every_model_saw_the_day_there_is_none_and_the_reason_says_so(tmp_path: Path) -> None:
    push(tmp_path, "3", trained("2026-03-10", "a"))
    push(tmp_path, "4", trained("2026-03-11", "b"))
    assert choose(tmp_path) == BaselineChoice(
        None, "version 4 was trained on 2026-03-09, and there is no earlier version that was not"
    )


def test_a_day_that_came_late_was_not_trained_on(tmp_path: Path) -> None:
    """The serving model is of a later day, but its feed log had no such day."""
    push(tmp_path, "1", trained("2026-03-08", "a", "2026-03-06", "2026-03-07"))
    push(tmp_path, "2", trained("2026-03-11", "b", "2026-03-06", "2026-03-07", "2026-03-08", "2026-03-10"))
    assert choose(tmp_path) == BaselineChoice("2", "")


def test_a_repeated_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    push(tmp_path, "1", trained("2026-03-08", "sunday"))
    push(tmp_path, "2", trained("2026-03-09", "own"))
    push(tmp_path, "3", trained("2026-03-09", "own"))
    assert choose(tmp_path, "own") == BaselineChoice("1", "")


def test_a_withdrawn_model_is_no_baseline(tmp_path: Path) -> None:
    push(tmp_path, "1", trained("2026-03-07", "saturday"))
    push(tmp_path, "2", trained("2026-03-08", "sunday"))
    copy = roll_back(str(tmp_path)).version
    assert choose(tmp_path) == BaselineChoice(copy, "")
    # The copy and its original are of one training, and what remains is withdrawn.
    assert choose(tmp_path, "saturday") == BaselineChoice(None, "")
    push(tmp_path, str(int(copy) + 1), trained("2026-03-10", "tuesday"))
    assert choose(tmp_path).version == copy


@pytest.mark.parametrize("manifest", [None, "{}", of_training("stock")])
def test_a_model_that_does_not_say_its_day_counts_as_not_trained_on_it(tmp_path: Path, manifest: str | None) -> None:
    push(tmp_path, "1", manifest)
    assert choose(tmp_path) == BaselineChoice("1", "")


@pytest.mark.parametrize(
    ("eval_day", "days", "expected"),
    [
        ("2026-03-09", (), False),
        ("2026-03-10", (), True),
        ("2026-03-10", ("2026-03-08",), False),
        ("2026-03-10", ("2026-03-09",), True),
        ("2026-03-08", (), False),
        ("", (), False),
    ],
)
def test_trained_on(eval_day: str, days: tuple[str, ...], expected: bool) -> None:
    assert trained_on(Manifest(eval_day=eval_day, trained_days=list(days)), DAY) is expected
