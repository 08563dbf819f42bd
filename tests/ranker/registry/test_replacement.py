"""Which serving model a config's model may replace."""

import json
from pathlib import Path

import pytest

from ranker.registry.manifest import Manifest
from ranker.registry.replacement import Replaced, find_replaced
from ranker.registry.rollback import roll_back
from tests.ranker.registry.test_versions import push


def of_config(name: str, training: str = "") -> str:
    return Manifest(config_name=name, training_fingerprint=training).to_json()


def test_where_nothing_serves_nothing_is_replaced(tmp_path: Path) -> None:
    assert find_replaced(str(tmp_path / "nowhere"), "feed") is None


def test_the_serving_model_of_another_config_is_named(tmp_path: Path) -> None:
    push(tmp_path, "7", of_config("feed"))
    push(tmp_path, "8", of_config("shop"))
    replaced = find_replaced(str(tmp_path), "feed")
    assert replaced == Replaced(str(tmp_path), "8", "shop", "feed")
    assert str(replaced) == (
        f"version 8 at {tmp_path} is a model of the config 'shop', which a model of 'feed' would replace"
    )
    # The newest version serves, whatever was pushed before.
    assert find_replaced(str(tmp_path), "shop") is None


@pytest.mark.parametrize(("requested", "found"), [("shop", False), ("feed", True), ("sho", True), ("", True)])
def test_it_is_replaced_if_its_config_is_requested_by_name(tmp_path: Path, requested: str, found: bool) -> None:
    push(tmp_path, "8", of_config("shop"))
    assert (find_replaced(str(tmp_path), "feed", requested) is not None) == found


@pytest.mark.parametrize("manifest", [None, json.dumps({"format": 2, "eval_day": "2026-03-09"}), "damaged"])
def test_a_model_of_an_unknown_config_may_be_replaced(tmp_path: Path, manifest: str | None) -> None:
    push(tmp_path, "7", of_config("shop"))
    push(tmp_path, "8", manifest)
    assert find_replaced(str(tmp_path), "feed") is None


def test_a_model_that_does_not_know_its_config_may_replace_any(tmp_path: Path) -> None:
    push(tmp_path, "8", of_config("shop"))
    assert find_replaced(str(tmp_path), "") is None


def test_after_a_rollback_the_restored_models_config_counts(tmp_path: Path) -> None:
    push(tmp_path, "7", of_config("feed", "monday"))
    push(tmp_path, "8", of_config("shop", "tuesday"))
    done = roll_back(str(tmp_path))
    assert find_replaced(str(tmp_path), "feed") is None
    assert find_replaced(str(tmp_path), "shop") == Replaced(str(tmp_path), done.version, "feed", "shop")
