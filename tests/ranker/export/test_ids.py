"""Ids that the towers read, in every signature of the served model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ranker import keys
from ranker.config.columns import HashedId
from ranker.config.effects import EffectLevel, Effects
from ranker.export.effects import ServedEffects
from ranker.export.module import FeedRanker
from ranker.export.raw_features import RawFeatures
from ranker.export.request_features import request_features
from ranker.export.saved_model import export_saved_model
from ranker.features.fingerprints import table_rows
from ranker.forest.graph import ForestLeaves
from ranker.forest.margins import ForestMargins
from ranker.registry.manifest import Manifest
from ranker.towers.network import TwoTowerNetwork
from tests.ranker.export.feed import (
    CURATED,
    FEATURES,
    OBJECTIVES,
    TOWERS,
    TinyFeed,
    dense_tensors,
    imported,
    serialized,
)

pytestmark = pytest.mark.slow

IDS = (HashedId("viewer_id", buckets=50, dimension=2), HashedId("author-id", buckets=20, dimension=2))
WITH_IDS = replace(FEATURES, ids=IDS)
# The viewer has a vector and an effect, which share an input.
EFFECTS = Effects(levels=(EffectLevel("viewer_id"),))
NAMES = [o.name for o in OBJECTIVES]
TRADE_OFF = {"alpha": tf.constant(0.5), "lambda_": tf.constant(0.1)}
SHARE = TOWERS.forest_share


@pytest.fixture(scope="module")
def network(feed: TinyFeed) -> TwoTowerNetwork:
    """Towers with ids without zero weights."""
    inputs = replace(feed.inputs, ids=IDS)
    network = TwoTowerNetwork(inputs, TOWERS, OBJECTIVES, np.full(len(OBJECTIVES), 0.4), seed=1)
    random = np.random.default_rng(2)
    for weight in network.weights:
        weight.assign(weight + np.abs(random.normal(scale=0.2, size=weight.shape)))
    return network


@pytest.fixture(scope="module")
def model(feed: TinyFeed, network: TwoTowerNetwork, tmp_path_factory: pytest.TempPathFactory) -> Any:
    schema = imported(CURATED, WITH_IDS)
    raw = RawFeatures(WITH_IDS, schema, EFFECTS.columns)
    module = FeedRanker(
        request_features(raw, str(feed.graph), "device", ("device",)),
        ForestLeaves(feed.forest),
        network,
        replace(feed.inputs, ids=IDS),
        OBJECTIVES,
        ForestMargins(feed.forest),
        SHARE,
        xla_forest=ForestLeaves(feed.forest, xla=True),
        effects=ServedEffects(EFFECTS, WITH_IDS, len(OBJECTIVES)),
    )
    folder = tmp_path_factory.mktemp("ids") / "model"
    export_saved_model(module, Manifest(objectives=NAMES), str(folder))
    assert (Path(folder) / "saved_model.pb").exists()
    return tf.saved_model.load(str(folder))


def _ids(feed: TinyFeed) -> list[list[str]]:
    """Some known, some missing."""
    return [[f"v{i % 30}" if i % 3 else "", f"a{i % 11}" if i % 4 else ""] for i in range(len(feed.rows))]


def _inputs(ids: list[list[str]]) -> dict[str, tf.Tensor]:
    viewers, authors = zip(*ids, strict=True)
    return {"viewer_id": tf.constant(viewers), "author_id": tf.constant(authors)}


def _with_ids(feed: TinyFeed) -> list[bytes]:
    rows = [
        {**row, "viewer_id": [v.encode()] if v else [], "author-id": [a.encode()] if a else []}
        for row, (v, a) in zip(feed.rows, _ids(feed), strict=True)
    ]
    return serialized(rows, WITH_IDS.names)


def _expected(feed: TinyFeed, network: TwoTowerNetwork, ids: list[list[str]]) -> np.ndarray:
    codes = table_rows(tf.constant(ids), [column.buckets for column in IDS])
    towers = network({**feed.batch(), keys.HASHED_IDS: codes}).numpy()
    return tf.sigmoid((1 - SHARE) * towers + SHARE * feed.forest.margins(feed.leaves)).numpy()


def _tensors(feed: TinyFeed, signature: str) -> dict[str, Any]:
    if not signature.endswith("leaves"):
        return dense_tensors(feed.rows)
    local = signature == "score_local_leaves"
    leaves = (feed.leaves - feed.forest.first_leaf[:-1]).astype(np.uint8) if local else feed.leaves
    return {name: tf.constant(values) for name, values in {**feed.batch(), keys.LEAVES: leaves}.items()}


def _stacked(scores: Mapping[str, tf.Tensor]) -> np.ndarray:
    return np.stack([scores[name] for name in NAMES], axis=1)


@pytest.mark.parametrize("signature", ["score_features", "score_features_xla", "score_leaves", "score_local_leaves"])
def test_signatures_of_probabilities_read_ids(
    feed: TinyFeed, model: Any, network: TwoTowerNetwork, signature: str
) -> None:
    ids = _ids(feed)
    found = model.signatures[signature](**_tensors(feed, signature), **_inputs(ids))
    np.testing.assert_allclose(_stacked(found), _expected(feed, network, ids), atol=1e-6)


def test_examples_have_ids_and_score_without_effects_reads_them_too(
    feed: TinyFeed, model: Any, network: TwoTowerNetwork
) -> None:
    expected = _expected(feed, network, _ids(feed))
    for signature in ("serving_default", "score_without_effects"):
        found = model.signatures[signature](examples=tf.constant(_with_ids(feed)))
        np.testing.assert_allclose(_stacked(found), expected, atol=1e-6)


def test_rankings_read_ids(feed: TinyFeed, model: Any, network: TwoTowerNetwork) -> None:
    ids = _ids(feed)
    expected = _expected(feed, network, ids)
    found = model.signatures["rank"](**dense_tensors(feed.rows), **_inputs(ids), **TRADE_OFF)
    score = 0.5 * expected[:, 1] + 0.5 * 3 * expected[:, 0] + 0.1 * 2 * expected[:, 2]
    np.testing.assert_allclose(found["score"], score, atol=1e-5)
    weights = {f"weight_{name}": tf.constant(float(name == "like")) for name in NAMES}
    found = model.signatures["rank_weighted"](**dense_tensors(feed.rows), **_inputs(ids), **TRADE_OFF, **weights)
    np.testing.assert_allclose(found["score"], 0.5 * expected[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    "signature", ["score_features", "score_features_xla", "score_leaves", "score_local_leaves", "rank", "rank_weighted"]
)
def test_an_absent_id_is_an_empty_one(feed: TinyFeed, model: Any, network: TwoTowerNetwork, signature: str) -> None:
    tensors = _tensors(feed, signature) | (TRADE_OFF if signature.startswith("rank") else {})
    if signature == "rank_weighted":
        tensors |= {f"weight_{name}": tf.constant(1.0) for name in NAMES}
    # A server fills in the default of one row.
    absent = model.signatures[signature](**tensors, viewer_id=tf.constant([""]), author_id=tf.constant([""]))
    empty = model.signatures[signature](**tensors, **_inputs([["", ""]] * len(feed.rows)))
    for name, values in empty.items():
        np.testing.assert_array_equal(absent[name], values)
    if signature.startswith("score"):
        expected = _expected(feed, network, [["", ""]] * len(feed.rows))
        np.testing.assert_allclose(_stacked(absent), expected, atol=1e-6)


def test_one_viewer_stands_for_all_candidates(feed: TinyFeed, model: Any) -> None:
    rows = len(feed.rows)
    given = {"author_id": tf.constant(["a1"] * rows), **dense_tensors(feed.rows)}
    one = model.signatures["score_features"](**given, viewer_id=tf.constant(["v1"]))
    each = model.signatures["score_features"](**given, viewer_id=tf.constant(["v1"] * rows))
    np.testing.assert_array_equal(_stacked(one), _stacked(each))


def test_examples_without_ids_are_those_of_unknown_ones(feed: TinyFeed, model: Any, network: TwoTowerNetwork) -> None:
    found = model.signatures["serving_default"](examples=tf.constant(serialized(feed.rows, FEATURES.names)))
    expected = _expected(feed, network, [["", ""]] * len(feed.rows))
    np.testing.assert_allclose(_stacked(found), expected, atol=1e-6)
