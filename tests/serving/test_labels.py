"""A/B of two versions by labels: the page's example, against the development server."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from feed_ranker_client import InvalidRequestError, ServingError
from serving.client import FeedRankerClient
from serving.server import serve
from tests.ranker.export.feed import TinyFeed
from tests.serving.conftest import MODEL, ROOT
from tests.serving.test_client import features_of

PAGE = (ROOT / "docs" / "serving.md").read_text()
TUTORIAL = (ROOT / "docs" / "own_log.md").read_text()


@pytest.fixture(scope="module")
def two_versions(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of versions 7 and 8, where the newest is the candidate."""
    newer = Path(shutil.copytree(models / "7", tmp_path_factory.mktemp("newer") / "8"))
    with serve(newer, MODEL, labels={"stable": models / "7", "candidate": newer}) as address:
        yield address


def section(title: str, language: str) -> str:
    """The first block of a language in a section of the page."""
    found = re.search(rf"^### {re.escape(title)}$.*?^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


@pytest.mark.slow
def test_a_label_chooses_the_version(feed: TinyFeed, two_versions: str) -> None:
    for chosen, version in (
        ({"label": "stable"}, 7),
        ({"label": "candidate"}, 8),
        ({"version": 7}, 7),
        ({"version": 8}, 8),
        ({}, 8),
    ):
        with FeedRankerClient(two_versions, MODEL, timeout_s=60.0, **chosen) as client:  # type: ignore[arg-type]
            ranking = client.rank(features_of(feed, 5))
            assert ranking.version == version
            request = client.request("rank", features_of(feed, 5))
            assert request.model_spec.version_label == chosen.get("label", "")
    with FeedRankerClient(two_versions, MODEL, timeout_s=60.0, label="stable") as client:
        np.testing.assert_allclose(
            client.score_features(features_of(feed))["like"], feed.probabilities()[:, 0], atol=1e-6
        )


@pytest.mark.slow
def test_an_unknown_label_and_an_unknown_version_are_errors(feed: TinyFeed, two_versions: str, address: str) -> None:
    for server, there in ((two_versions, "candidate, stable"), (address, "none")):
        with (
            FeedRankerClient(server, MODEL, timeout_s=60.0, label="best") as client,
            pytest.raises(InvalidRequestError, match=f"version label best: unknown; this server's labels: {there}"),
        ):
            client.rank(features_of(feed, 5))
    with (
        FeedRankerClient(two_versions, MODEL, timeout_s=60.0, version=9) as client,
        pytest.raises(ServingError, match="version 9: this server has version 7 and 8"),
    ):
        client.rank(features_of(feed, 5))


def test_a_version_and_a_label_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="version, label: give one of them"):
        FeedRankerClient("localhost:8500", MODEL, version=7, label="stable")


@pytest.mark.slow
def test_the_pages_example_splits_the_viewers(feed: TinyFeed, two_versions: str) -> None:
    code = section("Two versions side by side", "python")
    assert code.count('"localhost:8500", "feed"') == 2
    logged: list[dict[str, Any]] = []
    names: dict[str, Any] = {"log": lambda **row: logged.append(row)}
    exec(code.replace('"localhost:8500", "feed"', f'"{two_versions}", "{MODEL}", timeout_s=60.0'), names)
    viewers = [f"viewer-{number}" for number in range(150)]
    for viewer in viewers * 2:
        names["rank"](viewer, features_of(feed, 5))
    for name in ("stable", "candidate"):
        names[name].close()
    versions = {row["viewer"]: row["model_version"] for row in logged}
    assert [versions[row["viewer"]] for row in logged] == [row["model_version"] for row in logged]
    assert 4 <= Counter(versions.values())[8] <= 30  # 10 % of the viewers


def test_the_pages_settings_are_those_of_tensorflow_serving() -> None:
    settings = text_format.Parse(
        section("Two versions side by side", "proto"), model_server_config_pb2.ModelServerConfig()
    )
    [config] = settings.model_config_list.config
    assert set(config.version_labels) == {"stable", "candidate"}
    assert set(config.version_labels.values()) == set(config.model_version_policy.specific.versions)


def test_the_pages_curl_line_has_every_feature_of_the_tutorials_log() -> None:
    [body] = re.findall(r"-d '(.*?)'", section("REST", "bash"), re.DOTALL)
    content = json.loads(body)
    assert content["signature_name"] == "score_features"
    [features] = re.findall(r"^\| features \| (.*?) \|", TUTORIAL, re.MULTILINE)
    assert set(content["inputs"]) == set(re.findall(r"`(\w+)`", features))
    assert {len(values) for values in content["inputs"].values()} == {3}
