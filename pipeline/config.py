"""The config types in one place, for pipeline_config.py; see the files of `ranker/config` for each.

Example:
    >>> from pipeline.config import Forest
    >>> Forest(trees=90, depth=3).learning_rate
    0.1
"""

from ranker.config.columns import (
    Categorical,
    DenseEmbedding,
    EmbeddingHistory,
    Exposure,
    Features,
    HashedId,
    History,
    Keys,
    MultiValued,
    Numeric,
)
from ranker.config.effects import EffectLevel, Effects
from ranker.config.examination import Examination
from ranker.config.exploration import Exploration
from ranker.config.forest import Dask, Forest
from ranker.config.gates import Gate, Gates, UtilityGate
from ranker.config.kubeflow import Kubeflow, Notification, Resources, Secret, Volume
from ranker.config.monitoring import Monitoring
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.retention import Retention
from ranker.config.retraining import Retraining
from ranker.config.rows import Rows
from ranker.config.serving import Serving
from ranker.config.timestamps import Timestamps
from ranker.config.towers import Isotonic, Towers
from ranker.config.tradeoff import Guardrail, SearchSpace, TradeOff
from ranker.config.training import IdTables, Sampling, Training
from ranker.config.utility import Utility
from ranker.config.validation import Validation

__all__ = [
    "Categorical",
    "Dask",
    "DenseEmbedding",
    "EffectLevel",
    "Effects",
    "EmbeddingHistory",
    "Examination",
    "Exploration",
    "Exposure",
    "Features",
    "Forest",
    "Gate",
    "Gates",
    "Guardrail",
    "HashedId",
    "History",
    "IdTables",
    "Isotonic",
    "Keys",
    "Kubeflow",
    "Monitoring",
    "MultiValued",
    "Notification",
    "Numeric",
    "Objective",
    "PipelineConfig",
    "Resources",
    "Retention",
    "Retraining",
    "Rows",
    "Sampling",
    "SearchSpace",
    "Secret",
    "Serving",
    "Timestamps",
    "Towers",
    "TradeOff",
    "Training",
    "Utility",
    "UtilityGate",
    "Validation",
    "Volume",
]
