import shutil
import uuid
from pathlib import Path

import pytest

from ranker.documents import DocumentError
from ranker.registry.manifest import Manifest, Republished
from ranker.registry.publishing import publish
from ranker.registry.retention import remove_old_versions
from ranker.registry.rollback import roll_back
from ranker.registry.same_model import StoredModel
from ranker.registry.versions import complete_versions
from ranker.registry.withdrawal import WITHDRAWN, destination_state, read_withdrawals, reinstate, withdraw
from ranker.storage import filesystem_of
from tests.ranker.registry.test_versions import of_training, push


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    root = tmp_path / "serving"
    push(root, "1", of_training("monday"))
    push(root, "2", of_training("tuesday"))
    return root


def model(folder: Path, training: str, content: str) -> StoredModel:
    push(folder, "model", of_training(training))
    (folder / "model" / "saved_model.pb").write_text(content)
    return StoredModel(str(folder / "model"))


def test_nothing_is_withdrawn_before_a_rollback(serving: Path) -> None:
    withdrawn = read_withdrawals(str(serving))
    assert withdrawn.of(StoredModel(str(serving / "2"))) is None
    assert withdrawn.of_training("tuesday") is None
    assert read_withdrawals(str(serving / "nowhere")).of_training("tuesday") is None


def test_a_training_is_withdrawn_and_so_is_a_retrained_model(serving: Path, tmp_path: Path) -> None:
    roll_back(str(serving))
    withdrawn = read_withdrawals(str(serving))
    found = withdrawn.of_training("tuesday")
    assert found is not None
    assert found.version == "2"
    # Other bytes, as of a training on a GPU, or another training with the same bytes.
    assert withdrawn.of(model(tmp_path / "a", "tuesday", "rounded otherwise")) == found
    same_bytes = (serving / "2" / "saved_model.pb").read_text()
    assert withdrawn.of(model(tmp_path / "b", "tuesday, another comment", same_bytes)) == found
    assert withdrawn.of(model(tmp_path / "c", "wednesday", "other")) is None
    assert withdrawn.of(StoredModel(str(serving / "1"))) is None
    # A training without a fingerprint equals no other one.
    assert withdrawn.of_training("") is None


def test_a_withdrawal_outlives_its_version(serving: Path) -> None:
    roll_back(str(serving))
    for day in ("wednesday", "thursday"):
        push(serving, str(int(complete_versions(str(serving))[0]) + 1), of_training(day))
    remove_old_versions(str(serving), keep=1)
    assert len(complete_versions(str(serving))) == 1
    assert read_withdrawals(str(serving)).of_training("tuesday") is not None


def test_a_rollback_of_an_earlier_version_of_this_project_withdraws_too(serving: Path) -> None:
    """It wrote the manifest only."""
    push(serving, "3", Manifest(training_fingerprint="monday", rollback=Republished("1", "2")).to_json())
    shutil.copy(serving / "1" / "saved_model.pb", serving / "3")
    assert read_withdrawals(str(serving)).of_training("tuesday") is not None
    # But not if the model was pushed again afterwards.
    push(serving, "4", of_training("tuesday"))
    assert read_withdrawals(str(serving)).of_training("tuesday") is None


def test_a_reinstated_model_is_not_withdrawn_and_others_stay(serving: Path) -> None:
    push(serving, "3", of_training("wednesday"))
    roll_back(str(serving))
    roll_back(str(serving))
    tuesday = StoredModel(str(serving / "2"))
    publish(str(serving / "2"), str(serving))
    reinstate(str(serving), tuesday)
    withdrawn = read_withdrawals(str(serving))
    assert withdrawn.of(tuesday) is None
    assert withdrawn.of_training("wednesday") is not None


def test_a_request_that_was_killed_before_it_published_can_be_repeated(serving: Path) -> None:
    tuesday = StoredModel(str(serving / "2"))
    roll_back(str(serving))
    reinstate(str(serving), tuesday)  # all that it had done
    # The rollback's manifest still says it.
    assert read_withdrawals(str(serving)).of(tuesday) is not None
    publish(str(serving / "2"), str(serving))
    assert read_withdrawals(str(serving)).of(tuesday) is None
    roll_back(str(serving))
    assert read_withdrawals(str(serving)).of(tuesday) is not None


def test_a_withdrawn_model_that_is_copied_by_hand_stays_withdrawn(serving: Path) -> None:
    roll_back(str(serving))
    shutil.copytree(serving / "2", serving / "5000000000")
    assert read_withdrawals(str(serving)).of_training("tuesday") is not None


def test_withdrawals_in_an_object_store() -> None:
    """Behind a URI of fsspec."""
    destination = f"memory://{uuid.uuid4().hex}"
    filesystem, root = filesystem_of(destination)
    for version, training in (("1", "monday"), ("2", "tuesday")):
        for name, text in (("saved_model.pb", training), ("assets.extra/feed_ranker.json", of_training(training))):
            filesystem.create_dir(f"{root}/{version}/{name}".rpartition("/")[0], recursive=True)
            with filesystem.open_output_stream(f"{root}/{version}/{name}") as file:
                file.write(text.encode())
    done = roll_back(destination)
    assert (done.republishes, done.instead_of) == ("1", "2")
    assert read_withdrawals(destination).of_training("tuesday") is not None
    reinstate(destination, StoredModel(f"{destination}/2"))
    assert filesystem.get_file_info(f"{root}/{WITHDRAWN}/2.json").type.name == "NotFound"


def test_the_state_for_the_cache_key_changes_with_a_rollback_and_a_reinstatement(serving: Path) -> None:
    destination = str(serving)
    first = destination_state(destination, "tuesday")
    assert first == "1"  # as before tuesday was pushed, so a repeated run finds the push in the cache
    roll_back(destination)
    rolled_back = destination_state(destination, "tuesday")
    assert rolled_back.endswith(", withdrawn as 2")
    publish(str(serving / "2"), destination)
    reinstate(destination, StoredModel(str(serving / "2")))
    assert destination_state(destination, "tuesday") not in (first, rolled_back)
    assert destination_state(str(serving / "nowhere"), "tuesday") == "none"


def test_a_damaged_record_is_an_error_that_names_the_file(serving: Path) -> None:
    withdraw(str(serving), "2")
    (serving / WITHDRAWN / "2.json").write_text("{}")
    with pytest.raises(DocumentError, match=r"\.withdrawn/2\.json: version"):
        read_withdrawals(str(serving))
    (serving / WITHDRAWN / "2.json").write_text('{"version": "two", "training": "tuesday", "content": ""}')
    with pytest.raises(DocumentError, match=r"\.withdrawn/2\.json: version: 'two' is not a number"):
        read_withdrawals(str(serving))
