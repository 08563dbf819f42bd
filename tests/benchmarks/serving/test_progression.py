"""The source's progression, on a network as the pipeline makes it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks.serving.progression import figures, progression
from benchmarks.serving.sessions import Workshop
from ranker.towers.inputs import TowerInputs, calibration_keys, category_codes
from tests.research.studies.tiny import CONFIG, NUMERIC, prepared

pytestmark = pytest.mark.slow


def tiny_workshop() -> Workshop:
    forest = prepared().forest
    codes = calibration_keys(CONFIG.features, CONFIG.towers), category_codes(CONFIG.features, CONFIG.towers)
    inputs = TowerInputs(forest.trees, forest.leaves, len(NUMERIC), {"content": 3}, *codes)
    made: Any = SimpleNamespace(config=CONFIG, forest=forest, inputs=lambda forest: inputs)
    return cast("Workshop", made)


def test_every_stage_runs_through_the_network_and_is_timed() -> None:
    stages = progression(tiny_workshop(), quick=True)

    assert [stage.name for stage in stages] == [
        "string features",
        "leaves as a sparse tensor",
        "leaves as a dense tensor",
        "leaves as one byte a tree",
    ]
    assert all(stage.conversion > 0 and stage.whole > 0 for stage in stages)
    conversion, whole = figures(stages)
    assert conversion.ours == 1000 * stages[-1].conversion
    assert whole.rival == 1000 * stages[0].whole
