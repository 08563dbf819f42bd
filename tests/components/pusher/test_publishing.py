import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from tfx.utils import io_utils

from components.pusher import publishing
from components.pusher.publishing import publish


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("weights")
    return folder


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "serving"


def set_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(publishing, "time", SimpleNamespace(time=lambda: seconds))


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_the_whole_model_named_by_the_time(model: Path, destination: Path) -> None:
    before = int(time.time())
    version = publish(str(model), str(destination))
    assert before <= int(version) <= time.time()
    assert content(destination / version) == content(model)
    assert os.listdir(destination) == [version]


def test_versions_grow_within_one_second(monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path) -> None:
    set_clock(monkeypatch, 1000.7)
    assert [publish(str(model), str(destination)) for _ in range(3)] == ["1000", "1001", "1002"]
    set_clock(monkeypatch, 900.0)
    assert publish(str(model), str(destination)) == "1003"
    assert sorted(os.listdir(destination)) == ["1000", "1001", "1002", "1003"]


def test_a_push_cut_short_leaves_no_version_and_is_cleared_away(
    monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path
) -> None:
    copy_dir = io_utils.copy_dir

    def killed_on_the_way(source: str, target: str) -> None:
        copy_dir(source, target, deny_regex_patterns=["variables"])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(io_utils, "copy_dir", killed_on_the_way)
        with pytest.raises(KeyboardInterrupt):
            publish(str(model), str(destination))
    (left,) = os.listdir(destination)
    assert left.startswith(".pushing-")

    version = publish(str(model), str(destination))
    assert os.listdir(destination) == [version]
    assert content(destination / version) == content(model)


def test_two_pushes_at_once_take_two_versions(monkeypatch: pytest.MonkeyPatch, model: Path, destination: Path) -> None:
    set_clock(monkeypatch, 1000.0)
    next_version = publishing._next_version

    def and_somebody_takes_it(where: str) -> str:
        version = next_version(where)
        if version == "1000":
            (destination / version).mkdir()
            (destination / version / "saved_model.pb").write_text("theirs")
        return version

    monkeypatch.setattr(publishing, "_next_version", and_somebody_takes_it)
    assert publish(str(model), str(destination)) == "1001"
    assert content(destination / "1000") == {"saved_model.pb": "theirs"}
    assert content(destination / "1001") == content(model)


def test_no_model_no_push(tmp_path: Path, destination: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(FileNotFoundError, match=r"a model is to be pushed, and there is no saved_model\.pb"):
        publish(str(tmp_path / "model"), str(destination))
    assert not destination.exists()
