"""The compared models: each maps a held-out day and a seed to probabilities [test rows, objectives].

All read the same features; all models on leaves, except the former setup, use the same forest.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ranker.config.documents import to_json
from ranker.config.pipeline import PipelineConfig
from ranker.identity.code import code_fingerprint
from research.quality.classics import former_setup, tuned_former_setup, tuned_xgboost, xgboost_per_objective
from research.quality.experts.models import Kind, predicted, tuned
from research.quality.names import FORMER, OURS, TWO_TOWERS, XGBOOST
from research.quality.networks import joint_network, network_per_objective, ours, towers_alone
from research.quality.rows import HeldOutDay, Probabilities

_ROWS = "research.quality.rows"
_NETWORKS = ("ranker.forest", "ranker.towers", "research.quality.networks", "research.quality.towers")
_CLASSICS = ("research.quality.classics",)
_EXPERTS = ("research.quality.experts",)  # with train.py, which nothing imports, and its requirements


@dataclass(frozen=True)
class ComparedModel:
    """A model, and the code and config that its predictions depend on, so that no predictions are computed twice.

    Attributes:
        predict: held-out day, seed, and settings if it has any → probabilities float32 [test rows, objectives].
        code: the modules that it runs.
        reads: config → the parts that it uses.
        tune: held-out day → the best settings on held-out viewers of the training days, as JSON values, for all
            seeds; None if there are no settings.
    """

    predict: Callable[..., Probabilities]
    code: tuple[str, ...]
    reads: Callable[[PipelineConfig], tuple[object, ...]]
    tune: Callable[[HeldOutDay], Any] | None = None

    def fingerprint(self, day: HeldOutDay) -> str:
        """A fingerprint of everything that its predictions of the day depend on."""
        return self._hash(day.config, day.digest)

    def recipe(self, config: PipelineConfig) -> str:
        """A fingerprint of everything that its predictions depend on, except the rows."""
        return self._hash(config)

    def _hash(self, config: PipelineConfig, *rows: str) -> str:
        parts = (to_json(part) for part in self.reads(config))
        text = "\0".join((*rows, *config.objective_names, *parts, code_fingerprint(*self.code, _ROWS)))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _all(config: PipelineConfig) -> tuple[object, ...]:
    return config.features, config.forest, config.towers, config.training


def _labels_alone(config: PipelineConfig) -> tuple[object, ...]:
    return (
        *(config.features, config.forest),
        *(
            replace(config.towers, forest_share=0.0),
            replace(config.training, distillation=0.0, distillation_half_positives=None),
        ),
    )


def _forest(config: PipelineConfig) -> tuple[object, ...]:
    return config.features, config.forest


def features_alone(config: PipelineConfig) -> tuple[object, ...]:
    """The parts of the config for a model that uses the features only, without our forest and towers."""
    # The share of viewers for choosing settings is in the forest's config.
    return config.features, config.forest.validation_fraction


def _network_of(kind: Kind) -> ComparedModel:
    return ComparedModel(partial(predicted, kind), _EXPERTS, features_alone, partial(tuned, kind))


MODELS = {
    OURS: ComparedModel(ours, _NETWORKS, _all),
    TWO_TOWERS: ComparedModel(towers_alone, _NETWORKS, _labels_alone),
    "joint network": ComparedModel(joint_network, _NETWORKS, _labels_alone),
    "network per objective": ComparedModel(network_per_objective, _NETWORKS, _labels_alone),
    XGBOOST: ComparedModel(xgboost_per_objective, _CLASSICS, features_alone, tuned_xgboost),
    FORMER: ComparedModel(former_setup, ("ranker.forest", *_CLASSICS), _forest, tuned_former_setup),
    "MMoE": _network_of("mmoe"),
    "PLE": _network_of("ple"),
    "DCN v2": _network_of("dcn"),
    "TabM": _network_of("tabm"),
}
