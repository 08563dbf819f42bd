"""A version whose random effects were updated after its training: what it is to the registry."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ranker.registry.baseline import choose_baseline
from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import FittedEffects, Manifest
from ranker.registry.publishing import find_published
from ranker.registry.rollback import roll_back
from ranker.registry.same_model import StoredModel, same_model
from ranker.registry.withdrawal import read_withdrawals

MONDAY = Manifest(training_fingerprint="monday", eval_day="2026-03-02", trained_days=["2026-03-01"])
FITTED = FittedEffects("settings", 1, ["2026-03-01"], 10, {"viewer_id": 3})
UPDATED = replace(FITTED, days=["2026-03-01", "2026-03-02"], update="u1")


def _push(destination: Path, version: str, manifest: Manifest, weights: str) -> str:
    folder = destination / version
    (folder / "variables").mkdir(parents=True)
    (folder / MANIFEST).parent.mkdir()
    (folder / MANIFEST).write_text(manifest.to_json())
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text(weights)
    return str(folder)


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    """A model, and the same model with updated effects."""
    _push(tmp_path / "models", "100", replace(MONDAY, effects=FITTED), "first")
    _push(tmp_path / "models", "200", replace(MONDAY, effects=UPDATED), "updated")
    return tmp_path / "models"


def test_effects_survive_the_manifest_and_older_ones_have_none() -> None:
    manifest = replace(MONDAY, effects=UPDATED)
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert Manifest.from_json(MONDAY.to_json()).effects is None


def test_an_update_is_another_model_of_the_same_training(pushed: Path) -> None:
    first, updated = StoredModel(str(pushed / "100")), StoredModel(str(pushed / "200"))
    assert first.training == "monday"
    assert not same_model(first, updated)
    assert same_model(updated, StoredModel(str(pushed / "200")))


def test_a_rollback_returns_to_the_effects_before_and_withdraws_the_update_alone(pushed: Path) -> None:
    done = roll_back(str(pushed))
    assert (done.republishes, done.instead_of) == ("100", "200")
    withdrawn = read_withdrawals(str(pushed))
    assert withdrawn.of(StoredModel(str(pushed / "200"))) is not None
    assert withdrawn.of(StoredModel(str(pushed / "100"))) is None


def test_a_repeated_push_does_not_replace_an_update(pushed: Path, tmp_path: Path) -> None:
    again = _push(tmp_path / "made", "1", replace(MONDAY, effects=FITTED), "first")
    assert find_published(again, str(pushed)) == "200"
    roll_back(str(pushed))
    assert find_published(again, str(pushed)) not in (None, "200")
    tuesday = _push(tmp_path / "made", "2", replace(MONDAY, training_fingerprint="tuesday"), "other")
    assert find_published(tuesday, str(pushed)) is None


def test_effects_of_the_held_out_day_are_no_baseline(pushed: Path) -> None:
    assert choose_baseline(str(pushed), date(2026, 3, 2), "tuesday").version == "100"
    assert choose_baseline(str(pushed), date(2026, 3, 3), "tuesday").version == "200"
    assert choose_baseline(str(pushed), date(2026, 3, 3), "monday").version is None
