"""One tiny model behind a server, for all tests here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ranker.export.saved_model import export_saved_model
from ranker.registry.manifest import Manifest
from serving.client import FeedRankerClient
from serving.server import serve
from tests.ranker.export.feed import MAX_ROWS, OBJECTIVES, TinyFeed, make_feed

MODEL = "tiny"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="package")
def feed(tmp_path_factory: pytest.TempPathFactory) -> TinyFeed:
    """120 impressions, transformed, with a forest and towers."""
    return make_feed(tmp_path_factory.mktemp("feed"), count=120)


@pytest.fixture(scope="package")
def models(feed: TinyFeed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A push destination with version 7 of the model."""
    models = tmp_path_factory.mktemp("serving_model")
    manifest = Manifest(
        objectives=[o.name for o in OBJECTIVES],
        trees=feed.forest.trees,
        leaves=feed.forest.leaves,
        forest_fingerprint=feed.forest.fingerprint,
        training_fingerprint="0123",
        eval_day="2024-05-04",
        rows=len(feed.rows),
        input_names={},
    )
    export_saved_model(feed.module(), manifest, str(models / "7"))
    return models


@pytest.fixture(scope="package")
def address(models: Path) -> Iterator[str]:
    """The address of a server of that model."""
    with serve(models / "7", MODEL, max_rows=MAX_ROWS) as address:
        yield address


@pytest.fixture(scope="package")
def client(address: str) -> Iterator[FeedRankerClient]:
    """A client of that server with a long timeout."""
    with FeedRankerClient(address, MODEL, timeout_s=60.0, max_rows=MAX_ROWS) as client:
        yield client
