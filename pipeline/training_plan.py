"""What is known of a day's training before it runs: its recipe, and what it starts from; needs no TFX."""

from datetime import date
from pathlib import Path

from ranker.config.pipeline import PipelineConfig
from ranker.effects.settings import effect_settings
from ranker.feed_log.layout import window_days
from ranker.identity.code import code_fingerprint
from ranker.identity.compatibility import warm_start_parts
from ranker.identity.recipe import recipe_fingerprint
from ranker.registry.effects_plan import EffectsPlan, plan_effects
from ranker.registry.plan import StartPlan
from ranker.registry.start import make_plan

PROJECT_ROOT = Path(__file__).resolve().parent.parent

MODEL_MAKERS = (
    "components.feed_log_gen.executor",
    "components.schema_importer.executor",
    "components.transform.executor",
    "ranker.features.preprocessing",
    "components.forest_trainer.executor",
    "components.leaf_encoder.executor",
    "components.tower_trainer.executor",
)
"""The code that a model depends on; that of gates, reports and publishing is not included."""

EFFECTS_MAKERS = ("ranker.export.effect_rows", "ranker.export.effects_beam", "ranker.export.fitted_effects")
"""The same of random effects."""


def plan_start(config: PipelineConfig, push_destination: str, day: date, refit: bool = False) -> StartPlan:
    """TrainingStart's decision for a day, for a runner that needs it before the pipeline runs.

    Args:
        config: the pipeline's.
        push_destination: path or URI of the folder of versions.
        day: the day held out.
        refit: start cold, whatever the cadence is.
    """
    if refit:
        return StartPlan("cold", "a refit was requested")
    return make_plan(push_destination, day, config.retraining, parts_of(config))


def plan_fit(config: PipelineConfig, push_destination: str, day: date) -> EffectsPlan | None:
    """The pushed versions that a fit of random effects for a day reads; None for a config without effects."""
    if config.effects is None:
        return None
    before = window_days(day, config.train_days)[:-1]
    settings = effect_settings(config.effects, config.objective_names)
    features = config.features
    columns = (*features.names_read, *features.exposure_names, *config.effects.columns)
    return plan_effects(push_destination, day, before, settings, config.objective_names, columns, features)


def recipe(config: PipelineConfig) -> str:
    """The fingerprint of config, schema and code of a training, as `ranker.identity.recipe` makes it."""
    makers = (*MODEL_MAKERS, *(EFFECTS_MAKERS if config.effects else ()))
    return recipe_fingerprint(config, schema_text(config), code_fingerprint(*makers))


def parts_of(config: PipelineConfig) -> dict[str, str]:
    """The parts that a warm start requires to be unchanged; see `ranker.identity.compatibility`."""
    return warm_start_parts(config, schema_text(config))


def schema_text(config: PipelineConfig) -> str:
    """The content of the config's curated schema."""
    return (PROJECT_ROOT / config.schema).read_text()
