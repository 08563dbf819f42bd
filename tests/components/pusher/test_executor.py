import os
from pathlib import Path

import pytest
from tfx.proto import pusher_pb2
from tfx.types import channel_utils, standard_artifacts
from tfx.utils import proto_utils

from components.pusher.component import Pusher
from components.pusher.executor import Executor


def destination_of(folder: Path | str) -> pusher_pb2.PushDestination:
    return pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(folder)))


def run(tmp_path: Path, blessed: bool) -> standard_artifacts.PushedModel:
    model, blessing, pushed = (
        standard_artifacts.Model(),
        standard_artifacts.ModelBlessing(),
        standard_artifacts.PushedModel(),
    )
    for artifact, name in ((model, "model"), (blessing, "blessing"), (pushed, "pushed")):
        artifact.uri = str(tmp_path / name)
        os.makedirs(artifact.uri)
    serving = tmp_path / "model" / "Format-Serving"
    serving.mkdir()
    (serving / "saved_model.pb").write_text("graph")
    blessing.set_int_custom_property("blessed", int(blessed))
    Executor().Do(
        {"model": [model], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {"push_destination": proto_utils.proto_to_json(destination_of(tmp_path / "serving"))},
    )
    return pushed


def test_a_blessed_model_becomes_a_version(tmp_path: Path) -> None:
    pushed = run(tmp_path, blessed=True)
    (version,) = os.listdir(tmp_path / "serving")
    assert (tmp_path / "serving" / version / "saved_model.pb").read_text() == "graph"
    assert (Path(pushed.uri) / "saved_model.pb").read_text() == "graph"
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_version") == version
    assert pushed.get_string_custom_property("pushed_destination") == str(tmp_path / "serving" / version)


def test_a_model_without_the_blessing_does_not(tmp_path: Path) -> None:
    pushed = run(tmp_path, blessed=False)
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("pushed_version") == ""
    assert not (tmp_path / "serving").exists()
    assert os.listdir(pushed.uri) == []


def test_the_component_keeps_the_stock_interface() -> None:
    model = channel_utils.as_channel([standard_artifacts.Model()])
    blessing = channel_utils.as_channel([standard_artifacts.ModelBlessing()])
    pusher = Pusher(model=model, model_blessing=blessing, push_destination=destination_of("serving"))
    assert pusher.outputs["pushed_model"].type is standard_artifacts.PushedModel
    assert pusher.EXECUTOR_SPEC.executor_class is Executor
    assert "code_fingerprint" in pusher.exec_properties["custom_config"]
    with pytest.raises(ValueError, match=r"filesystem\.base_directory is needed"):
        Pusher(model=model, model_blessing=blessing, push_destination=pusher_pb2.PushDestination())
