import json
import logging
from pathlib import Path

import pytest

from ranker.registry.layout import MANIFEST
from ranker.registry.publishing import publish
from ranker.registry.versions import find_serving_version, read_manifest


def push(root: Path, version: str, manifest: str | None = None) -> None:
    """Writes a version that looks like a pushed model, with the manifest's text if any.

    Models of one manifest have one content, and those without a manifest differ.
    """
    folder = root / version
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(f"model {manifest or version}")
    if manifest is not None:
        (folder / MANIFEST).parent.mkdir()
        (folder / MANIFEST).write_text(manifest)


def of_training(fingerprint: str) -> str:
    return json.dumps({"training_fingerprint": fingerprint})


def test_nothing_serves_yet(tmp_path: Path) -> None:
    assert find_serving_version(str(tmp_path / "nowhere")) is None
    assert find_serving_version(str(tmp_path)) is None


def test_the_highest_number_serves(tmp_path: Path) -> None:
    for version in ("9", "10", "2"):
        push(tmp_path, version)
    assert find_serving_version(str(tmp_path)) == "10"
    assert find_serving_version(tmp_path.as_uri()) == "10"


def test_incomplete_versions_are_skipped_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    push(tmp_path, "5")
    push(tmp_path, "canary-7")
    push(tmp_path, ".pushing-8")
    (tmp_path / "9" / "variables").mkdir(parents=True)
    (tmp_path / "11").write_text("a file")
    with caplog.at_level(logging.WARNING):
        assert find_serving_version(str(tmp_path)) == "5"
    assert "9: skipped, as it has no saved_model.pb" in caplog.text
    assert "canary-7: skipped, as its name is no version number" in caplog.text
    assert ".pushing-8" not in caplog.text


def test_a_number_that_no_server_reads_is_no_version(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    largest = str(2**63 - 1)
    for name in ("5", str(2**63), "20261129073500123456"):
        push(tmp_path, name)
    with caplog.at_level(logging.WARNING):
        assert find_serving_version(str(tmp_path)) == "5"
    assert "20261129073500123456: skipped, as its name is no version number" in caplog.text
    # TensorFlow Serving would never load what is pushed after it.
    assert len(publish(str(tmp_path / "5"), str(tmp_path))) == len("1795992807")
    push(tmp_path, largest)
    assert find_serving_version(str(tmp_path)) == largest


def test_the_model_of_the_same_training_is_skipped(tmp_path: Path) -> None:
    push(tmp_path, "1")
    push(tmp_path, "2", of_training("monday"))
    push(tmp_path, "3", of_training("tuesday"))
    push(tmp_path, "4", of_training("tuesday"))
    destination = str(tmp_path)
    assert find_serving_version(destination, exclude_training_fingerprint="wednesday") == "4"
    assert find_serving_version(destination, exclude_training_fingerprint="tuesday") == "2"
    assert find_serving_version(destination) == "4"


@pytest.mark.parametrize("manifest", [None, "{}", "[]", "not json"])
def test_a_model_without_a_usable_manifest_is_of_another_training(tmp_path: Path, manifest: str | None) -> None:
    push(tmp_path, "1", manifest)
    assert find_serving_version(str(tmp_path), exclude_training_fingerprint="tuesday") == "1"


def test_a_version_that_is_removed_while_it_is_looked_at_has_no_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(tmp_path, "1", of_training("monday"))
    monkeypatch.setattr("ranker.registry.versions.read_bytes", lambda place: Path(f"{place}.removed").read_bytes())
    assert read_manifest(str(tmp_path), "1") is None
    assert find_serving_version(str(tmp_path), exclude_training_fingerprint="tuesday") == "1"
