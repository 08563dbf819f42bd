"""Trainings in other processes, with predictions stored on disk."""

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from ranker.config.documents import to_json
from research.studies import preparing, running
from research.studies.running import VariantTraining, run
from tests.research.studies.tiny import CONFIG, prepared

pytestmark = pytest.mark.slow


def written(folder: Path) -> Path:
    """A tiny day as `prepare` writes it."""
    day = prepared()
    day.forest.save(str(folder / "forest"))
    day.before_calibration.save(str(folder / "forest-before-calibration"))
    for name, rows, leaves in zip(("train", "test"), (day.day.train, day.day.test), day.leaves, strict=True):
        arrays: dict[str, Any] = {f"towers.{tensor}": values for tensor, values in rows.towers.items()}
        np.savez(folder / f"{name}.npz", leaves=leaves, labels=rows.labels, buckets=rows.buckets, **arrays)
    (folder / "config.json").write_text(to_json(CONFIG))
    (folder / "done").write_text("2026-01-02")
    return folder


def test_what_was_predicted_is_not_predicted_again(tmp_path: Path) -> None:
    day = written(tmp_path)
    assert preparing.load(day).day.test.labels.shape == (4_000, 2)
    trainings = [VariantTraining("dense", "feed", "none, × 1", day, seed, CONFIG) for seed in (1, 2)]
    found = run(trainings, tmp_path, 2, Console(quiet=True))
    assert [found[training].shape for training in trainings] == 2 * [(4_000, 2)]
    assert np.abs(found[trainings[0]] - found[trainings[1]]).max() > 1e-3
    # Without processes nothing can be trained, so these predictions are the stored ones.
    again = run(trainings, tmp_path, 0, Console(quiet=True))
    np.testing.assert_array_equal(again[trainings[1]], found[trainings[1]])


def test_code_that_is_edited_while_a_run_trains_does_not_lose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits = count()
    monkeypatch.setattr(running, "code_fingerprint", lambda *modules: str(next(edits)))
    training = VariantTraining("dense", "feed", "none, × 1", written(tmp_path), 1, CONFIG)
    assert run([training], tmp_path, 1, Console(quiet=True))[training].shape == (4_000, 2)
