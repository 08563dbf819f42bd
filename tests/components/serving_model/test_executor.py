from pathlib import Path

import pytest
from tfx.types import standard_artifacts
from tfx.utils import path_utils

from components.serving_model.component import ServingModel
from components.serving_model.executor import Executor
from tests.ranker.registry.test_versions import of_training, push


def run(tmp_path: Path, version: str, exclude: str = "") -> standard_artifacts.Model:
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "artifact")
    properties = ServingModel(str(tmp_path / "serving"), version, exclude).exec_properties
    Executor().Do({}, {"model": [model]}, properties)
    return model


def described(model: standard_artifacts.Model) -> tuple[int, str]:
    return model.get_int_custom_property("present"), model.get_string_custom_property("version")


@pytest.mark.parametrize("version", ["", "none"])
def test_without_a_model_the_artifact_says_so(tmp_path: Path, version: str) -> None:
    model = run(tmp_path, version)
    assert described(model) == (0, "none")
    assert list(Path(model.uri).iterdir()) == []


def test_none_means_none_even_where_one_serves(tmp_path: Path) -> None:
    push(tmp_path / "serving", "7")
    assert described(run(tmp_path, "none")) == (0, "none")


def test_the_version_asked_for_is_copied_whole(tmp_path: Path) -> None:
    push(tmp_path / "serving", "7", of_training("monday"))
    push(tmp_path / "serving", "8")
    model = run(tmp_path, "7")
    assert described(model) == (1, "7")
    copy = Path(path_utils.serving_model_path(model.uri))
    assert copy.name == "Format-Serving"
    files = {str(path.relative_to(copy)): path.read_text() for path in copy.rglob("*") if path.is_file()}
    assert files == {"saved_model.pb": "model", "assets.extra/feed_ranker.json": of_training("monday")}
    assert [path.name for path in Path(model.uri).iterdir()] == ["Format-Serving"]


def test_it_looks_for_itself_when_no_version_is_given(tmp_path: Path) -> None:
    push(tmp_path / "serving", "7", of_training("monday"))
    push(tmp_path / "serving", "8", of_training("tuesday"))
    assert described(run(tmp_path, "", exclude="tuesday")) == (1, "7")


def test_a_version_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"serving/7: version 7 was to be compared with, and has no saved_model"
    ):
        run(tmp_path, "7")
