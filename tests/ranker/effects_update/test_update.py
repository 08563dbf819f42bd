"""What is refused before a model is loaded."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_config import FEED
from ranker.config.effects import EffectLevel, Effects
from ranker.effects_update.update import EffectsUpdateError, update_serving_effects
from ranker.registry.manifest import Manifest
from tests.ranker.registry.test_versions import push


def test_the_effects_of_another_configs_model_are_not_updated(tmp_path: Path) -> None:
    push(tmp_path, "7", Manifest(config_name="shop").to_json())
    config = replace(FEED, effects=Effects((EffectLevel("viewer_id"),)))
    with pytest.raises(
        EffectsUpdateError, match=r"^version 7 at .* is a model of the config 'shop', and not of 'feed'$"
    ):
        update_serving_effects(config, str(tmp_path / "log"), str(tmp_path))
    push(tmp_path, "8", Manifest(config_name="feed").to_json())
    with pytest.raises(EffectsUpdateError, match="was exported with other effects"):
        update_serving_effects(config, str(tmp_path / "log"), str(tmp_path))
