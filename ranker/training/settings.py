"""The parts of a config that each step of a training depends on."""

import json
from typing import Any

from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.training.towers import MANIFEST_PARTS, TowerSettings


def transform_config(config: PipelineConfig) -> dict[str, Any]:
    """The `custom_config` of `ranker.features.preprocessing.preprocessing_fn`."""
    return {
        "features": to_json(config.features),
        "keys": to_json(config.example_keys),
        "objectives": list(config.objective_names),
        "categorical_input": config.towers.categorical_embedding_size > 0,
        "calibrated_by": config.towers.isotonic.by if config.towers.isotonic else None,
        "examination": to_json(config.examination) if config.examination else None,
        "randomised": config.exploration.randomised if config.exploration else None,
        "weighted": config.rows.is_weighted,
    }


def settings_of(config: PipelineConfig) -> TowerSettings:
    """What fitting and exporting the towers depends on."""
    return TowerSettings(
        objectives=config.objectives,
        features=config.features,
        towers=config.towers,
        training=config.training,
        retraining=config.retraining,
        utility=config.utility,
        serving=config.serving,
        examination=config.examination,
        effects=config.effects,
    )


def manifest_config(config: PipelineConfig) -> dict[str, Any]:
    """The config parts of the manifest, each as JSON values; a part that is None is left out."""
    parts = {name: getattr(config, name) for name in MANIFEST_PARTS}
    return {name: json.loads(to_json(part)) for name, part in parts.items() if part is not None}
