from pathlib import Path

import pytest

from ranker.effects_update.publishing import NotPublishedError, publish_update
from ranker.registry.publishing import publish
from ranker.registry.rollback import roll_back
from ranker.registry.versions import complete_versions
from tests.object_store import ObjectStore
from tests.ranker.registry.test_versions import of_training, push


def test_an_update_becomes_the_next_version_and_old_ones_are_removed(tmp_path: Path) -> None:
    destination = tmp_path / "models"
    push(destination, "1", of_training("monday"))
    push(destination, "2", of_training("tuesday"))
    push(tmp_path, "updated", of_training("tuesday, updated"))
    published = Path(publish_update(str(tmp_path / "updated"), str(destination), "2", keep=2))
    assert (published / "saved_model.pb").read_bytes() == (tmp_path / "updated" / "saved_model.pb").read_bytes()
    assert {path.name for path in destination.iterdir()} == {"2", published.name}


def test_an_older_model_does_not_replace_one_that_was_pushed_meanwhile(tmp_path: Path) -> None:
    destination = tmp_path / "models"
    push(destination, "1", of_training("monday"))
    push(destination, "2", of_training("tuesday"))
    push(tmp_path, "updated", of_training("monday, updated"))
    with pytest.raises(
        NotPublishedError, match="effects of version 1 were updated, but meanwhile: version 2 serves now"
    ):
        publish_update(str(tmp_path / "updated"), str(destination), "1", keep=2)
    assert sorted(path.name for path in destination.iterdir()) == ["1", "2"]


def test_a_withdrawn_update_is_not_published_again(tmp_path: Path) -> None:
    destination = tmp_path / "models"
    push(destination, "1", of_training("monday"))
    push(destination, "2", of_training("monday, updated"))
    push(tmp_path, "updated", of_training("monday, updated"))
    version = roll_back(str(destination)).version
    with pytest.raises(NotPublishedError, match="a rollback withdrew this update, version 2"):
        publish_update(str(tmp_path / "updated"), str(destination), version, keep=5)


@pytest.mark.slow
def test_an_update_is_published_on_an_object_store(object_store: ObjectStore, bucket: str, tmp_path: Path) -> None:
    destination = object_store.uri(f"{bucket}/models")
    for day in ("monday", "tuesday", "tuesday, updated"):
        push(tmp_path, day, of_training(day))
    pushed = [publish(str(tmp_path / day), destination) for day in ("monday", "tuesday")]
    with pytest.raises(NotPublishedError, match=f"meanwhile: version {pushed[1]} serves now, instead of {pushed[0]}"):
        publish_update(str(tmp_path / "tuesday, updated"), destination, pushed[0], keep=2)
    published = publish_update(str(tmp_path / "tuesday, updated"), destination, pushed[1], keep=2)
    newest, before = complete_versions(destination)
    assert before == pushed[1]
    assert f"@{bucket}/models/{newest}?" in published
    assert object_store.secret not in published
