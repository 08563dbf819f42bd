"""What changes the identity of a training and what does not."""

from dataclasses import replace
from datetime import date

import pytest

from pipeline_config import FEED
from ranker.config.examination import Examination
from ranker.config.exploration import Exploration
from ranker.config.forest import Forest
from ranker.config.gates import Gate, Gates
from ranker.config.monitoring import Monitoring
from ranker.config.pipeline import PipelineConfig
from ranker.config.retention import Retention
from ranker.config.retraining import Retraining
from ranker.config.serving import Serving
from ranker.config.training import Training
from ranker.config.utility import Utility
from ranker.identity.recipe import recipe_fingerprint
from ranker.identity.training import TrainingIdentity, identify

WARM = TrainingIdentity("2026-03-09", "c0de", "da7a", "warm", "beef")
SCHEMA = "feature { name: 'a' }"


@pytest.mark.parametrize(
    "other",
    [
        replace(WARM, day="2026-03-10"),
        replace(WARM, recipe="c0df"),
        replace(WARM, data="da7b"),
        replace(WARM, start="incremental"),
        replace(WARM, parent="beee"),
        replace(WARM, start="cold", parent=""),
    ],
)
def test_every_part_changes_the_fingerprint(other: TrainingIdentity) -> None:
    assert other.fingerprint != WARM.fingerprint
    assert len(other.fingerprint) == 16


def test_a_cold_start_has_no_parent() -> None:
    day = date(2026, 3, 9)
    assert identify(day, "c0de", "da7a", "cold", "beef") == identify(day, "c0de", "da7a", "cold")
    assert identify(day, "c0de", "da7a", "warm", "beef") == WARM


@pytest.mark.parametrize(
    "config",
    [
        replace(FEED, forest=Forest(trees=12)),
        replace(FEED, training=Training(seed=2)),
        replace(FEED, retraining=Retraining(replay_days=0)),
        replace(FEED, serving=Serving(leaf_table="int8")),
        replace(FEED, utility=Utility(alpha=0.4)),
        replace(FEED, exploration=Exploration(), examination=Examination(by=("device",))),
        replace(FEED, objectives=(replace(FEED.objectives[0], utility_weight=9.0), *FEED.objectives[1:])),
        replace(FEED, train_days=3),
        replace(FEED, name="another"),
    ],
)
def test_settings_that_shape_a_model_are_in_the_recipe(config: PipelineConfig) -> None:
    assert recipe_fingerprint(config, SCHEMA, "c0de") != recipe_fingerprint(FEED, SCHEMA, "c0de")


def test_schema_and_code_are_in_the_recipe() -> None:
    recipes = {recipe_fingerprint(FEED, schema, code) for schema in (SCHEMA, "") for code in ("c0de", "c0df")}
    assert len(recipes) == 4


@pytest.mark.parametrize(
    "config",
    [
        replace(FEED, tradeoff=None),
        replace(FEED, gates=Gates(objective=Gate(min_auc=0.9))),
        replace(FEED, slices=()),
        replace(FEED, monitoring=Monitoring(drift=0.2)),
        replace(FEED, retention=Retention(models=3)),
        replace(FEED, beam_pipeline_args=("--direct_num_workers=2",)),
    ],
)
def test_gates_monitoring_and_runners_are_not_in_the_recipe(config: PipelineConfig) -> None:
    assert recipe_fingerprint(config, SCHEMA, "c0de") == recipe_fingerprint(FEED, SCHEMA, "c0de")
