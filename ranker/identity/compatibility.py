"""What must be unchanged for a training to continue from an earlier one."""

from ranker.config.documents import to_json
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.identity.code import code_fingerprint
from ranker.identity.digest import short_digest


def warm_start_parts(config: PipelineConfig, schema: str) -> dict[str, str]:
    """Readable name → digest of each part.

    The parts determine the features, the meaning of a leaf, and the set of weights. Utility weights, gates, slices and
    the towers' training settings may change from one day to the next.

    The code of Transform includes the kinds of columns with their conversions, as a feature means what a conversion
    makes of the log.

    Args:
        config: the pipeline's.
        schema: the text of its curated schema.
    """
    parts = {
        "objectives": "\0".join(map(_meaning, config.objectives)),
        "features": to_json(config.features),
        "keys": to_json(config.keys),
        "rows.weight": str(config.rows.is_weighted),
        "forest": to_json(config.forest),
        "towers": to_json(config.towers),
        "examination": to_json((config.examination, config.exploration if config.examination else None)),
        "schema": schema,
        "the code of Transform": code_fingerprint("ranker.features.preprocessing", "ranker.features.representation"),
        "the code of the towers": code_fingerprint("ranker.towers.isotonic", "ranker.towers.network"),
        "the code that saves a model's state": code_fingerprint(
            "ranker.forest.model", "ranker.export.training_state", "ranker.towers.state"
        ),
    }
    if config.features.history:
        parts["the code of histories"] = code_fingerprint("ranker.histories.building")
        if config.rows.where:
            # They say which rows histories are of.
            parts["rows.where"] = to_json(config.rows.where)
    return {name: short_digest((part,)) for name, part in parts.items()}


def _meaning(objective: Objective) -> str:
    """What a prediction of the objective is of; the column of the label only where it has another name."""
    column = f":{objective.column}" if objective.source != objective.name else ""
    return f"{objective.name}:{objective.tower}{column}"
