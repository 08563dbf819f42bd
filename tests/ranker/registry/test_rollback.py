import json
import shutil
from pathlib import Path

import pytest

from ranker.registry.layout import MANIFEST
from ranker.registry.manifest import Manifest, Republished
from ranker.registry.rollback import Rollback, RollbackError, main, roll_back
from ranker.registry.same_model import StoredModel, content_digest
from ranker.registry.versions import find_serving_version
from ranker.registry.withdrawal import WITHDRAWN, read_withdrawals, reinstate, withdraw
from tests.ranker.registry.test_versions import of_training, push


def content_of(root: Path, version: str) -> str:
    return content_digest(str(root / version))


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
    assert content_of(serving, done.version) == content_of(serving, "200") != content_of(serving, "300")
    assert manifest_of(serving, done.version) == Manifest(
        training_fingerprint="tuesday", rollback=Republished(republishes="200", instead_of="300")
    )
    # The original of the copy and the replaced version are unchanged.
    assert manifest_of(serving, "200") == Manifest(training_fingerprint="tuesday")
    assert manifest_of(serving, "300") == Manifest(training_fingerprint="wednesday")
    assert sorted(folder.name for folder in serving.iterdir()) == sorted([WITHDRAWN, "100", "200", "300", done.version])


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
    assert content_of(tmp_path, done.version) == content_of(tmp_path, "1")


@pytest.mark.parametrize("newer", ['{"format": 3, "eval_day": {"from": "monday"}}', '{"eval_day": "d", "added": [1]}'])
def test_a_manifest_of_a_newer_version_of_the_project_is_kept(tmp_path: Path, newer: str) -> None:
    push(tmp_path, "1", newer)
    push(tmp_path, "2")
    done = roll_back(str(tmp_path))
    assert json.loads((tmp_path / done.version / MANIFEST).read_text()) == {
        **json.loads(newer),
        "rollback": {"republishes": "1", "instead_of": "2"},
    }


@pytest.mark.parametrize("damaged", ["", "half {", "[]"])
def test_rollback_to_a_model_with_a_damaged_manifest(tmp_path: Path, damaged: str) -> None:
    push(tmp_path, "1", damaged)
    push(tmp_path, "2")
    done = roll_back(str(tmp_path))
    assert manifest_of(tmp_path, done.version) == Manifest(rollback=Republished("1", "2"))


def twin(root: Path, version: str, copy: str) -> None:
    """The same model under another version, as a push that is retried writes it."""
    shutil.copytree(root / version, root / copy)


def test_a_push_that_was_retried_is_not_what_a_rollback_returns_to(serving: Path) -> None:
    twin(serving, "300", "301")
    twin(serving, "300", "302")
    done = roll_back(str(serving))
    assert (done.republishes, done.instead_of) == ("200", "302")
    assert roll_back(str(serving)).republishes == "100"


def test_a_retried_push_of_the_earlier_model_is_passed_over_too(serving: Path) -> None:
    twin(serving, "200", "250")
    assert roll_back(str(serving)).republishes == "250"
    # 200 and 250 are one model: the second rollback passes over both.
    assert roll_back(str(serving)).republishes == "100"


def test_models_without_manifests_are_compared_by_their_files(tmp_path: Path) -> None:
    for version in ("1", "2"):
        push(tmp_path, version)
    twin(tmp_path, "2", "3")
    # TensorFlow writes another identifier into this file with every save.
    (tmp_path / "2" / "fingerprint.pb").write_text("uuid 2")
    (tmp_path / "3" / "fingerprint.pb").write_text("uuid 3")
    assert roll_back(str(tmp_path)).republishes == "1"


def test_numbers_of_functions_do_not_make_another_model(tmp_path: Path) -> None:
    """TensorFlow's own hash of the graph, the second field of its fingerprint, ignores them; the last is random."""
    for version, graph, function in (("1", 4, "f_17"), ("2", 5, "f_17"), ("3", 5, "f_4711")):
        push(tmp_path, version)
        (tmp_path / version / "saved_model.pb").write_text(function)
        fingerprint = bytes([0x10, graph, 0x18, 7, 0x3A, 1]) + version.encode()
        (tmp_path / version / "fingerprint.pb").write_bytes(fingerprint)
    assert roll_back(str(tmp_path)).republishes == "1"


def test_other_weights_make_another_model(tmp_path: Path) -> None:
    for version in ("1", "2"):
        push(tmp_path, version)
        (tmp_path / version / "saved_model.pb").write_text("graph")
        (tmp_path / version / "fingerprint.pb").write_bytes(bytes([0x10, 4, 0x18, 7]))
        (tmp_path / version / "variables").mkdir()
        (tmp_path / version / "variables" / "variables.data-00000-of-00001").write_text(f"weights {version}")
    assert roll_back(str(tmp_path)).republishes == "1"


def test_a_retrained_model_with_the_same_files_is_the_same_model(serving: Path) -> None:
    """Changed code makes another training of it, though what serves is equal bit for bit."""
    twin(serving, "300", "400")
    (serving / "400" / MANIFEST).write_text(of_training("wednesday, with a changed comment"))
    assert roll_back(str(serving)).republishes == "200"


def test_a_rollback_does_not_return_to_a_withdrawn_model(serving: Path) -> None:
    roll_back(str(serving))
    push(serving, "5000000000", of_training("thursday"))
    twin(serving, "300", "4000000000")  # somebody copied the withdrawn model by hand
    again = roll_back(str(serving))
    assert again.republishes == "200"
    assert find_serving_version(str(serving)) == again.version


def test_a_model_published_on_request_after_its_withdrawal_is_rolled_back_like_any(serving: Path) -> None:
    first = roll_back(str(serving))
    wednesday = str(int(first.version) + 1)
    twin(serving, "300", wednesday)
    reinstate(str(serving), StoredModel(str(serving / wednesday)))
    assert read_withdrawals(str(serving)).of_training("wednesday") is None
    # Wednesday was first pushed as 300; the newest model before that is 200.
    again = roll_back(str(serving))
    assert (again.republishes, again.instead_of) == ("200", wednesday)
    assert read_withdrawals(str(serving)).of_training("wednesday") is not None


def test_if_all_earlier_models_were_withdrawn_nothing_is_published(tmp_path: Path) -> None:
    for version, training in (("1", "monday"), ("2", "tuesday"), ("3", "wednesday")):
        push(tmp_path, version, of_training(training))
    withdraw(str(tmp_path), "1")
    withdraw(str(tmp_path), "2")
    with pytest.raises(RollbackError, match="version 3 is serving, and there is no model before it that was not with"):
        roll_back(str(tmp_path))
    assert find_serving_version(str(tmp_path)) == "3"
    assert read_withdrawals(str(tmp_path)).of_training("wednesday") is None


def test_a_rollback_that_fails_withdraws_nothing(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **named: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ranker.registry.rollback.publish", full)
    with pytest.raises(OSError, match="No space left"):
        roll_back(str(serving))
    assert find_serving_version(str(serving)) == "300"
    assert read_withdrawals(str(serving)).of_training("wednesday") is None


def test_a_rollback_that_is_killed_is_completed_by_repeating_it(serving: Path) -> None:
    withdraw(str(serving), "300")  # all that it had done
    done = roll_back(str(serving))
    assert (done.republishes, done.instead_of) == ("200", "300")


def test_the_command_reports_the_rollback(serving: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(serving)]) == 0
    assert "a copy of 200, instead of 300" in capsys.readouterr().out
    assert main([str(serving / "nowhere")]) == 1
    assert "no model has been pushed here" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("destination", ["nowhere://bucket/models", "s3://", "/proc/models", "two\nlines", "x" * 300])
def test_a_destination_that_cannot_be_read_is_one_line(destination: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([destination]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


@pytest.mark.parametrize("destination", ["", " "])
def test_the_command_refuses_an_empty_destination(destination: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([destination])
    assert end.value.code == 2
    assert "destination: an empty path" in capsys.readouterr().err


def test_a_model_that_is_pushed_meanwhile_is_not_replaced(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = find_serving_version(str(serving))
    assert newest is not None
    later = str(int(newest) + 60)

    def and_a_push(destination: str, version: str) -> None:
        withdraw(destination, version)
        push(serving, later, of_training("pushed meanwhile"))

    monkeypatch.setattr("ranker.registry.rollback.withdraw", and_a_push)
    with pytest.raises(RollbackError, match=f"nothing was rolled back: version {later} serves now, instead of"):
        roll_back(str(serving))
    assert find_serving_version(str(serving)) == later
    assert read_withdrawals(str(serving)).of(StoredModel(str(serving / newest))) is None
