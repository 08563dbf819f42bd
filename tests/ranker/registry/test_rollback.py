from pathlib import Path

import pytest

from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest, Republished
from ranker.registry.rollback import Rollback, RollbackError, main, roll_back
from ranker.registry.versions import find_serving_version
from tests.ranker.registry.test_versions import of_training, push


def manifest_of(root: Path, version: str) -> Manifest:
    return Manifest.from_json((root / version / MANIFEST).read_text())


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    """A push destination with the models of three days."""
    for version, training in (("100", "monday"), ("200", "tuesday"), ("300", "wednesday")):
        push(tmp_path, version, of_training(training))
    return tmp_path


def test_the_model_before_is_published_again_as_the_highest_version(serving: Path) -> None:
    done = roll_back(str(serving))
    assert (done.republishes, done.instead_of) == ("200", "300")
    assert int(done.version) > 300
    assert find_serving_version(str(serving)) == done.version
    assert (serving / done.version / "saved_model.pb").read_bytes() == b"model"
    assert manifest_of(serving, done.version) == Manifest(
        training_fingerprint="tuesday", rollback=Republished(republishes="200", instead_of="300")
    )
    # The original of the copy and the replaced version are unchanged.
    assert manifest_of(serving, "200") == Manifest(training_fingerprint="tuesday")
    assert manifest_of(serving, "300") == Manifest(training_fingerprint="wednesday")
    assert sorted(folder.name for folder in serving.iterdir()) == sorted(["100", "200", "300", done.version])


def test_a_second_rollback_goes_further_back(serving: Path) -> None:
    first = roll_back(str(serving))
    second = roll_back(str(serving))
    assert second == Rollback(second.version, republishes="100", instead_of=first.version)
    with pytest.raises(RollbackError, match=r"version \d+, a copy of 100, is serving, and there is none before it"):
        roll_back(str(serving))


def test_a_day_after_a_rollback_can_be_rolled_back_too(serving: Path) -> None:
    first = roll_back(str(serving))
    thursday = str(int(first.version) + 100)
    push(serving, thursday, of_training("thursday"))
    again = roll_back(str(serving))
    assert (again.republishes, again.instead_of) == ("200", thursday)


def test_incomplete_versions_are_skipped(serving: Path) -> None:
    (serving / "200" / "saved_model.pb").unlink()
    assert roll_back(str(serving)).republishes == "100"


def test_without_an_earlier_version_nothing_is_published(tmp_path: Path) -> None:
    with pytest.raises(RollbackError, match="no model has been pushed here"):
        roll_back(str(tmp_path))
    push(tmp_path, "7")
    with pytest.raises(RollbackError, match="version 7 is serving, and there is none before it"):
        roll_back(str(tmp_path))
    assert [folder.name for folder in tmp_path.iterdir()] == ["7"]


def test_rollback_to_a_model_without_a_manifest(tmp_path: Path) -> None:
    push(tmp_path, "1")
    push(tmp_path, "2")
    done = roll_back(str(tmp_path))
    assert (tmp_path / done.version / "saved_model.pb").read_bytes() == b"model"


def test_the_command_reports_the_rollback(serving: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(serving)]) == 0
    assert "a copy of 200, instead of 300" in capsys.readouterr().out
    assert main([str(serving / "nowhere")]) == 1
    assert "no model has been pushed here" in capsys.readouterr().err
