"""The part of a training's identity that is known before any data: its config, schema and code."""

from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.identity.digest import short_digest


def recipe_fingerprint(config: PipelineConfig, schema: str, code: str) -> str:
    """A fingerprint of everything that shapes a model, except the data and what the training starts from.

    Gates, slices, monitoring and where components run are excluded: they do not change the model itself.

    Args:
        config: the pipeline's.
        schema: the text of its curated schema.
        code: fingerprint of the code of the components that make the model.
    """
    shaping = (
        *(config.features, config.keys, config.forest, config.towers),
        *(config.training, config.retraining, config.utility, config.serving),
    )
    return short_digest(
        (
            config.name,
            *(to_json(part) for part in shaping),
            *(to_json(objective) for objective in config.objectives),
            to_json((config.examination, config.exploration if config.examination else None)),
            *([to_json(config.effects.in_one_process)] if config.effects else []),
            to_json(config.rows),
            str(config.train_days),
            schema,
            code,
        )
    )


def judging_fingerprint(config: PipelineConfig) -> str:
    """A fingerprint of the settings that decide whether a model is blessed, and do not shape it.

    Args:
        config: the pipeline's.
    """
    return short_digest((to_json(config.gates), to_json(config.slices)))
