"""The columns that an evaluation reads, and TFMA's config for it."""

from components.evaluator.eval_config import EvaluationSpec, eval_config
from components.evaluator.impressions import impression_schema
from ranker.config.gates import Gates
from ranker.evaluation.session_sums import UtilityWeights

SETTINGS = EvaluationSpec(
    UtilityWeights({"click": 1.0}, k=10),
    "viewer",
    "session",
    (("device",), ("device", "country")),
    Gates(),
    compared=("click",),
)


def test_only_what_is_needed_is_decoded() -> None:
    names = [feature.name for feature in impression_schema(SETTINGS).feature]
    assert names == ["click", "viewer", "session", "device", "country"]


def test_tfmas_config_has_both_models_and_all_slices() -> None:
    config = eval_config(SETTINGS)
    assert [(spec.name, spec.is_baseline) for spec in config.model_specs] == [("candidate", False), ("baseline", True)]
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[], ["device"], ["device", "country"]]
