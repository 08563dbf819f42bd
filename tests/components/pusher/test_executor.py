import json
import os
from pathlib import Path

import pytest
from tfx.proto import pusher_pb2
from tfx.types import channel_utils, standard_artifacts
from tfx.utils import proto_utils

from components.pusher.component import Pusher
from components.pusher.executor import Executor
from tests.ranker.registry.test_versions import of_training, push


def destination_of(folder: Path | str) -> pusher_pb2.PushDestination:
    return pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(folder)))


def run(tmp_path: Path, blessed: bool, name: str = "model", training: str = "") -> standard_artifacts.PushedModel:
    model, blessing, pushed = (
        standard_artifacts.Model(),
        standard_artifacts.ModelBlessing(),
        standard_artifacts.PushedModel(),
    )
    for artifact, key in ((model, "model"), (blessing, "blessing"), (pushed, "pushed")):
        artifact.uri = str(tmp_path / name / key)
        os.makedirs(artifact.uri)
    serving = tmp_path / name / "model" / "Format-Serving"
    push(serving.parent, serving.name, of_training(training))
    blessing.set_int_custom_property("blessed", int(blessed))
    Executor().Do(
        {"model": [model], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {
            "push_destination": proto_utils.proto_to_json(destination_of(tmp_path / "serving")),
            "custom_config": json.dumps({"keep_models": 2}),
        },
    )
    return pushed


def test_a_blessed_model_becomes_a_version(tmp_path: Path) -> None:
    pushed = run(tmp_path, blessed=True)
    (version,) = os.listdir(tmp_path / "serving")
    assert (tmp_path / "serving" / version / "saved_model.pb").read_text() == "model"
    assert (Path(pushed.uri) / "saved_model.pb").read_text() == "model"
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == version
    assert pushed.get_string_custom_property("pushed_destination") == str(tmp_path / "serving" / version)


def test_a_model_without_the_blessing_does_not(tmp_path: Path) -> None:
    pushed = run(tmp_path, blessed=False)
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("pushed_version") == ""
    assert not (tmp_path / "serving").exists()
    assert os.listdir(pushed.uri) == []


def test_a_run_that_pushed_and_was_stopped_does_not_push_again(tmp_path: Path) -> None:
    versions = [
        run(tmp_path, True, name, "monday").get_string_custom_property("pushed_version") for name in ("killed", "again")
    ]
    assert versions[0] == versions[1]
    assert os.listdir(tmp_path / "serving") == [versions[0]]


def test_old_versions_are_removed_after_a_push(tmp_path: Path) -> None:
    pushed = [run(tmp_path, True, name, name) for name in ("monday", "tuesday", "wednesday")]
    versions = [artifact.get_string_custom_property("pushed_version") for artifact in pushed]
    assert sorted(os.listdir(tmp_path / "serving")) == versions[1:]
    run(tmp_path, False, "thursday", "thursday")
    assert sorted(os.listdir(tmp_path / "serving")) == versions[1:]


def test_the_component_keeps_the_stock_interface() -> None:
    model = channel_utils.as_channel([standard_artifacts.Model()])
    blessing = channel_utils.as_channel([standard_artifacts.ModelBlessing()])
    pusher = Pusher(model=model, model_blessing=blessing, push_destination=destination_of("serving"), keep_models=5)
    assert pusher.outputs["pushed_model"].type is standard_artifacts.PushedModel
    assert pusher.EXECUTOR_SPEC.executor_class is Executor
    custom = json.loads(pusher.exec_properties["custom_config"])
    assert (custom["keep_models"], len(custom["code_fingerprint"])) == (5, 16)
    with pytest.raises(ValueError, match=r"filesystem\.base_directory is needed"):
        Pusher(model=model, model_blessing=blessing, push_destination=pusher_pb2.PushDestination(), keep_models=5)
