"""One tiny feed, and one exported model of it, for all tests of serving."""

from pathlib import Path

import pytest

from ranker.export.saved_model import export_saved_model
from ranker.registry.manifest import Manifest
from tests.ranker.export.feed import OBJECTIVES, TinyFeed, make_feed


@pytest.fixture(scope="package")
def feed(tmp_path_factory: pytest.TempPathFactory) -> TinyFeed:
    """400 impressions, transformed, with a forest and towers."""
    return make_feed(tmp_path_factory.mktemp("feed"))


@pytest.fixture(scope="package")
def manifest(feed: TinyFeed) -> Manifest:
    """The manifest of the exported model."""
    return Manifest(
        objectives=[o.name for o in OBJECTIVES],
        trees=feed.forest.trees,
        leaves=feed.forest.leaves,
        forest_fingerprint=feed.forest.fingerprint,
        training_fingerprint="0123",
        eval_day="2024-05-04",
        rows=len(feed.rows),
        input_names={"hours-old": "hours_old"},
        config={"towers": {"hidden": [16, 8]}},
    )


@pytest.fixture(scope="package")
def saved_model(feed: TinyFeed, manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the exported model."""
    folder = tmp_path_factory.mktemp("model") / "Format-Serving"
    export_saved_model(feed.module(), manifest, str(folder))
    return folder
