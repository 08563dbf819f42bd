"""The component's parameters contain its part of the config and a fingerprint of its code."""

import json
from dataclasses import replace

import pytest
from tfx.components import Pusher
from tfx.proto import pusher_pb2
from tfx.types import channel, standard_artifacts

from components.evaluator import component as module
from components.evaluator.component import Evaluator
from ranker.config.columns import Categorical, Features
from ranker.config.documents import from_json
from ranker.config.forest import Forest
from ranker.config.gates import Gate, Gates
from ranker.config.objectives import Objective
from ranker.config.pipeline import PipelineConfig
from ranker.config.utility import Utility
from ranker.evaluation.session_sums import UtilityWeights

CONFIG = PipelineConfig(
    name="small",
    objectives=(Objective("click", "passive"), Objective("share", "active", utility_weight=3.0)),
    features=Features(numeric=("age",), categorical=(Categorical("device"), Categorical("country"))),
    schema="schemas/small.pbtxt",
    slices=(("device",), ("device", "country")),
    gates=Gates(overrides={"share": Gate(min_auc=0.6)}),
    utility=Utility(alpha=0.25, k=5),
)


def _evaluator(config: PipelineConfig = CONFIG) -> Evaluator:
    return Evaluator(
        examples=channel.Channel(type=standard_artifacts.Examples),
        model=channel.Channel(type=standard_artifacts.Model),
        baseline_model=channel.Channel(type=standard_artifacts.Model),
        config=config,
    )


def test_its_parameters_are_its_part_of_the_config() -> None:
    parameters = _evaluator().exec_properties
    assert from_json(UtilityWeights, parameters["utility"]) == UtilityWeights({"click": 0.25, "share": 2.25}, k=5)
    assert json.loads(parameters["slices"]) == [["device"], ["device", "country"]]
    assert from_json(Gates, parameters["gates"]) == CONFIG.gates
    assert (parameters["viewer_key"], parameters["session_key"]) == ("viewer_id", "session_id")


def test_only_what_it_uses_reaches_its_cache_key(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = _evaluator().exec_properties
    assert _evaluator(replace(CONFIG, forest=Forest(trees=10))).exec_properties == parameters
    assert _evaluator(replace(CONFIG, gates=Gates())).exec_properties != parameters
    assert _evaluator(replace(CONFIG, utility=Utility())).exec_properties != parameters
    monkeypatch.setattr(module, "code_fingerprint", lambda *modules: "changed")
    assert _evaluator().exec_properties != parameters


def test_the_stock_pusher_takes_its_blessing() -> None:
    pusher = Pusher(
        model=channel.Channel(type=standard_artifacts.Model),
        model_blessing=_evaluator().outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory="/tmp/pushed")
        ),
    )
    assert pusher.inputs["model_blessing"].type is standard_artifacts.ModelBlessing
